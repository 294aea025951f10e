"""POST /moderations: what it takes and what it answers."""

from __future__ import annotations

import secrets
from typing import Any

from airflow_provider_openai_dest.sandbox.answers import Answer
from airflow_provider_openai_dest.sandbox.calls import Call
from airflow_provider_openai_dest.sandbox.models import model_check
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.texts import count_text_tokens, texts_in
from airflow_provider_openai_dest.sandbox.validation import Body, Field, Shape, Text, refuse
from airflow_provider_openai_dest.sandbox.vectors import WORD

DEFAULT_MODEL = "omni-moderation-latest"
BAD_WORDS = {
    "harassment": {"idiot", "stupid", "loser"},
    "harassment/threatening": set(),
    "hate": set(),
    "hate/threatening": set(),
    "illicit": {"shoplift", "counterfeit"},
    "illicit/violent": set(),
    "self-harm": set(),
    "self-harm/intent": set(),
    "self-harm/instructions": set(),
    "sexual": set(),
    "sexual/minors": set(),
    "violence": {"kill", "murder", "attack"},
    "violence/graphic": set(),
}  # fmt: skip


def count_moderation_tokens(body: Body) -> int:
    """Count the tokens of all texts."""
    return count_text_tokens(body["input"])


def create_moderation(_state: SandboxState, call: Call) -> Answer:
    """Flag the texts that hold one of a handful of bad words: one result a text, one for a list of parts."""
    value = call.body["input"]
    groups = [[value]] if isinstance(value, str) else [[item] for item in value]
    if not isinstance(value[0], str):
        groups = [list(texts_in(value))]
    return Answer(
        content={
            "id": f"modr-{secrets.token_hex(12)}",
            "model": call.body.get("model", DEFAULT_MODEL),
            "results": [_judged(" ".join(texts)) for texts in groups],
        }
    )


def _judged(text: str) -> dict[str, Any]:
    words = set(WORD.findall(text.casefold()))
    categories = {name: bool(words & bad) for name, bad in BAD_WORDS.items()}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": {name: 0.99 if is_bad else 0.01 for name, is_bad in categories.items()},
        "category_applied_input_types": {name: ["text"] for name in categories},
    }


def _check_input(body: Body) -> None:
    kinds = {type(item) for item in body["input"]}
    if kinds not in ({str}, {dict}):
        wanted = "a string, an array of strings or an array of parts"
        refuse(f"Invalid type for 'input': expected {wanted}.", "input", "invalid_type")


MODERATION = Shape(
    fields={"input": Field(kinds=("string", "array"), required=True, shortest=1), "model": Text()},
    checks=(model_check("moderation", DEFAULT_MODEL), _check_input),
)
