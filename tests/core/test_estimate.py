"""What would be sent and cost, told without sending."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.estimate import FIRST_REJECTED, Estimate, estimate
from airflow_provider_openai_dest.prices import PriceList
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.duplicates import Originals
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer, SingleRenderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.rendering.tokens import token_counter
from airflow_provider_openai_dest.sources.values import ValuesSource

PRICES = PriceList("https://api.openai.com/v1")
ASK = {"model": "gpt-6-luna", "input": "{message.q}"}
EMBED = {"model": "text-embedding-3-small", "input": "{message.q}"}


@pytest.fixture(autouse=True)
def no_vocabulary(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Estimate, whatever is installed: a vocabulary is loaded from a network."""
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    token_counter.cache_clear()
    yield
    token_counter.cache_clear()


def estimated(records: list[Any], body: dict[str, Any], endpoint: str = "create_response") -> Estimate:
    """Estimate these records."""
    template = find_endpoint(endpoint)
    renderer = PackedRenderer if template.packing else SingleRenderer
    form = RequestForm(template, base_url="https://api.openai.com/v1")
    originals = Originals(keeps_all=template.packing is None) if template.deterministic else None
    return estimate(template, renderer(form, BodyTemplate(body), originals), ValuesSource(records), PRICES)


def test_records_requests_and_tokens_are_counted() -> None:
    """Three bytes of a text are taken as a token, rounded up."""
    found = estimated([{"q": "abcdef"}, {"q": "abcd"}], ASK)
    assert (2, 0, 2, 2) == (found.input, found.rejected, found.pending, found.requests)
    assert (4, False) == (found.input_tokens, found.are_counted)


def test_the_cost_of_an_answer_that_nobody_bounds_is_not_known() -> None:
    """That of the texts is."""
    found = estimated([{"q": "abc" * 1000}], ASK)
    assert (0.0001, None, None) == (found.cost_input, found.most_cost, found.most_tokens)


def test_the_most_that_a_bounded_answer_costs_is_known() -> None:
    """With max_output_tokens in the body."""
    found = estimated([{"q": "abc" * 1000}], ASK | {"max_output_tokens": 200})
    assert (0.0001, 0.0002, 1200) == (found.cost_input, found.most_cost, found.most_tokens)


def test_an_unknown_price_is_unknown() -> None:
    """And never 0."""
    found = estimated([{"q": "abc"}], ASK | {"model": "somebody-elses-model"})
    assert (1, None, None) == (found.input_tokens, found.cost_input, found.most_cost)


def test_embeddings_are_packed_and_equal_ones_sent_once() -> None:
    """As the delivery does it; nothing is paid for the answer."""
    records = [{"q": "abc" * 500}, {"q": "def" * 500}, {"q": "abc" * 500}]
    found = estimated(records, EMBED, "create_embedding")
    assert (3, 1, 1) == (found.pending, found.requests, found.deduplicated)
    assert (0.00002, 0.00002, 1000) == (found.cost_input, found.most_cost, found.most_tokens)


def test_rejected_records_are_told_by_kind_and_the_first_by_name() -> None:
    """All are counted."""
    found = estimated([{}] * 15 + [{"q": "abc"}], ASK)
    assert (16, 15, 1) == (found.input, found.rejected, found.pending)
    assert [("missing_field", 15)] == [(kind["code"], kind["count"]) for kind in found.rejections]
    assert [str(place) for place in range(FIRST_REJECTED)] == [one["key"] for one in found.first_rejected]


def test_only_what_is_said_is_counted() -> None:
    """No settings, and no images: these are billed by their pixels."""
    body = {
        "model": "gpt-6-luna",
        "metadata": {"x": "long" * 100},
        "input": [
            {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64," + "A" * 9999}]}
        ],
    }
    assert estimated([{}], body).input_tokens == len(["user", "input_image"]) + 4


def test_nothing_is_nothing() -> None:
    """An empty data set costs 0, and that is known."""
    found = estimated([], ASK)
    assert (0, 0, 0.0, 0.0) == (found.input, found.requests, found.cost_input, found.most_cost)
