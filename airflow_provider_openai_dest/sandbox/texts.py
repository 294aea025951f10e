"""The text that the sandbox answers: the first words of what it was given, or the least JSON that fits a schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from airflow_provider_openai_dest.sandbox.answers import ApiError
from airflow_provider_openai_dest.sandbox.tokens import CHARACTERS_A_TOKEN, count_tokens

WORDS_SHOWN = 12
Schema = Mapping[str, Any]


def texts_in(value: Any) -> Iterator[str]:
    """Give the texts of an ``input`` or ``messages`` value: the string itself, or those of its parts, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, dict):
        yield from texts_in(value.get("content"))
        yield from texts_in(value.get("text"))


def count_text_tokens(value: Any) -> int:
    """Count the tokens of all texts in an ``input`` or ``messages`` value."""
    return sum(map(count_tokens, texts_in(value)))


def write_answer(value: Any, answer_format: Mapping[str, Any]) -> str:
    """Answer the last text of the value in ``text``, ``json_object`` or ``json_schema`` form; never at random."""
    words = ["", *texts_in(value)][-1].split()
    shown = " ".join(words[:WORDS_SHOWN]) + (" ..." if len(words) > WORDS_SHOWN else "")
    sentence = f"Sandbox answer to {len(words)} words: {shown}"
    match answer_format.get("type"):
        case "json_schema":
            return _write_json(answer_format.get("schema") or {}, shown)
        case "json_object":
            return msgspec.json.encode({"answer": sentence}).decode()
        case _:
            return sentence


def cut(text: str, max_tokens: int | None) -> tuple[str, bool]:
    """Cut a text to so many tokens; tell whether anything was cut off."""
    if max_tokens is None or count_tokens(text) <= max_tokens:
        return text, False
    return text[: max_tokens * CHARACTERS_A_TOKEN], True


# -- the least JSON that fits a schema -------------------------------------------------------------


def _write_json(schema: Schema, words: str) -> str:
    try:
        return msgspec.json.encode(_filled(schema, schema, words)).decode()
    except (AttributeError, KeyError, TypeError) as error:  # a keyword holds what no schema may hold there
        raise ApiError(400, f"Invalid schema: {error}", code="invalid_json_schema") from error


def _filled(  # noqa: PLR0911 - one line for each keyword of the schema
    schema: Any, root: Schema, words: str, entered: frozenset[str] = frozenset()
) -> Any:
    """Fill a schema; ``entered`` are the references on the way here, since a schema may refer to itself."""
    if not isinstance(schema, dict) or schema.get("$ref") in entered:
        return None
    if "$ref" in schema:
        reference = str(schema["$ref"])
        return _filled(_referenced(reference, root), root, words, entered | {reference})
    if fixed := [schema[name] for name in ("const", "default") if name in schema] or schema.get("enum"):
        return fixed[0]
    if ways := next((schema[name] for name in ("anyOf", "oneOf", "allOf") if schema.get(name)), None):
        return _filled(ways[0], root, words, entered)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: _filled(inner, root, words, entered) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [_filled(schema.get("items", {}), root, words, entered) for _ in range(schema.get("minItems", 0))]
    leaf = _LEAVES.get(kind)
    return leaf(schema, words) if leaf else None


def _referenced(reference: str, root: Schema) -> Any:
    """Follow a reference inside the schema, such as ``#/$defs/item``."""
    place: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        place = place.get(step) if isinstance(place, dict) else None
    return place


def _least_number(schema: Schema, _words: str) -> Any:
    above = schema.get("exclusiveMinimum")
    return above + 1 if above is not None else schema.get("minimum", min(0, schema.get("maximum", 0)))


_LEAVES: Mapping[str, Callable[[Schema, str], Any]] = {
    "string": lambda schema, words: words[: schema.get("maxLength", len(words))].ljust(schema.get("minLength", 0), "."),
    "integer": _least_number,
    "number": _least_number,
    "boolean": lambda _schema, _words: False,
}
