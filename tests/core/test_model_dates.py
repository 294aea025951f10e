"""Models that have ended, or soon will, are told before anything is sent."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.connection.model_dates import (
    FAILED_SECONDS,
    KEPT_SECONDS,
    Finding,
    cache_name,
    check_model,
    has_dates,
    judge_model,
)
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.connection.shutdowns import DEPRECATIONS, SHUTDOWNS
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox.models import MODELS, RETIRED_MODELS

TODAY = date(2026, 11, 28)
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
KEY = "sk-proj-modeldates0123456789abcdef"
SERVED = {"gpt-image-2": None, "gpt-image-1.5": "2026-12-01", "gpt-5.1": "2027-04-01", "own": "2026-11-27"}
IMAGES = "use gpt-image-2.5-sunburst or gpt-image-2.5-flare instead"

JUDGED: dict[str, tuple[str, Any, Finding | None]] = {
    "no date": ("gpt-image-2", SERVED, None),
    "far away": ("gpt-5.1", SERVED, None),
    "in three days": (
        "gpt-image-1.5",
        SERVED,
        Finding("warning", f"the model 'gpt-image-1.5' will be shut down on 2026-12-01 (days left: 3): {IMAGES}"),
    ),
    "ended by the server's date": ("own", SERVED, Finding("ended", "the model 'own' was shut down on 2026-11-27")),
    "ended and not listed": (
        "dall-e-3",
        SERVED,
        Finding("ended", f"the model 'dall-e-3' was shut down on 2026-05-12: {IMAGES}"),
    ),
    "unknown": (
        "gpt-9",
        SERVED,
        Finding("note", "the model 'gpt-9' is not in the list of models that this key may use"),
    ),
    "misspelt": (
        "gpt-imge-2",
        SERVED,
        Finding(
            "note",
            "the model 'gpt-imge-2' is not in the list of models that this key may use: did you mean 'gpt-image-2'?",
        ),
    ),
    "ended long ago, without a successor": (
        "text-davinci-003",
        SERVED,
        Finding(
            "ended", f"the model 'text-davinci-003' was shut down on 2024-01-04: {DEPRECATIONS} lists replacements"
        ),
    ),
    "an ended name that the server still serves": ("dall-e-3", {"dall-e-3": None}, None),
    "ended, and no list": (
        "dall-e-3",
        None,
        Finding(
            "warning",
            f"OpenAI ends the model 'dall-e-3' on 2026-05-12: {IMAGES}; this server itself tells no dates of models",
        ),
    ),
    "far away, and no list": ("gpt-5.1", None, None),
    "unknown, and no list": ("gpt-9", None, None),
}


@pytest.mark.parametrize("case", JUDGED)
def test_what_is_said_of_a_model(case: str) -> None:
    """The server's date comes first, then what OpenAI has announced; without a list nothing is refused."""
    model, served, finding = JUDGED[case]
    assert finding == judge_model(model, served, TODAY)


@pytest.mark.parametrize(
    ("days", "kind"), [(-1, "ended"), (0, "ended"), (1, "warning"), (60, "warning"), (61, None), (400, None)]
)
def test_a_model_is_told_sixty_days_ahead(days: int, kind: str | None) -> None:
    """A warning for sixty days, an error from the day itself on."""
    finding = judge_model("m", {"m": (TODAY + timedelta(days)).isoformat()}, TODAY)
    assert kind == (finding and finding.kind)


def test_every_announced_date_is_one() -> None:
    """The table can be read."""
    assert all(date.fromisoformat(shutdown.date) for shutdown in SHUTDOWNS.values())


def test_the_sandbox_knows_the_same_dates() -> None:
    """What the sandbox serves has the dates of the table, and what it has retired is in it as ended."""
    assert {name: model.shutdown_date for name, model in MODELS.items() if model.shutdown_date} == {
        name: SHUTDOWNS[name].date for name, model in MODELS.items() if name in SHUTDOWNS
    }
    assert all(SHUTDOWNS[name].date <= "2026-11-22" for name in RETIRED_MODELS)
    assert all(SHUTDOWNS[name].successor in words for name, words in RETIRED_MODELS.items())


# -- the asking --------------------------------------------------------------------------------------


class Server:
    """A server that counts how often it is asked."""

    def __init__(self, answer: Any) -> None:
        self.asked = 0
        self._answer = answer
        self.transport = httpx.MockTransport(self._reply)

    def _reply(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/models"
        self.asked += 1
        if isinstance(self._answer, Exception):
            raise self._answer
        answer: httpx.Response = self._answer
        return answer

    def check(
        self, cache: Path, model: str = "gpt-image-1.5", *, now: float = NOW, **connection: Any
    ) -> Finding | None:
        settings = ConnectionSettings(**{"api_key": KEY} | connection)
        return check_model(model, settings, cache, now=now, transport=self.transport)


def listing(**models: str | None) -> httpx.Response:
    """Give an answer of ``GET /models``."""
    data = [{"id": name, "object": "model", "shutdown_date": said} for name, said in models.items()]
    return httpx.Response(200, json={"object": "list", "data": data})


def test_the_server_is_asked_once_a_day(tmp_path: Path) -> None:
    """Mapped tasks and later ones read what the first was told; a day later it is asked again."""
    server = Server(listing(m=None))
    times = [NOW, NOW + 1, NOW + KEPT_SECONDS - 1, NOW + KEPT_SECONDS + 1]
    assert [(None, 1), (None, 1), (None, 1), (None, 2)] == [
        (server.check(tmp_path, "m", now=now), server.asked) for now in times
    ]


def test_a_model_that_has_ended_is_refused(tmp_path: Path) -> None:
    """The delivery ends before anything is sent, with the successor."""
    with pytest.raises(ConfigurationError, match=f"'dall-e-3' was shut down on 2026-05-12: {IMAGES}"):
        Server(listing(m=None)).check(tmp_path, "dall-e-3")


def test_a_model_that_ends_overnight_is_found_in_the_cache(tmp_path: Path) -> None:
    """The date is kept, and not what it meant on the day before."""
    server = Server(listing(m="2026-11-29"))
    assert server.check(tmp_path, "m") == Finding(
        "warning", "the model 'm' will be shut down on 2026-11-29 (days left: 1)"
    )
    with pytest.raises(ConfigurationError, match="was shut down"):
        server.check(tmp_path, "m", now=NOW + 43_200)
    assert 1 == server.asked


NO_LIST: dict[str, Any] = {
    "no such path": httpx.Response(404, json={"error": {"message": "no"}}),
    "a refused key": httpx.Response(401, json={"error": {"message": "no"}}),
    "a failing server": httpx.Response(503),
    "a page": httpx.Response(200, text="<html>"),
    "no object": httpx.Response(200, json=[1]),
    "no list": httpx.Response(200, json={"data": {}}),
    "a list without dates": httpx.Response(200, json={"data": [{"id": "gpt-6-luna"}]}),
    "a list without end": httpx.Response(200, json={"data": [{"id": "m", "shutdown_date": None}] * 5_001}),
    "an empty list": httpx.Response(200, json={"data": []}),
    "deep JSON": httpx.Response(200, text="[" * 100_000),
    "no connection": httpx.ConnectError("refused"),
    "a timeout": httpx.ReadTimeout("slow"),
    "a redirect": httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
}


@pytest.mark.parametrize("case", NO_LIST)
def test_a_server_without_a_list_stops_nothing(tmp_path: Path, case: str) -> None:
    """A gateway may have no such path: nothing is refused, and it is not asked again for an hour."""
    server = Server(NO_LIST[case])
    findings = [server.check(tmp_path, name) for name in ("gpt-9", "dall-e-3")]
    assert ([None, "warning"], 1) == ([finding and finding.kind for finding in findings], server.asked)
    server.check(tmp_path, "m", now=NOW + FAILED_SECONDS + 1)
    assert 2 == server.asked


STRANGE = [{"id": 7}, "m", None, {}, {"id": "m", "shutdown_date": "soon"}, {"id": "n", "shutdown_date": 7}]


def test_strange_models_in_a_list_are_left_out(tmp_path: Path) -> None:
    """What is no model or no date is as if it were not there."""
    server = Server(httpx.Response(200, json={"data": STRANGE}))
    assert [None, None, "note"] == [
        (finding := server.check(tmp_path, name)) and finding.kind for name in ("m", "n", "o")
    ]


def test_each_key_and_address_is_asked_for_itself(tmp_path: Path) -> None:
    """Another key may use other models, and another server has others."""
    server = Server(listing(m=None))
    for connection in ({}, {"api_key": f"{KEY}2"}, {"base_url": "https://other.example/v1"}, {"project": "proj_1"}, {}):
        server.check(tmp_path, "m", **connection)
    assert 4 == server.asked


def test_the_cache_does_not_hold_the_key(tmp_path: Path) -> None:
    """Neither its name nor its content shows the key, and only the owner may read it."""
    Server(listing(m=None)).check(tmp_path / "cache", "m")
    (file,) = (tmp_path / "cache").iterdir()
    assert (cache_name(ConnectionSettings(api_key=KEY)), 0o600) == (file.name, file.stat().st_mode & 0o777)
    assert not any(KEY[start : start + 8] in file.name + file.read_text() for start in range(len(KEY) - 8))


@given(st.binary(max_size=50) | st.sampled_from([b'{"asked": 0}', b'{"asked": "x", "served": {}}', b"[]", b"{"]))
def test_a_damaged_cache_is_asked_for_anew(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever stands in the file, the check goes on."""
    cache, server = tmp_path_factory.mktemp("cache"), Server(listing(m=None))
    (cache / cache_name(ConnectionSettings(api_key=KEY))).write_bytes(content)
    assert (None, 1) == (server.check(cache, "m"), server.asked)


def test_a_cache_of_another_shape_is_asked_for_anew(tmp_path: Path) -> None:
    """A list where the models should be is none."""
    server = Server(listing(m=None))
    row = {"asked": NOW, "served": ["m"]}
    (tmp_path / cache_name(ConnectionSettings(api_key=KEY))).write_text(json.dumps(row))
    assert (None, 1) == (server.check(tmp_path, "m"), server.asked)


def test_a_cache_that_can_not_be_written_stops_nothing(tmp_path: Path) -> None:
    """A worker may have no place for it: then the server is asked each time."""
    (tmp_path / "file").write_text("")
    server = Server(listing(m=None))
    assert [None, None] == [server.check(tmp_path / "file", "m") for _ in range(2)]
    assert 2 == server.asked


@pytest.mark.parametrize(
    ("connection", "asked"), [({"api_key": KEY}, True), ({"api_key": KEY, "auth": "admin_key"}, False)]
)
def test_only_an_ordinary_key_is_asked_for(connection: dict[str, Any], asked: bool) -> None:  # noqa: FBT001
    """An admin's key may not see the models."""
    assert asked is has_dates(ConnectionSettings(**connection))
