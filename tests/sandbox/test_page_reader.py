"""Lists of the API, fetched page by page from the sandbox, which fails in the ways that servers fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.page_reader import LOOK_SECONDS, PageReader, sleep_unless
from airflow_provider_openai_dest.exceptions import (
    AbortError,
    ConfigurationError,
    LongWaitError,
    OpenAIDestError,
    TransientError,
)
from airflow_provider_openai_dest.sandbox import Sandbox, running_sandbox
from airflow_provider_openai_dest.sources.pages import PagesSource

KEY = "sk-listing-0123456789"
NAMES = [f"{number}.jsonl" for number in range(7)]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        for name in NAMES:
            _upload(sandbox, name)
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.set_faults()
    running.reset()
    return running


def _upload(sandbox: Sandbox, name: str) -> None:
    httpx.post(
        f"{sandbox.base_url}/files",
        headers={"Authorization": f"Bearer {KEY}"},
        data={"purpose": "batch"},
        files={"file": (name, b"{}")},
        trust_env=False,
    ).raise_for_status()


def read(sandbox: Sandbox, path: str = "/files", waits: list[float] | None = None, **settings: Any) -> list[Any]:
    """Read a list in pages of two, without the waiting."""
    given = {"api_key": KEY, "base_url": sandbox.base_url, "timeout": settings.pop("timeout", 10)}
    connection = ConnectionSettings.model_validate(given)
    reader = PageReader(
        connection,
        path,
        {"limit": 2, "order": "asc", **settings.pop("query", {})},
        policy=settings.pop("policy", RetryPolicy()),
        random=lambda: 0.5,
        sleep=(waits if waits is not None else []).append,
        **settings,
    )
    return [record.data for record in PagesSource(reader.pages, "the list")]


def test_all_pages_are_read(sandbox: Sandbox) -> None:
    """In the order of the list, with what the query asks for."""
    assert NAMES == [item["filename"] for item in read(sandbox)]
    assert {"200": 4} == sandbox.stats()["requests"]["GET /v1/files"]
    assert [] == read(sandbox, query={"purpose": "vision"})


def test_a_list_of_one_page_is_a_list(sandbox: Sandbox) -> None:
    """Models come all at once."""
    assert {"model"} == {item["object"] for item in read(sandbox, "/models")}


@pytest.mark.parametrize("fault", ["status=503,times=2", "reset,times=2", "truncated,times=2"])
def test_a_page_is_asked_for_again(sandbox: Sandbox, fault: str) -> None:
    """By the rules of records: after a pause that doubles, and nothing is there twice."""
    waits: list[float] = []
    sandbox.set_faults(f"{fault},after=1")
    assert NAMES == [item["filename"] for item in read(sandbox, waits=waits)]
    assert [0.25, 0.5] == waits


def test_a_rate_limit_is_waited_for(sandbox: Sandbox) -> None:
    """For as long as the server asks."""
    waits: list[float] = []
    sandbox.set_faults("status=429,retry_after=3,times=1")
    assert NAMES == [item["filename"] for item in read(sandbox, waits=waits, max_wait=5)]
    assert [3] == waits


def test_a_stop_ends_a_wait() -> None:
    """Soon, however long the server asked for."""
    waited: list[float] = []
    sleep = sleep_unless(lambda: len(waited) == 2, waited.append)
    sleep(0.25)
    assert [LOOK_SECONDS, pytest.approx(0.05)] == waited
    with pytest.raises(TransientError, match="stopped"):
        sleep(100)
    assert 2 == len(waited)


# a fault, and what it means for the task
ENDS: dict[str, type[OpenAIDestError]] = {
    "status=401": AbortError,
    "status=429,code=insufficient_quota": AbortError,
    "status=503": TransientError,
    "reset": TransientError,
    "status=404": ConfigurationError,
    "redirect,to=http://127.0.0.1:1/": ConfigurationError,
    "html200": ConfigurationError,
    "bomb": ConfigurationError,
    "status=429,retry_after=600": LongWaitError,
}


@pytest.mark.parametrize("fault", ENDS)
def test_a_list_that_can_not_be_read_says_what_happens_next(sandbox: Sandbox, fault: str) -> None:
    """A retry where it helps, and the list by its name."""
    sandbox.set_faults(fault)
    with pytest.raises(OpenAIDestError, match="the list /files") as caught:
        read(sandbox, max_wait=120)
    assert ENDS[fault] is type(caught.value)
    assert KEY not in str(caught.value)


# a fault, and what keeps a page within its bounds
BOUNDS = {"bomb": "the page has more than 67,108,864 bytes", "drip,interval=0.02": "no whole page within 0.1 s"}


@pytest.mark.parametrize("fault", BOUNDS)
def test_a_page_is_bounded(sandbox: Sandbox, fault: str) -> None:
    """In bytes, and in time for all of it."""
    sandbox.set_faults(fault)
    with pytest.raises(OpenAIDestError, match=BOUNDS[fault]):
        read(sandbox, timeout=0.1 if "drip" in fault else 10, policy=RetryPolicy(max_attempts=1))


def test_a_field_of_the_path_comes_from_the_query(sandbox: Sandbox) -> None:
    """And is percent-encoded; one that is not there is told."""
    path = "/vector_stores/{vector_store_id}/files"
    with pytest.raises(ConfigurationError, match=r"Invalid URL \(GET /v1/vector_stores/vs 1/files\)"):
        read(sandbox, path, query={"vector_store_id": "vs 1"})
    with pytest.raises(ConfigurationError, match="the URL needs 'vector_store_id'"):
        read(sandbox, path)
