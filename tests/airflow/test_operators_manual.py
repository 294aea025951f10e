"""OpenAIManualRequestOperator: any operation of the API, and nothing that leaves the connection's origin."""

from __future__ import annotations

import json
import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest

from airflow_provider_openai_dest import OpenAIManualRequestOperator
from airflow_provider_openai_dest.exceptions import ConfigurationError, InvalidTemplateError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    ASK,
    KEY,
    Reply,
    Seen,
    api_requests,
    attempt,
    counts,
    fail,
    file_content,
    openai_connection,
    recording_server,
    refuse,
    rows_of,
    run,
)


def ask(tmp_path: Path, **arguments: Any) -> OpenAIManualRequestOperator:
    return OpenAIManualRequestOperator(**{"task_id": "ask", "results": str(tmp_path / "results")} | arguments)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Seen]]:
    """Give what a server was sent to which the connection ``recorder`` leads."""
    with recording_server() as (root, requests):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        yield requests


# -- requests ----------------------------------------------------------------------------------------


def test_a_get_is_sent_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """Without records one request is sent, and its JSON answer is kept."""
    manifest = run(ask(tmp_path, method="GET", url="/models"))
    assert ((1, 1, 0, 0), {"GET /v1/models": {"200": 1}}) == (counts(manifest), sandbox.stats()["requests"])
    assert "list" == manifest["outcomes"][0]["answer"]["object"]


def test_a_query_is_sent_as_it_is_written(seen: list[Seen], tmp_path: Path) -> None:
    """A GET has its query and no body."""
    run(ask(tmp_path, conn_id="recorder", method="GET", url="/files?limit=1&order=asc"))
    assert [("GET", "/v1/files?limit=1&order=asc", b"")] == [(one.method, one.target, one.body) for one in seen]


def test_the_body_of_a_get_becomes_its_query(seen: list[Seen], tmp_path: Path) -> None:
    """The fields of a body that a method does not have are percent-encoded into the query."""
    body = {"after": "{message.id}", "limit": 2}
    run(ask(tmp_path, conn_id="recorder", method="GET", url="/files?order=asc", body=body, records=[{"id": "a&b=ü"}]))
    path, _, query = seen[0].target.partition("?")
    assert ("/v1/files", [("order", "asc"), ("after", "a&b=ü"), ("limit", "2")]) == (path, parse_qsl(query))


def test_a_body_is_posted_for_each_record(sandbox: Sandbox, tmp_path: Path) -> None:
    """A template is filled for each record, and each answer stands beside its own."""
    records = [{"q": "Which planet is red?"}, {"q": "What boils water?"}]
    manifest = run(ask(tmp_path, records=records, **ASK))
    assert (2, 2, 0, 0) == counts(manifest)
    for row in rows_of(manifest["results"]):
        assert row["answer"]["status"] == "completed"
        assert row["request_id"].startswith("req_")


def test_the_default_body_is_the_whole_record(seen: list[Seen], tmp_path: Path) -> None:
    """Without body= the record itself is sent as JSON."""
    record = {"model": "m", "input": "ü", "n": [1, 2.5, None, True]}
    run(ask(tmp_path, conn_id="recorder", url="/responses", records=record))
    assert ("application/json", record) == (seen[0].headers["content-type"], json.loads(seen[0].body))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD"])
def test_the_method_is_the_one_named(seen: list[Seen], tmp_path: Path, method: str) -> None:
    """Each method of the API can be used, in any case of its letters."""
    run(ask(tmp_path, conn_id="recorder", url="/things/1", method=method.lower()))
    assert [method] == [one.method for one in seen]


def test_a_body_can_be_json_text(seen: list[Seen], tmp_path: Path) -> None:
    """A body that is JSON text is a template as well, and a lone placeholder keeps its type."""
    body = '{"input": "{message.list}", "text": "have {message.list}"}'
    run(ask(tmp_path, conn_id="recorder", url="/x", body=body, records=[{"list": [1, "ü"]}]))
    sent = json.loads(seen[0].body)
    assert ([1, "ü"], [1, "ü"]) == (sent["input"], json.loads(sent["text"].removeprefix("have ")))


def test_a_form_is_multipart_with_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """content_format="multipart" sends the fields, and the files that file_fields name."""
    (tmp_path / "a.txt").write_bytes(b"\x00\xff content")
    manifest = run(
        ask(
            tmp_path,
            url="/files",
            content_format="multipart",
            file_fields=["file"],
            files_root=str(tmp_path),
            body={
                "purpose": "user_data",
                "file": "{message.path}",
                "expires_after": {"anchor": "created_at", "seconds": 3600},
            },
            records=[{"path": f"{tmp_path}/a.txt"}],
        )
    )
    answer = manifest["outcomes"][0]["answer"]
    assert ("a.txt", 3600) == (answer["filename"], answer["expires_at"] - answer["created_at"])
    assert b"\x00\xff content" == file_content(sandbox, answer["id"])


def test_a_form_is_urlencoded(seen: list[Seen], tmp_path: Path) -> None:
    """content_format="form" sends the fields as a web form does."""
    record = {"a": "1&2=3 ü", "b": {"c": True}, "d": [1, 2]}
    run(ask(tmp_path, conn_id="recorder", url="/x", content_format="form", records=[record]))
    assert "application/x-www-form-urlencoded" == seen[0].headers["content-type"]
    expected = [("a", "1&2=3 ü"), ("b[c]", "true"), ("d[]", "1"), ("d[]", "2")]
    assert expected == parse_qsl(seen[0].body.decode())


def test_headers_are_sent(seen: list[Seen], tmp_path: Path) -> None:
    """headers= go with each request, beside the key."""
    run(ask(tmp_path, conn_id="recorder", url="/x", headers={"X-Team": "search", "OpenAI-Beta": "a=v1"}))
    wanted = {"x-team": "search", "openai-beta": "a=v1", "authorization": f"Bearer {KEY}"}
    assert wanted.items() <= seen[0].headers.items()


def test_headers_and_query_are_filled_for_each_record(seen: list[Seen], tmp_path: Path) -> None:
    """Placeholders stand in header values and in the query; a value that can't rejects its record alone."""
    operator = ask(
        tmp_path,
        conn_id="recorder",
        url="/x",
        headers={"X-Trace": "t-{message.id}"},
        query={"after": "{message.id}", "include": ["a", "b"]},
        body={"n": 1},
        records=[{"id": "a&b"}, {"id": "a\r\nb"}],
        max_errors=1,
    )
    assert (2, 1, 1, 0) == counts(run(operator))
    (only,) = seen
    assert ("t-a&b", "/v1/x?after=a%26b&include%5B%5D=a&include%5B%5D=b") == (only.headers["x-trace"], only.target)


def test_a_body_is_plain_text(seen: list[Seen], tmp_path: Path) -> None:
    """content_format="text" sends the template's text, filled, and no JSON."""
    text = 'v=0 {"a": 1} {message.q}'
    run(ask(tmp_path, conn_id="recorder", url="/x", content_format="text", body=text, records=[{"q": "ü"}]))
    assert ("text/plain; charset=utf-8", 'v=0 {"a": 1} ü') == (seen[0].headers["content-type"], seen[0].body.decode())


HEADERS_OF_OTHERS = [
    "Authorization",
    "authorization",
    "Host",
    "Content-Length",
    "Content-Type",
    "Transfer-Encoding",
    "Cookie",
    "Api-Key",
    "Keep-Alive",
    "bad name",
    "Cookie\n",
]


@pytest.mark.parametrize("name", HEADERS_OF_OTHERS)
def test_headers_that_are_not_the_authors_to_set_are_refused(tmp_path: Path, name: str) -> None:
    """The key, the host and the framing of a request can't be set by hand: the constructor says so."""
    with pytest.raises(ConfigurationError, match=re.escape(repr(name))):
        ask(tmp_path, url="/x", headers={name: "Bearer other"})


@pytest.mark.parametrize("value", [7, None, b"x", ["a"]], ids=repr)
def test_a_header_that_is_no_text_is_refused(tmp_path: Path, value: Any) -> None:
    """The constructor names the header whose value is not a text."""
    with pytest.raises(ConfigurationError, match="'X-Team'"):
        ask(tmp_path, url="/x", headers={"X-Team": value})


@pytest.mark.parametrize("value", ["{{ 'a\n' }}b", "{{ 'ü' }}", "{{ '' }}"])
def test_a_header_that_jinja_makes_is_checked_as_well(seen: list[Seen], tmp_path: Path, value: str) -> None:
    """A value that can't be sent fails the task without a retry, and nothing is sent."""
    fail(ask(tmp_path, conn_id="recorder", url="/x", headers={"X-Team": value}), AirflowFailException, "'X-Team'")
    assert not seen


# -- URLs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["ä ö", "a?b", "a#b", "a&b=c", "50%", "{message.id}", "x;y,z", "'\"<>", "日本"])
def test_a_value_is_percent_encoded_into_its_place(seen: list[Seen], tmp_path: Path, value: str) -> None:
    """A value never adds a segment, a query or a parameter to the URL."""
    url = "/things/{message.id}/part?q={message.id}&limit=1"
    run(ask(tmp_path, conn_id="recorder", method="GET", url=url, records=[{"id": value}]))
    path, _, query = seen[0].target.partition("?")
    assert f"/v1/things/{value}/part" == unquote(path)
    assert [("q", value), ("limit", "1")] == parse_qsl(query)


@pytest.mark.parametrize("value", ["a/b", "..", ".", "", "%2e%2e", "a\\b", "a%2Fb", "a\nb", "\0", "\ud800"])
def test_a_value_that_can_not_stand_in_a_path_rejects_its_record(seen: list[Seen], tmp_path: Path, value: str) -> None:
    """Such a record is rejected and never sent; the others are."""
    records = [{"id": value}, {"id": "fine"}]
    operator = ask(tmp_path, conn_id="recorder", method="GET", url="/x/{message.id}", records=records, max_errors=1)
    manifest = run(operator)
    assert ((2, 1, 1, 0), ["/v1/x/fine"]) == (counts(manifest), [one.target for one in seen])


# arguments with which the value of a record goes elsewhere than into JSON
OTHER_PLACES: dict[str, dict[str, Any]] = {
    "the query of the URL": {"method": "GET", "url": "/x?q={message.v}"},
    "the query of the body": {"method": "GET", "url": "/x", "body": {"q": "{message.v}"}},
    "a form": {"url": "/x", "content_format": "form", "body": {"q": "{message.v}"}},
    "a multipart form": {"url": "/x", "content_format": "multipart", "body": {"q": "{message.v}"}},
    "a field of the path": {"method": "GET", "url": "/x/{v}", "body": {"v": "{message.v}"}},
}


@pytest.mark.parametrize("value", ["\ud800", float("nan"), float("inf"), b"bytes"], ids=repr)
@pytest.mark.parametrize("place", OTHER_PLACES)
def test_a_value_that_can_not_be_written_rejects_its_record(
    seen: list[Seen], tmp_path: Path, place: str, value: Any
) -> None:
    """Wherever it goes, a value that can't be written exactly rejects its record and never stops the others."""
    records = [{"v": value}, {"v": "fine"}]
    manifest = attempt(ask(tmp_path, conn_id="recorder", records=records, max_errors=1, **OTHER_PLACES[place])).xcom
    assert ((2, 1, 1, 0), 1) == (counts(manifest), len(seen))


def test_a_field_of_the_path_is_taken_from_the_body(seen: list[Seen], tmp_path: Path) -> None:
    """{file_id} in the URL is filled from the body's field, which is then not sent again."""
    body = {"file_id": "{message.id}", "limit": 1}
    run(
        ask(
            tmp_path,
            conn_id="recorder",
            method="GET",
            url="/files/{file_id}/content",
            body=body,
            records=[{"id": "f-1"}],
        )
    )
    assert ["/v1/files/f-1/content?limit=1"] == [one.target for one in seen]


def test_a_field_of_the_path_that_the_body_lacks_is_named(seen: list[Seen], tmp_path: Path) -> None:
    """A URL with {file_id} and no such field of the body fails without a retry, and says which field is missing."""
    fail(ask(tmp_path, conn_id="recorder", method="GET", url="/files/{file_id}"), AirflowFailException, "file_id")
    assert not seen


def test_a_complete_url_inside_the_origin_is_taken(sandbox: Sandbox, tmp_path: Path) -> None:
    """A URL copied from the API's reference works when it is at the connection's origin."""
    assert (1, 1, 0, 0) == counts(run(ask(tmp_path, method="GET", url=f"{sandbox.base_url}/models")))


HOSTILE = [
    "https://evil.example/v1/responses",
    "http://127.0.0.1:1/v1/responses",
    "https://127.0.0.1/v1/responses",
    "//evil.example/responses",
    "/../responses",
    "/v1/../../responses",
    "/%2e%2e/responses",
    "/..%2fresponses",
    "/a%2fb",
    "/a\\b",
    "\\\\evil.example\\x",
    "http://user@127.0.0.1/v1/responses",
    "@evil.example/responses",
    "http://127.0.0.1@evil.example/v1",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "/responses#fragment",
    "/respon ses",
    "/respon\r\nses",
    "/./responses",
    "",
    "/",
    "?a=1",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused_before_anything_is_sent(sandbox: Sandbox, tmp_path: Path, url: str) -> None:
    """A URL that leaves the connection's origin or base path fails without a retry; no server hears of it."""
    refuse(lambda: ask(tmp_path, url=url, body={"a": 1}))
    assert 0 == api_requests(sandbox)


@pytest.mark.parametrize("url", ["{message.url}", "{message.url}/responses", "https://{message.host}/v1/responses"])
def test_a_record_does_not_choose_the_host(sandbox: Sandbox, tmp_path: Path, url: str) -> None:
    """A placeholder where the host stands sends nothing anywhere."""
    records = [{"url": f"http://127.0.0.1:{sandbox.port}/v1/models", "host": f"127.0.0.1:{sandbox.port}"}]
    refuse(lambda: ask(tmp_path, url=url, records=records, body={"a": 1}))
    assert 0 == api_requests(sandbox)


def test_a_redirect_is_not_followed(sandbox: Sandbox, tmp_path: Path) -> None:
    """A redirect rejects the record; the place that it names gets neither key nor record."""
    with recording_server() as (root, seen):
        sandbox.set_faults(f"redirect,to={root}/v1/responses")
        manifest = run(ask(tmp_path, records=[{"q": "a"}], max_error_rate=1.0, **ASK))
    assert ((1, 0, 1, 0), 307, []) == (counts(manifest), manifest["rejections"][0]["http_status"], seen)


# -- answers -----------------------------------------------------------------------------------------


def test_a_binary_answer_becomes_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """Speech is written under the results as a file that plays; the outcome has its path."""
    body = {"model": "tts-1", "voice": "alloy", "input": "{message.say}", "response_format": "wav"}
    manifest = run(ask(tmp_path, url="/audio/speech", body=body, records=[{"id": "hi", "say": "hello"}], key="id"))
    answer = manifest["outcomes"][0]["answer"]
    assert (str(tmp_path / "results/files/hi.wav"), "audio/wav") == (answer["path"], answer["content_type"])
    assert Path(answer["path"]).stat().st_size == answer["bytes"]
    with wave.open(answer["path"]) as sound:
        assert sound.getnframes() > 0


def test_the_pictures_of_an_answer_become_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """As with the operator that is made for them: no row and no XCom holds their bytes."""
    body = {"model": "gpt-image-2", "prompt": "{message.q}", "size": "64x48"}
    manifest = run(ask(tmp_path, url="/images/generations", body=body, records=[{"q": "a cat"}]))
    (image,) = manifest["outcomes"][0]["answer"]["data"]
    assert Path(image["path"]).read_bytes().startswith(b"\x89PNG")
    assert "b64_json" not in image


def test_a_streamed_picture_becomes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finished one; drafts are left out."""
    content = (
        b'data: {"type": "image_generation.partial_image", "b64_json": "AAAA"}\n\n'
        b'data: {"type": "image_generation.completed", "b64_json": "iVBORw0K", "created_at": 7}\n\n'
    )
    with recording_server(lambda _: (200, "text/event-stream", content)) as (root, _):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        manifest = run(ask(tmp_path, conn_id="recorder", url="/images/generations", body={"stream": True}))
    (image,) = manifest["outcomes"][0]["answer"]["data"]
    assert (b"\x89PNG\r\n", ".png") == (Path(image["path"]).read_bytes(), Path(image["path"]).suffix)


def test_two_runs_into_one_folder_keep_both_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """A results folder that several runs share loses no file: each was paid for."""
    body = {"model": "tts-1", "voice": "alloy", "response_format": "wav"}
    paths = {
        run(ask(tmp_path, url="/audio/speech", body=body | {"input": text}), run_id=text)["outcomes"][0]["answer"][
            "path"
        ]
        for text in ("hello", "good evening")
    }
    assert 2 == len(paths)


# an answer's content type and body, and what is kept of it
ANSWERS: dict[str, tuple[str, bytes, Any]] = {
    "text": ("text/plain; charset=utf-8", "1\n00:00 ü".encode(), {"text": "1\n00:00 ü"}),
    "nothing": ("application/json", b"", None),
    "subtitles": ("text/vtt", b"WEBVTT\n", {"text": "WEBVTT\n"}),
    "a session description": ("application/sdp", b"v=0\n", {"text": "v=0\n"}),
    "no file": ("application/octet-stream", b"", None),
    "a list": ("application/json", b"[1, 2]", [1, 2]),
    "a big number": ("application/json", b'{"n": 1180591620717411303424}', {"n": 2**70}),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_is_kept_by_its_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """JSON is kept as it is, plain text as text, and an empty answer as none."""
    content_type, content, kept = ANSWERS[case]
    reply: Reply = (200, content_type, content)
    with recording_server(lambda _: reply) as (root, _):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        manifest = run(ask(tmp_path, conn_id="recorder", url="/x"))
    assert kept == manifest["outcomes"][0]["answer"]
    assert [kept] == [row["answer"] for row in rows_of(manifest["results"])]


# -- streams -----------------------------------------------------------------------------------------


def test_a_streamed_response_is_the_same_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    """What is kept is the same with a stream and without one, and so is the usage in the manifest."""
    records = [{"q": "Which planet is red?"}]
    whole, streamed = (
        run(ask(tmp_path, url="/responses", body=ASK["body"] | fields, records=records), run_id=repr(fields))
        for fields in ({}, {"stream": True})
    )
    texts = [manifest["outcomes"][0]["answer"]["output"][0]["content"] for manifest in (whole, streamed)]
    assert (texts[0], whole["usage"]) == (texts[1], streamed["usage"])


def test_the_chunks_of_a_chat_are_one_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    """With the usage that include_usage asks for."""
    body = {
        "model": "gpt-6-luna",
        "messages": [{"role": "user", "content": "{message.q}"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    manifest = run(ask(tmp_path, url="/chat/completions", body=body, records=[{"q": "Which planet is red?"}]))
    (outcome,) = manifest["outcomes"]
    (choice,) = outcome["answer"]["choices"]
    assert ("chat.completion", "stop") == (outcome["answer"]["object"], choice["finish_reason"])
    assert "Sandbox answer to 4 words: Which planet is red?" == choice["message"]["content"]
    assert outcome["usage"]["total_tokens"] == manifest["usage"]["total_tokens"] > 0


def test_a_streamed_response_that_failed_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that came without a stream."""
    failed = {"id": "resp_1", "status": "failed", "error": {"code": "server_error", "message": "no"}}
    event = f"data: {json.dumps({'type': 'response.failed', 'response': failed})}\n\n"
    with recording_server(lambda _: (200, "text/event-stream", event.encode())) as (root, _):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        manifest = run(ask(tmp_path, conn_id="recorder", url="/responses", body={"a": 1}, max_errors=1))
    assert ((1, 0, 1, 0), "failed_answer") == (counts(manifest), manifest["rejections"][0]["code"])


# events, and what is kept of them
STREAMS: dict[str, tuple[bytes, Any]] = {
    "of no known kind": (b'event: step\ndata: {"n": 1}\n\n', [{"event": "step", "data": {"n": 1}}]),
    "of an image": (
        (
            b'data: {"type": "image_generation.partial_image", "b64_json": "AAAA"}\n\n'
            b'data: {"type": "image_generation.completed", "b64_json": "BBBB", "created_at": 7}\n\n'
        ),
        {"created": 7, "data": [{"b64_json": "BBBB"}]},
    ),
    "of a transcript": (
        (
            b'data: {"type": "transcript.text.delta", "delta": "Hi"}\n\n'
            b'data: {"type": "transcript.text.done", "text": "Hi"}\n\n'
        ),
        {"text": "Hi"},
    ),
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_is_kept_as_one_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """By what its events are."""
    content, kept = STREAMS[case]
    with recording_server(lambda _: (200, "text/event-stream", content)) as (root, _):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        manifest = run(ask(tmp_path, conn_id="recorder", url="/x", body={"stream": True}))
    assert kept == manifest["outcomes"][0]["answer"]


def test_streamed_speech_becomes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pieces are joined, and its extension is that of its content."""
    events = [{"type": "speech.audio.delta", "audio": "SUQz"}, {"type": "speech.audio.delta", "audio": "AAEC"}]
    content = "".join(f"data: {json.dumps(event)}\n\n" for event in [*events, {"type": "speech.audio.done"}])
    with recording_server(lambda _: (200, "text/event-stream", content.encode())) as (root, _):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        answer = run(ask(tmp_path, conn_id="recorder", url="/audio/speech", body={"a": 1}))["outcomes"][0]["answer"]
    assert (".mp3", b"ID3\x00\x01\x02") == (Path(answer["path"]).suffix, Path(answer["path"]).read_bytes())


# -- arguments ---------------------------------------------------------------------------------------

REFUSED = {
    "an unknown method": ({"url": "/x", "method": "PSOT"}, "'POST'"),
    "fields of a text": ({"url": "/x", "content_format": "text", "fields": {"a": 1}}, "fields="),
    "Jinja's braces in a header": ({"url": "/x", "headers": {"A": "{{ message.x }}"}}, "headers.A"),
    "Jinja's braces in the query": ({"url": "/x", "query": {"a": "{{ message.x }}"}}, "query.a"),
    "a broken placeholder in the query": ({"url": "/x", "query": {"a": "{message."}}, "query.a"),
    "an unknown content_format": ({"url": "/x", "content_format": "multi-part"}, "'multipart'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_misspelt_word_is_told_with_the_nearest(tmp_path: Path, case: str) -> None:
    """The constructor names what was meant."""
    arguments, words = REFUSED[case]
    with pytest.raises(ConfigurationError, match=words):
        ask(tmp_path, **arguments)


@pytest.mark.parametrize("url", ["/x/{message.", "/x/{message.a..b}", "/x?y={message[}"])
def test_a_broken_placeholder_in_the_url_is_told_when_the_dag_is_parsed(tmp_path: Path, url: str) -> None:
    """The constructor reads the URL's placeholders and names the place."""
    with pytest.raises(InvalidTemplateError, match="url, column"):
        ask(tmp_path, url=url)


@pytest.mark.parametrize("url", ["/x/{message.", "/x/{message.a..b}"])
def test_a_broken_placeholder_in_the_url_sends_nothing(sandbox: Sandbox, tmp_path: Path, url: str) -> None:
    """At the latest when the task runs it fails without a retry, with the place, before anything is sent."""
    refuse(lambda: ask(tmp_path, url=url), "url, column")
    assert 0 == api_requests(sandbox)
