"""What tokens cost, by the price list that is installed."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.prices import (
    PriceList,
    TokenCounts,
    _price_of,
    price_list,
    read_counts,
    require_prices,
    worded_dollars,
)

OPENAI = "https://api.openai.com/v1"
LONG = 300_000

CASES: list[tuple[str, dict[str, Any], float | None]] = [
    ("text-embedding-3-small", {"prompt_tokens": 1_000_000, "total_tokens": 1_000_000}, 0.02),
    ("gpt-6-luna", {"input_tokens": 1000, "output_tokens": 100}, 0.00015),
    ("gpt-6-luna", {"prompt_tokens": 1000, "completion_tokens": 100}, 0.00015),
    ("gpt-6-luna", {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 900}}, 0.000019),
    ("gpt-6-luna", {"input_tokens": 1000, "input_tokens_details": {"cache_write_tokens": 1000}}, 0.000125),
    ("gpt-6-luna", {"input_tokens": LONG, "output_tokens": 1000}, 0.06075),
    ("gpt-audio", {"prompt_tokens": 100, "prompt_tokens_details": {"audio_tokens": 100}}, 0.0032),
    (
        "gpt-image-1.5",
        {"input_tokens": 30, "output_tokens": 100, "input_tokens_details": {"text_tokens": 10, "image_tokens": 20}},
        0.00341,
    ),
    ("omni-moderation-latest", {"total_tokens": 9}, 0.0),
    ("tts-1", {"input_tokens": 9}, None),
    ("gpt-image-2.6-flare", {"input_tokens": 9}, None),
    ("somebody-elses-model", {"input_tokens": 9}, None),
    ("", {"input_tokens": 9}, None),
]


@pytest.mark.parametrize(("model", "usage", "cost"), CASES)
def test_an_answer_costs_what_the_list_says(model: str, usage: dict[str, Any], cost: float | None) -> None:
    """Cached, written, heard and seen tokens have prices of their own; an unknown price is unknown, and never 0."""
    assert PriceList(OPENAI).cost(model, usage) == (None if cost is None else pytest.approx(cost))


def test_the_rates_are_those_of_the_list_itself() -> None:
    """A usage with some of everything costs the same when genai-prices is asked directly."""
    from genai_prices import Usage, calc_price

    usage = {
        "input_tokens": 1000,
        "output_tokens": 50,
        "input_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 200},
    }
    asked = Usage(input_tokens=1000, output_tokens=50, cache_read_tokens=300, cache_write_tokens=200)
    direct = float(calc_price(asked, "gpt-6-sol", provider_id="openai").total_price)
    assert direct == pytest.approx(PriceList(OPENAI).cost("gpt-6-sol", usage))


def test_a_tier_and_the_batch_have_prices_of_their_own() -> None:
    """Both cost half of the standard, where the list knows it."""
    usage = {"input_tokens": 1000, "output_tokens": 100}
    standard = PriceList(OPENAI).cost("gpt-6-luna", usage)
    assert standard is not None
    assert [standard / 2] * 2 == [
        PriceList(OPENAI).cost("gpt-6-luna", usage, "flex"),
        PriceList(OPENAI, is_batch=True).cost("gpt-6-luna", usage),
    ]


@pytest.mark.parametrize(
    "base_url", [OPENAI, "http://127.0.0.1:9/v1", "https://gateway.example/openai", "https://a.openai.azure.com/openai"]
)
def test_a_gateway_has_the_prices_of_openai(base_url: str) -> None:
    """Another provider's hold where the list knows the address."""
    assert 0.0002 == PriceList(base_url).cost("gpt-4.1-mini", {"input_tokens": 500})


def test_nothing_is_asked_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is that of the package as it was installed."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    _price_of.cache_clear()
    assert PriceList(OPENAI).of("gpt-6-luna") is not None


def test_without_the_extra_there_are_no_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is known then, and none is made up."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert price_list(OPENAI) is None


@pytest.mark.parametrize("usage", [{}, {"input_tokens": -1}, {"input_tokens": True}, {"input_tokens": 1e30}])
def test_a_count_that_can_not_be_is_none(usage: dict[str, Any]) -> None:
    """It comes from a server."""
    assert TokenCounts() == read_counts(usage)


@pytest.mark.parametrize(
    ("cost", "text"), [(0, "$0.00"), (1234.567, "$1,234.57"), (0.25, "$0.25"), (0.00000006, "$0.00000006")]
)
def test_dollars_are_worded_for_a_person(cost: float, text: str) -> None:
    """Small amounts are not 0."""
    assert text == worded_dollars(cost)


def test_a_limit_in_dollars_needs_a_list() -> None:
    """The error says what to install."""
    with pytest.raises(ConfigurationError, match="`cost`: pip install genai-prices"):
        require_prices(None, "gpt-6-luna")
    with pytest.raises(ConfigurationError, match="'x' is not known"):
        require_prices(price_list(OPENAI), "x")
    assert require_prices(PriceList(OPENAI), None) is not None
