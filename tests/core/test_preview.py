"""What a preview shows of requests and answers."""

from __future__ import annotations

import json

from airflow_provider_openai_dest.answers.preview import LONGEST_LIST, LONGEST_TEXT, Preview, shortened
from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.sources.first_records import FirstRecords
from tests.core.delivery_parts import ListSource, conclusion, record, rejected, reply, request

RESPONSES = find_endpoint("create_response")
KEY = "sk-proj-abcdefghij0123456789"


def test_request_and_answer_stand_beside_each_other() -> None:
    """In the order of the input."""
    preview = Preview([])
    for place, key in ((1, "b"), (0, "a")):
        asked = request(records=(record(key, place),), content=b'{"input": "hello"}')
        preview.read(RESPONSES, asked, conclusion(reply(body={"output": "hi", "usage": {"total_tokens": 3}})))
    first, second = preview.shown(10_000)
    assert ("a", "b") == (first["key"], second["key"])
    assert {"input": "hello"} == first["request"]["body"]
    assert ("hi", {"total_tokens": 3}) == (first["answer"]["output"], first["usage"])


def test_a_refusal_is_shown() -> None:
    """With what was sent."""
    preview = Preview([])
    preview.read(RESPONSES, request("a"), rejected("bad", "no"))
    assert ("rejected", "bad") == (preview.shown(10_000)[0]["status"], preview.shown(10_000)[0]["error"]["code"])


def test_secrets_are_hidden() -> None:
    """In the request, the answer, and before a text is cut."""
    preview = Preview(["hunter2hunter2"])
    content = json.dumps({"input": f"{KEY} hunter2hunter2"}).encode()
    preview.read(RESPONSES, request(content=content), conclusion(reply(body={"output": f"you said {KEY}"})))
    shown = json.dumps(preview.shown(10_000))
    assert KEY not in shown
    assert "hunter2" not in shown
    assert KEY[:-4] not in json.dumps(shortened("x" * (LONGEST_TEXT - 10) + KEY))


def test_what_is_long_is_cut() -> None:
    """Vectors, images, lists and what is nested deep."""
    shown = shortened({"b64": "A" * 9999, "list": list(range(99)), "deep": [[[[[[[[[[1]]]]]]]]]]})
    assert shown["b64"] == "A" * LONGEST_TEXT + "... (9,999 characters)"
    assert shown["list"] == [*range(LONGEST_LIST), "... (99 items)"]
    assert "..." in json.dumps(shown["deep"])


def test_no_more_is_shown_than_has_room() -> None:
    """The rest is left out."""
    preview = Preview([])
    for place in range(5):
        preview.read(RESPONSES, request(records=(record(str(place), place),)), conclusion())
    assert 2 == len(preview.shown(2 * len(json.dumps(preview.shown(10_000)[0]))))


def test_the_first_records_are_a_source() -> None:
    """No more are read, and the fingerprint says so."""
    source = FirstRecords(ListSource([record("a"), record("b", 1)], error=OSError("read too far")), 2)
    assert ["a", "b"] == [one.key for one in source]
    assert "first 2 of list" == source.fingerprint()
