"""A stream of events becomes the answer that the operation gives without a stream."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.wire.answer_bytes import UnusableAnswerError
from airflow_provider_openai_dest.wire.streamed_answer import StreamedAnswer


def stream(*events: Any, done: bool = False) -> bytes:
    """Write events as the API does, named by their type."""
    lines = [f"event: {event['type']}\n" if "type" in event else "" for event in events]
    written = "".join(f"{line}data: {json.dumps(event)}\n\n" for line, event in zip(lines, events, strict=True))
    return (written + ("data: [DONE]\n\n" if done else "")).encode()


def read(content: bytes, *, ends: bool = True) -> StreamedAnswer:
    """Give a stream that was read, up to its proper end or a broken one."""
    answer = StreamedAnswer()
    answer.feed(content)
    if ends:
        answer.end()
    return answer


def json_of(content: bytes) -> Any:
    """Give the JSON that a stream is collected into."""
    answer = read(content)
    assert answer.is_whole
    return json.loads(answer.collected().content)


def chunk(*choices: Any, **fields: Any) -> dict[str, Any]:
    """Give a chunk of a chat completion."""
    shared = {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m", "obfuscation": "x"}
    return {**shared, "choices": list(choices), **fields}


def delta(index: int = 0, finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """Give a choice of a chunk."""
    return {"index": index, "delta": fields, "logprobs": None, "finish_reason": finish_reason}


@pytest.mark.parametrize("end", ["completed", "failed", "incomplete"])
def test_the_last_event_of_a_response_has_all_of_it(end: str) -> None:
    """What came before it is left out, and nothing follows."""
    whole = {"id": "resp_1", "status": end, "usage": {"total_tokens": 3}, "error": {"code": "server_error"}}
    events = [
        {"type": "response.created", "response": {"status": "in_progress"}},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": f"response.{end}", "response": whole},
    ]
    assert whole == json_of(stream(*events))
    assert (False, True) == (read(stream(*events[:2])).is_whole, read(stream(*events)).is_over)


def test_the_deltas_of_a_chat_become_its_messages() -> None:
    """Content grows, choices keep apart, the last chunk gives the usage."""
    content = stream(
        chunk(delta(0, role="assistant", content="", refusal=None), delta(1, role="assistant", content="B")),
        chunk(delta(0, content="Hel")),
        chunk(delta(1, content="ye"), usage=None),
        chunk(delta(0, content="lo ü")),
        chunk(delta(0, "stop"), delta(1, "length")),
        chunk(usage={"total_tokens": 5}, service_tier="default"),
        done=True,
    )
    message = {"role": "assistant", "refusal": None}
    assert {
        "id": "c1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "choices": [
            {"index": 0, "message": {**message, "content": "Hello ü"}, "logprobs": None, "finish_reason": "stop"},
            {
                "index": 1,
                "message": {"role": "assistant", "content": "Bye"},
                "logprobs": None,
                "finish_reason": "length",
            },
        ],
        "service_tier": "default",
        "usage": {"total_tokens": 5},
    } == json_of(content)


def test_the_calls_of_a_chat_are_merged_by_their_index() -> None:
    """The arguments of several tool calls come in turns; content stays null."""

    def call(index: int, arguments: str, **fields: Any) -> dict[str, Any]:
        return {"index": index, "function": {"arguments": arguments, **fields.pop("function", {})}, **fields}

    content = stream(
        chunk(
            delta(
                role="assistant",
                content=None,
                tool_calls=[call(0, "", id="a", type="function", function={"name": "f"})],
            )
        ),
        chunk(delta(tool_calls=[call(0, '{"x"')])),
        chunk(delta(tool_calls=[call(1, "{}", id="b", type="function", function={"name": "g"}), call(0, ":1}")])),
        chunk(delta(finish_reason="tool_calls")),
        done=True,
    )
    (choice,) = json_of(content)["choices"]
    assert (None, "tool_calls") == (choice["message"]["content"], choice["finish_reason"])
    assert [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ] == choice["message"]["tool_calls"]


def test_what_a_chunk_says_again_is_not_doubled() -> None:
    """Some servers repeat the role, and the id and type of a call, in each chunk."""
    call = {"index": 0, "id": "a", "type": "function", "function": {"arguments": "x"}}
    content = stream(*[chunk(delta(role="assistant", content="a", tool_calls=[call]))] * 2, done=True)
    calls = [{"id": "a", "type": "function", "function": {"arguments": "xx"}}]
    message = {"role": "assistant", "content": "aa", "tool_calls": calls}
    assert message == json_of(content)["choices"][0]["message"]


def test_log_probabilities_of_a_chat_are_joined() -> None:
    """The lists of all chunks follow one another."""
    content = stream(
        chunk({**delta(content="a"), "logprobs": {"content": [{"token": "a"}], "refusal": None}}),
        chunk({**delta(content="b"), "logprobs": {"content": [{"token": "b"}], "refusal": None}}),
        done=True,
    )
    logprobs = json_of(content)["choices"][0]["logprobs"]
    assert {"content": [{"token": "a"}, {"token": "b"}], "refusal": None} == logprobs


def test_the_texts_of_a_legacy_completion_are_joined() -> None:
    """/completions streams choices with a text and no delta."""
    chunks = [
        {"id": "c", "object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": reason}]}
        for text, reason in (("a", None), ("b", "stop"))
    ]
    answer = json_of(stream(*chunks, done=True))
    assert ("text_completion", {"index": 0, "text": "ab", "finish_reason": "stop"}) == (
        answer["object"],
        answer["choices"][0],
    )


def test_what_a_filter_finds_is_replaced_and_not_joined() -> None:
    """Only the texts of a delta are pieces; Azure tells the same of each chunk."""
    found = {"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
    content = stream(
        chunk(delta(content="Hel") | found), chunk(delta(content="lo") | found), chunk(delta(0, "stop")), done=True
    )
    (choice,) = json_of(content)["choices"]
    assert ("Hello", "safe") == (
        choice["message"]["content"],
        choice["content_filter_results"]["hate"]["severity"],
    )


@pytest.mark.parametrize("kind", ["image_generation", "image_edit"])
def test_finished_pictures_are_kept_and_partial_ones_are_not(kind: str) -> None:
    """A partial picture may come after the finished one."""
    content = stream(
        {"type": f"{kind}.partial_image", "b64_json": "AAAA", "partial_image_index": 0},
        {"type": f"{kind}.completed", "b64_json": "BBBB", "created_at": 9, "size": "1x1", "usage": {"total_tokens": 4}},
        {"type": f"{kind}.partial_image", "b64_json": "CCCC", "partial_image_index": 1},
    )
    wanted = {"created": 9, "data": [{"b64_json": "BBBB"}], "size": "1x1", "usage": {"total_tokens": 4}}
    assert wanted == json_of(content)


def test_pictures_are_whole_with_the_end_of_their_stream() -> None:
    """Of several one is finished first, and no event says how many there are."""
    content = stream({"type": "image_generation.completed", "b64_json": "BBBB", "created_at": 9})
    assert (False, True) == (read(content, ends=False).is_whole, read(content).is_whole)


def test_pieces_of_speech_become_a_file() -> None:
    """The bytes are joined; the answer says that it is a file."""
    pieces = [{"type": "speech.audio.delta", "audio": b64encode(piece).decode()} for piece in (b"ID3", b"\0sound")]
    answer = read(stream(*pieces, {"type": "speech.audio.done", "usage": {"total_tokens": 2}}))
    assert (None, "application/octet-stream", b"ID3\0sound") == answer.collected()


def test_a_transcript_has_the_text_of_its_last_event() -> None:
    """Segments by speaker are kept beside it."""
    content = stream(
        {"type": "transcript.text.delta", "delta": "Good"},
        {"type": "transcript.text.segment", "id": "s1", "speaker": "A", "text": "Good day"},
        {"type": "transcript.text.done", "text": "Good day", "usage": {"type": "tokens"}},
    )
    segment = {"id": "s1", "speaker": "A", "text": "Good day"}
    assert {"text": "Good day", "usage": {"type": "tokens"}, "segments": [segment]} == json_of(content)


def test_an_unknown_stream_is_the_list_of_its_events() -> None:
    """Data that are no JSON stay text."""
    content = b'event: step\ndata: {"n": 1}\n\ndata: hello\n\ndata: [1]\n\n'
    events = [{"event": "step", "data": {"n": 1}}, {"event": "", "data": "hello"}, {"event": "", "data": [1]}]
    assert events == json_of(content)


def test_a_sign_of_life_does_not_hide_the_kind_of_a_stream() -> None:
    """An event of no kind may come first."""
    content = stream({"type": "keepalive"}, {"type": "response.completed", "response": {"id": "r"}})
    assert {"id": "r"} == json_of(content)


# streams that end before their last event
BROKEN = {
    "a response": stream({"type": "response.output_text.delta", "delta": "Hi"}),
    "a response with [DONE] only": stream({"type": "response.created", "response": {}}, done=True),
    "a chat": stream(chunk(delta(content="Hi")), chunk(delta(finish_reason="stop"))),
    "a picture": stream({"type": "image_generation.partial_image", "b64_json": "AAAA"}),
    "speech": stream({"type": "speech.audio.delta", "audio": "AAAA"}),
    "a transcript": stream({"type": "transcript.text.delta", "delta": "a"}),
    "no event": b": nothing\n\n",
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_stream_without_its_last_event_is_not_whole(case: str) -> None:
    """Even where the connection ends as it should."""
    assert not read(BROKEN[case]).is_whole


def test_an_unknown_stream_that_breaks_off_is_not_whole() -> None:
    """Nothing but its proper end tells that it is."""
    content = stream({"n": 1})
    assert (False, True) == (read(content, ends=False).is_whole, read(content).is_whole)


# how an error event is written, and the status that it means
ERRORS: dict[str, tuple[bytes, int, dict[str, Any]]] = {
    "of a response": (
        stream({"type": "error", "code": "server_error", "message": "m", "param": None, "sequence_number": 3}),
        500,
        {"code": "server_error", "message": "m"},
    ),
    "of a chat": (stream({"error": {"type": "invalid_request_error", "message": "m"}}), 400, {"message": "m"}),
    "by name": (b'event: error\ndata: {"code": "rate_limit_exceeded"}\n\n', 429, {"code": "rate_limit_exceeded"}),
    "by type": (stream({"error": {"type": "server_error", "code": None}}), 500, {"type": "server_error"}),
    "as a text": (stream({"error": "no"}), 400, {"message": "no"}),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_event_stands_for_an_error_answer(case: str) -> None:
    """It has the status that the error has without a stream, and what came before it is nothing."""
    content, status, said = ERRORS[case]
    answer = read(stream(chunk(delta(content="Hi"))) + content, ends=False)
    collected = answer.collected()
    assert (True, status) == (answer.is_over, collected.status)
    assert said.items() <= json.loads(collected.content)["error"].items()


# what is no stream of its kind
UNUSABLE = {
    "no JSON": stream(chunk(delta(content="Hi"))) + b"data: {half\n\n",
    "no UTF-8": stream({"type": "response.created"}) + b'data: {"type": "\xff"}\n\n',
    "a choice without index": stream(chunk({"delta": {}})),
    "choices that are none": stream(chunk("x")),
    "speech that is no base64": stream({"type": "speech.audio.delta", "audio": "?"}),
    "a list among chunks": stream(chunk(delta(content="a"))) + b"data: [1]\n\n",
    "a text that becomes an object": stream(chunk(delta(content="a")), chunk(delta(content={"b": 1}))),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_does_not_fit_is_told(case: str) -> None:
    """Such an answer came, and asking again would only be billed again."""
    with pytest.raises(UnusableAnswerError, match="stream"):
        read(UNUSABLE[case]).collected()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(
    [
        *("response.completed", "image_edit.completed", "speech.audio.delta", "speech.audio.done"),
        *("transcript.text.segment", "transcript.text.done", "other"),
    ]
)
FIELDS = st.sampled_from(["response", "choices", "usage", "b64_json", "audio", "delta", "index", "text", "created_at"])
EVENTS = st.builds(
    lambda kind, fields: {**fields, **kind},
    KINDS.map(lambda kind: {"type": kind}) | st.just({"object": "chat.completion.chunk"}),
    st.dictionaries(FIELDS, JSON | st.lists(st.dictionaries(FIELDS, JSON, max_size=3), max_size=2), max_size=4),
)


@given(st.lists(EVENTS, min_size=1, max_size=5), st.booleans())
def test_whatever_a_server_sends_is_an_answer_or_told(events: list[Any], done: bool) -> None:  # noqa: FBT001
    """Nothing but UnusableAnswerError comes out of a stream."""
    try:
        answer = read(stream(*events, done=done))
        if answer.is_whole:
            answer.collected()
    except UnusableAnswerError:
        pass


@given(st.text(max_size=30), st.integers(1, 40))
def test_a_text_is_the_same_however_it_is_streamed(text: str, size: int) -> None:
    """Deltas cut anywhere, bytes cut anywhere."""
    deltas = [text[at : at + size] for at in range(0, len(text), size)] or [""]
    content = stream(*(chunk(delta(content=part)) for part in deltas), done=True)
    answer = StreamedAnswer()
    for at in range(0, len(content), size):
        answer.feed(content[at : at + size])
    assert text == json.loads(answer.collected().content)["choices"][0]["message"]["content"]
