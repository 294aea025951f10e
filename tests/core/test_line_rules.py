"""Line rules and file checks: all that is wrong with a file is told before it is sent."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.file_checks import NAMED_FAULTS, UPLOAD_BYTES, check_file
from airflow_provider_openai_dest.rendering.line_rules import BATCH_LINES, IN_PLACE_OF_CONTENT, ROLES, RULES, BatchLines
from airflow_provider_openai_dest.rendering.multipart import FilePart
from tests.core.json_values import few_examples, json_values
from tests.core.rendering_parts import file_part

CHAT = {"model": "gpt-6-luna", "messages": []}
MESSAGE = {"role": "user", "content": "a"}
ANSWER = {"role": "assistant", "content": "b", "weight": 1}


def batch(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"custom_id": f"r{number}", "method": "POST", "url": "/v1/chat/completions", "body": CHAT} | fields


def embed(number: int, inputs: Any) -> dict[str, Any]:
    return batch(number, url="/v1/embeddings", body={"model": "m", "input": inputs})


GOOD = {
    "batch": [[batch(1), batch(2)], [embed(1, "a"), embed(2, ["a", "b"]), embed(3, [1, 2, 3])]],
    "fine-tune": [
        [{"messages": [MESSAGE, ANSWER], "tools": []}, {"messages": [MESSAGE]}],
        [{"messages": [{"role": role, "content": ""} for role in ROLES]}],
        [{"messages": [{"role": "assistant", "content": None, field: {}}]} for field in IN_PLACE_OF_CONTENT],
        [{"messages": [{"role": "function", "name": "f", "content": None}]}],
        [{"prompt": "a", "completion": "b"}],
        [
            {
                "input": {"messages": [MESSAGE]},
                "preferred_completion": [ANSWER],
                "non_preferred_completion": [ANSWER],
            }
        ],
    ],
}


@pytest.mark.parametrize(("purpose", "lines"), [(purpose, lines) for purpose in GOOD for lines in GOOD[purpose]])
def test_good_lines_have_no_faults(purpose: str, lines: list[Any]) -> None:
    """What the API takes is not refused here."""
    rules = RULES[purpose]()
    assert [[] for _ in lines] == [[*rules.faults(line)] for line in lines]


# purpose, the lines, and words of the fault of the last one
BAD = [
    ("batch", [7], "must be an object"),
    ("batch", [batch(custom_id=None)], "custom_id"),
    ("batch", [batch(custom_id="")], "custom_id"),
    ("batch", [batch(1), batch(1)], "earlier line"),
    ("batch", [batch(method="post")], "'POST'"),
    ("batch", [batch(url="/chat/completions")], "/v1/chat/completions"),
    ("batch", [batch(url=[])], "url"),
    ("batch", [batch(1), embed(2, "a")], "a batch has one"),
    ("batch", [batch(body="a")], "body must be an object"),
    ("batch", [batch(body={})], "body.model"),
    ("batch", [batch(1), batch(2, body={"model": "other"})], "a batch has one"),
    ("batch", [embed(1, ["a"] * 50_000), embed(2, "a")], "at most"),
    ("fine-tune", [[]], "must be an object"),
    ("fine-tune", [{}], "messages"),
    ("fine-tune", [{"messages": []}], "list of messages"),
    ("fine-tune", [{"messages": [{"content": "a"}]}], "messages[0]"),
    ("fine-tune", [{"messages": [MESSAGE, {"role": "assistant", "weight": 2}]}], "messages[1].weight"),
    ("fine-tune", [{"messages": [{"role": "user"}]}], "messages[0].content is missing"),
    ("fine-tune", [{"messages": [{"role": "user", "tool_calls": [{}]}]}], "messages[0].content is missing"),
    ("fine-tune", [{"messages": [{"role": "function"}]}], "messages[0].content is missing"),
    ("fine-tune", [{"messages": [MESSAGE, {"role": "assistant", "content": None}]}], "messages[1].content is missing"),
    ("fine-tune", [{"messages": [{"role": "robot", "content": "a"}]}], "messages[0].role 'robot'"),
    ("fine-tune", [{"prompt": "a"}], "completion must be a text"),
    ("fine-tune", [{"input": 1}], "input must be an object"),
    ("fine-tune", [{"input": {"messages": [MESSAGE]}, "preferred_completion": [ANSWER]}], "non_preferred_completion"),
]


@pytest.mark.parametrize(("purpose", "lines", "words"), BAD)
def test_each_fault_is_told(purpose: str, lines: list[Any], words: str) -> None:
    """What the API would refuse is named, and only in the line that has it."""
    rules = RULES[purpose]()
    *before, last = [[*rules.faults(line)] for line in lines]
    assert not any(before)
    assert words in "; ".join(last)


def test_a_line_with_faults_counts_for_nothing() -> None:
    """The id, URL and model of a bad line bind no other line."""
    rules = BatchLines()
    assert rules.faults(batch(1, body={"model": "other"}, method="GET"))
    assert [] == rules.faults(batch(1))


def test_a_batch_has_so_many_lines() -> None:
    """One line more is a fault."""
    rules = BatchLines()
    for number in range(BATCH_LINES):
        assert not rules.faults(batch(number))
    assert not rules.has_room(batch(BATCH_LINES))
    assert "at most 50,000 lines" in rules.faults(batch(BATCH_LINES))[0]


@few_examples
@given(json_values, json_values)
def test_no_line_is_too_strange(value: Any, inner: Any) -> None:
    """Whatever a line holds, it has faults or none."""
    for rules in (RULES["batch"](), RULES["fine-tune"]()):
        for line in (value, batch(url=inner), batch(body=inner), {"messages": inner}, {"messages": [inner]}):
            assert all(isinstance(fault, str) for fault in rules.faults(line))


# -- files -------------------------------------------------------------------------------------------


def checked(content: bytes, purpose: str = "batch", filename: str = "a.jsonl") -> str:
    """Check a file and give what was said of it."""
    with pytest.raises(RecordError) as raised:
        check_file(file_part("file", filename, content), purpose)
    return raised.value.message


def sparse(size: int, filename: str = "a.bin") -> FilePart:
    """Give a file of so many bytes that nobody has to write."""
    return FilePart(name="file", filename=filename, size=size, open=BytesIO)


def test_a_good_file_passes() -> None:
    """With or without an end of its last line."""
    line = json.dumps(batch()).encode()
    for content in (line, line + b"\n", b"\xef\xbb\xbf" + line):
        check_file(file_part("file", "a.jsonl", content), "batch")


def test_faults_are_told_by_their_lines() -> None:
    """Lines count from 1, and an empty one is a fault as well."""
    message = checked(b"{}\n\n" + json.dumps(batch()).encode() + b"\n{\n")
    assert "a.jsonl: line 1: custom_id" in message
    assert "line 2: not JSON" in message
    assert "line 3" not in message
    assert "line 4: not JSON" in message


def test_many_faults_are_counted() -> None:
    """Twenty are named, the rest is a number."""
    message = checked(b"{\n" * 1234)
    assert (NAMED_FAULTS, True) == (message.count("not JSON"), message.endswith("and 1,214 more"))


@pytest.mark.parametrize(
    ("file", "purpose", "words"),
    [
        (sparse(0), "user_data", "empty"),
        (sparse(UPLOAD_BYTES + 1), "user_data", "at most 8,589,934,592"),
        (sparse(200_000_001, "a.jsonl"), "batch", "at most 200,000,000"),
        (sparse(10, "a.json"), "batch", "must end in .jsonl"),
        (sparse(10, "a.csv"), "fine-tune", "must end in .jsonl"),
    ],
)
def test_size_and_name_are_told_without_a_look_inside(file: FilePart, purpose: str, words: str) -> None:
    """A file that is too large, empty or of another kind is refused."""
    with pytest.raises(RecordError, match=words):
        check_file(file, purpose)


@pytest.mark.parametrize("size", [1, 512_000_001, UPLOAD_BYTES])
def test_a_large_file_passes_as_it_goes_in_parts(size: int) -> None:
    """Up to the API's own limit."""
    check_file(sparse(size), "user_data")


def test_without_parts_a_file_has_the_limit_of_one_request() -> None:
    """Where parts are turned off, 512 MB are the most."""
    with pytest.raises(RecordError, match="at most 512,000,000"):
        check_file(sparse(512_000_001), "user_data", in_parts=False)
