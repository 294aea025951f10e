"""Line rules: what a line of a file for the Batch API or for fine-tuning must hold, as far as it can be told here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

BATCH_URLS = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)
"""https://platform.openai.com/docs/api-reference/batch/create."""

BATCH_LINES = 50_000
EMBEDDING_INPUTS = 50_000
"""Most lines of a batch, and most inputs for embeddings in all of them."""

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
"""Who speaks in a message: the ChatCompletionRequest...Message of OpenAI's specification."""

IN_PLACE_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")
"""Fields with which a message of the assistant needs no content (ChatCompletionRequestAssistantMessage)."""

LONGEST_QUOTE = 60


class LineRules(Protocol):
    """Looks at the lines of one file, in order: some rules are about several lines."""

    def has_room(self, line: Any) -> bool:
        """Whether the file may have this line, too; else it goes in another."""

    def faults(self, line: Any) -> Sequence[str]:
        """Give what is wrong with the next line, read from its JSON; a line with faults counts for nothing."""


class BatchLines:
    """A request in each line: the ids all differ, the URL and the model are the same in all."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._count = self._inputs = 0
        self._url: str | None = None
        self._model: str | None = None

    def has_room(self, line: Any) -> bool:
        """Whether lines and inputs stay within the limits."""
        return self._count < BATCH_LINES and self._inputs + _inputs_of(line) <= EMBEDDING_INPUTS

    def faults(self, line: Any) -> Sequence[str]:
        """Give what is wrong with the next line."""
        if not self.has_room(line):
            return [f"a batch has at most {BATCH_LINES:,} lines, and {EMBEDDING_INPUTS:,} inputs for embeddings"]
        if not isinstance(line, Mapping):
            return ["a request must be an object"]
        faults = [*self._faults(line)]
        if not faults:
            self._count += 1
            self._inputs += _inputs_of(line)
            self._ids.add(line["custom_id"])
            self._url, self._model = line["url"], line["body"]["model"]
        return faults

    def _faults(self, line: Mapping[str, Any]) -> Iterator[str]:
        yield from self._id_faults(line.get("custom_id"))
        if line.get("method") != "POST":
            yield f"method must be 'POST', not {_quoted(line.get('method'))}"
        yield from self._url_faults(line.get("url"))
        if isinstance(line.get("body"), Mapping):
            yield from self._body_faults(line["body"])
        else:
            yield "body must be an object"

    def _id_faults(self, custom_id: Any) -> Iterator[str]:
        if not isinstance(custom_id, str) or not custom_id:
            yield "custom_id must be a text"
        elif custom_id in self._ids:
            yield f"custom_id {_quoted(custom_id)} stands in an earlier line"

    def _url_faults(self, url: Any) -> Iterator[str]:
        if url not in BATCH_URLS:
            yield f"url {_quoted(url)} is none that the Batch API takes: {', '.join(BATCH_URLS)}"
        elif self._url not in (None, url):
            yield f"url {url!r} differs from {self._url!r} of earlier lines: a batch has one"

    def _body_faults(self, body: Mapping[str, Any]) -> Iterator[str]:
        model = body.get("model")
        if not isinstance(model, str) or not model:
            yield "body.model must be a text"
        elif self._model not in (None, model):
            yield f"model {_quoted(model)} differs from {_quoted(self._model)} of earlier lines: a batch has one"


class FineTuneLines:
    """An example in each line: messages, a preference, or a prompt with its completion."""

    def has_room(self, line: Any) -> bool:  # noqa: ARG002 - part of the protocol
        """Whether there is room: always."""
        return True

    def faults(self, line: Any) -> Sequence[str]:
        """Give what is wrong with the next line."""
        return [*self._faults(line)]

    def _faults(self, line: Any) -> Iterator[str]:
        if not isinstance(line, Mapping):
            yield "an example must be an object"
        elif "messages" in line:
            yield from _message_faults(line["messages"], "messages")
        elif "input" in line:
            yield from self._preference_faults(line)
        elif "prompt" in line or "completion" in line:
            for name in ("prompt", "completion"):
                if not isinstance(line.get(name), str):
                    yield f"{name} must be a text"
        else:
            yield "an example has messages; or input and two completions; or prompt and completion"

    def _preference_faults(self, line: Mapping[str, Any]) -> Iterator[str]:
        asked = line["input"]
        if isinstance(asked, Mapping):
            yield from _message_faults(asked.get("messages"), "input.messages")
        else:
            yield "input must be an object with messages"
        for name in ("preferred_completion", "non_preferred_completion"):
            answers = line.get(name)
            if not isinstance(answers, list) or len(answers) != 1:
                yield f"{name} must be a list of one message"
            else:
                yield from _message_faults(answers, name)


RULES: dict[str, type[BatchLines | FineTuneLines]] = {"batch": BatchLines, "fine-tune": FineTuneLines}
"""By purpose; the files of the others may hold anything."""


def _message_faults(messages: Any, place: str) -> Iterator[str]:
    if not isinstance(messages, list) or not messages:
        yield f"{place} must be a list of messages"
        return
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            yield f"{place}[{number}] must be an object with a role"
        else:
            yield from (f"{place}[{number}]{fault}" for fault in _faults_of_message(message))


def _faults_of_message(message: Mapping[str, Any]) -> Iterator[str]:
    role = message["role"]
    if role not in ROLES:
        yield f".role {_quoted(role)} is none that the API knows: {', '.join(ROLES)}"
    elif not _has_content(message):
        yield f".content is missing{', and tool_calls as well' if role == 'assistant' else ''}"
    if message.get("weight") not in (None, 0, 1):
        yield ".weight must be 0 or 1"


def _has_content(message: Mapping[str, Any]) -> bool:
    """Whether there is content, which may be empty; null counts only as the result of a function."""
    if message["role"] == "function":
        return "content" in message
    instead = IN_PLACE_OF_CONTENT if message["role"] == "assistant" else ()
    return any(message.get(name) is not None for name in ("content", *instead))


def _inputs_of(line: Any) -> int:
    """Count the inputs of a request for embeddings: a text or a list of tokens is one, a list of them several."""
    if (
        not isinstance(line, Mapping)
        or line.get("url") != "/v1/embeddings"
        or not isinstance(line.get("body"), Mapping)
    ):
        return 0
    inputs = line["body"].get("input")
    is_one = not isinstance(inputs, list) or all(type(item) is int for item in inputs)
    return 1 if is_one else len(inputs)


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."
