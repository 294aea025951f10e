"""How many tokens go in a pack, when the API counts more than we do."""

from __future__ import annotations

import pytest

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.head_room import LEAST_TOKENS, HeadRoom
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from tests.core.rendering_parts import form, json_of, only_request, records

TOO_MANY = "max_tokens_per_request"

# what was refused by our count, the refusal, and what is packed from then on
REFUSALS = {
    "the API's numbers": (200_000, TOO_MANY, "Requested 400000 tokens, max 300000 tokens per request", 400, 147_000),
    "no numbers": (200_000, TOO_MANY, "too many", 400, 180_000),
    "numbers the wrong way round": (200_000, TOO_MANY, "Requested 1 tokens, max 300000 tokens", 400, 180_000),
    "above the tokens a minute": (
        200_000,
        "rate_limit_exceeded",
        "Request too large for m on tokens per min (TPM): Limit 40000, Requested 200000.",
        429,
        39_200,
    ),
    "too many bytes": (200_000, "http_413", "Request Entity Too Large", 413, 180_000),
    "one input always goes": (
        9_000,
        TOO_MANY,
        "Requested 900000 tokens, max 300000 tokens per request",
        400,
        LEAST_TOKENS,
    ),
    "another refusal": (200_000, "invalid_request_error", "Requested 2 tokens, max 1", 400, 300_000),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_head_room_is_learnt_from_refusals(case: str) -> None:
    """By the numbers that the API tells, with a little caution; without them by a tenth."""
    tokens, code, message, status, most = REFUSALS[case]
    room = HeadRoom(300_000)
    room.refused(tokens, RecordError(code, message, status=status))
    assert most == room.tokens


def test_what_was_learnt_is_not_forgotten() -> None:
    """A later refusal of less makes it smaller, one of more does not make it larger."""
    room = HeadRoom(300_000)
    for tokens in (200_000, 250_000, 100_000, 300_000):
        room.refused(tokens, RecordError(TOO_MANY, ""))
    assert 90_000 == room.tokens


def test_packs_are_smaller_after_a_refusal() -> None:
    """Those that are rendered from then on."""
    renderer = PackedRenderer(form("create_embedding"), BodyTemplate({"model": "m", "input": "{message}"}))
    texts = ["x" * 30_000] * 80  # 10,000 tokens each by our count
    requests = renderer.render(records(*texts))
    first = next(requests)
    assert isinstance(first, RenderedRequest)
    error = RecordError(TOO_MANY, "Requested 600000 tokens, max 300000 tokens per request", status=400)
    assert [15, 15] == [len(half.records) for half in renderer.split(first, error)]
    assert [30, 14, 14, 14] == [
        len(first.records),
        *(item.size for item in requests if isinstance(item, RenderedRequest)),
    ][:4]


def test_the_texts_of_one_record_go_in_halves() -> None:
    """When together they are too many tokens: the second half follows the answer to the first."""
    renderer = PackedRenderer(form("create_embedding"), BodyTemplate({"model": "m", "input": "{message}"}))
    request = only_request(renderer.render(records(["a", "b", "c"])))
    assert () == renderer.split(request, RecordError("bad", "this one is bad", status=400))
    (first,) = renderer.split(request, RecordError(TOO_MANY, "too many", status=400))
    assert ["a"] == json_of(first)["input"]
    assert first.following
    second = first.following([{"embedding": "A"}], {"total_tokens": 1}, None)
    assert (["b", "c"], None) == (json_of(second)["input"], second.following)


def test_a_single_text_is_never_cut() -> None:
    """Its record is rejected."""
    renderer = PackedRenderer(form("create_embedding"), BodyTemplate({"model": "m", "input": "{message}"}))
    request = only_request(renderer.render(records("a")))
    assert () == renderer.split(request, RecordError(TOO_MANY, "too many", status=400))
