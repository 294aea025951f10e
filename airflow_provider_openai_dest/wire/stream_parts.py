"""Stream parts: what the events of each kind of stream make together, in the form of the answer without a stream.

https://platform.openai.com/docs/api-reference/streaming
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Container, Mapping
from typing import Any, Protocol


class Parts(Protocol):
    """What the events of one kind of stream make together.

    ``is_whole`` says that the answer is complete; ``is_over`` that nothing can follow. ``ends_with_stream`` tells that
    no event says so: the proper end of the stream does.
    """

    is_whole: bool
    is_over: bool
    ends_with_stream: bool

    def add(self, name: str, data: Any) -> None:
        """Take the type and the data of the next event."""

    def end(self) -> None:
        """Take the ``[DONE]`` of the stream."""

    def answer(self) -> Any:
        """Give the answer: a JSON value, or the bytes of a file. Raises ValueError when the parts do not fit."""


class _Parts:
    """Parts of which an event says that they are whole; a ``[DONE]`` says it of none."""

    ends_with_stream = False

    def __init__(self) -> None:
        self.is_whole = self.is_over = False

    def end(self) -> None:
        """Nothing follows."""
        self.is_over = True


class ResponseParts(_Parts):
    """``/responses``: the last event has the whole response, also one that failed or is incomplete."""

    def __init__(self) -> None:
        super().__init__()
        self._response: Any = None

    def add(self, name: str, data: Any) -> None:
        """Keep the last one, leave the rest out."""
        if name in ("response.completed", "response.failed", "response.incomplete", "response.cancelled"):
            self._response = data.get("response")
            self.is_whole = self.is_over = True

    def answer(self) -> Any:
        """Give the response."""
        return self._response


class CompletionParts(_Parts):
    """``/chat/completions``: deltas, merged into one message for each choice; the usage is that of the last chunk."""

    def __init__(self) -> None:
        super().__init__()
        self._whole: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, name: str, data: Any) -> None:  # noqa: ARG002 - chunks have no names
        """Merge a chunk."""
        known = {field: value for field, value in data.items() if field not in _OF_A_CHUNK and value is not None}
        self._whole = {**known, **self._whole, **{field: known[field] for field in ("usage",) if field in known}}
        for choice in data.get("choices") or ():
            _merge(self._choices.setdefault(choice["index"], {}), choice, grown=("text",))

    def end(self) -> None:
        """Be whole: nothing else says it."""
        self.is_whole = self.is_over = True

    def answer(self) -> dict[str, Any]:
        """Give the completion."""
        choices = [_choice(_written(choice)) for _, choice in sorted(self._choices.items())]
        kind = str(self._whole.get("object")).removesuffix(".chunk")
        return {**self._whole, "object": kind, "choices": choices}


_OF_A_CHUNK = ("choices", "obfuscation")


class ImageParts(_Parts):
    """``/images``: each finished picture; the partial ones are drafts and left out.

    No event says how many there are to be, so that a stream that breaks after one may lack others.
    """

    ends_with_stream = True

    def __init__(self) -> None:
        super().__init__()
        self._finished: list[dict[str, Any]] = []

    def add(self, name: str, data: Any) -> None:
        """Keep a finished one."""
        if name.endswith(".completed"):
            self._finished.append(data)

    def end(self) -> None:
        """Be whole with the pictures that came, if any."""
        self.is_over = True
        self.is_whole = bool(self._finished)

    def answer(self) -> dict[str, Any]:
        """Give what the operation answers without a stream."""
        last = self._finished[-1]
        shared = {name: value for name, value in last.items() if name not in ("type", "b64_json", "created_at")}
        data = [{"b64_json": picture.get("b64_json")} for picture in self._finished]
        return {"created": last.get("created_at"), "data": data, **shared}


class SpeechParts(_Parts):
    """``/audio/speech``: the bytes of the file; its usage is no part of them."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def add(self, name: str, data: Any) -> None:
        """Take a piece of the sound."""
        if name == "speech.audio.delta":
            self._pieces.append(b64decode(data["audio"], validate=True))
        elif name == "speech.audio.done":
            self.is_whole = self.is_over = True

    def answer(self) -> bytes:
        """Give the file."""
        return b"".join(self._pieces)


class TranscriptParts(_Parts):
    """``/audio/transcriptions``: the last event has the text; segments by speaker come before it."""

    def __init__(self) -> None:
        super().__init__()
        self._segments: list[dict[str, Any]] = []
        self._text: dict[str, Any] = {}

    def add(self, name: str, data: Any) -> None:
        """Keep segments and text, leave the pieces of the text out."""
        fields = {field: value for field, value in data.items() if field != "type"}
        if name == "transcript.text.segment":
            self._segments.append(fields)
        elif name == "transcript.text.done":
            self._text = fields
            self.is_whole = self.is_over = True

    def answer(self) -> dict[str, Any]:
        """Give the transcript."""
        return {**self._text, "segments": self._segments} if self._segments else self._text


class OtherParts(_Parts):
    """Any other stream: the list of its events."""

    ends_with_stream = True

    def __init__(self) -> None:
        super().__init__()
        self._events: list[Any] = []

    def add(self, name: str, data: Any) -> None:
        """Keep the event."""
        self._events.append({"event": name, "data": data})

    def end(self) -> None:
        """Be whole: nothing else says it."""
        self.is_whole = self.is_over = True

    def answer(self) -> list[Any]:
        """Give the events."""
        return self._events


_BY_TYPE: Mapping[str, Callable[[], Parts]] = {
    "response.": ResponseParts,
    "image_generation.": ImageParts,
    "image_edit.": ImageParts,
    "speech.audio.": SpeechParts,
    "transcript.text.": TranscriptParts,
}
_BY_OBJECT: Mapping[Any, Callable[[], Parts]] = {
    "chat.completion.chunk": CompletionParts,
    "text_completion": CompletionParts,
}


def parts_of(name: str, data: Any) -> Parts:
    """Give what collects a stream that begins with this event."""
    if not isinstance(data, Mapping):
        return OtherParts()
    kind = data.get("object")
    if isinstance(kind, str) and kind in _BY_OBJECT:
        return _BY_OBJECT[kind]()
    return next((parts for start, parts in _BY_TYPE.items() if name.startswith(start)), OtherParts)()


# -- merging -----------------------------------------------------------------------------------------


class _AllBut(frozenset[str]):
    """All names but these."""

    def __contains__(self, name: object) -> bool:
        return not super().__contains__(name)


_PIECES = _AllBut(("finish_reason", "id", "index", "object", "role", "type"))
"""The texts of a delta that grow."""


class _Text(list[str]):
    """A text that grows: its pieces, joined at the end."""


def _merge(whole: dict[str, Any], part: Mapping[str, Any], grown: Container[str] = ()) -> None:
    """Add a part: objects are merged, list items with an ``index`` as well, others are appended.

    Texts take the place of earlier ones, as those of a content filter do; but for the ``grown`` ones, and all within a
    ``delta``, which are pieces.
    """
    for name, value in part.items():
        grown_within = _PIECES if name == "delta" or grown is _PIECES else ()
        if value is None:
            whole.setdefault(name, None)
        elif isinstance(value, str) and name in grown:
            whole[name] = whole.get(name) or _Text()
            whole[name].append(value)
        elif isinstance(value, Mapping):
            whole[name] = whole.get(name) or {}
            _merge(whole[name], value, grown_within)
        elif isinstance(value, list):
            whole[name] = whole.get(name) or []
            _merge_items(whole[name], value, grown_within)
        else:
            whole[name] = value


def _merge_items(whole: list[Any], items: list[Any], grown: Container[str]) -> None:
    for item in items:
        index = item.get("index") if isinstance(item, Mapping) else None
        if index is None:
            whole.append(item)
            continue
        known = next((known for known in whole if known.get("index") == index), None)
        if known is None:
            whole.append(known := {})
        _merge(known, item, grown)


def _written(value: Any) -> Any:
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _written(item) for name, item in value.items()}
    return [_written(item) for item in value] if isinstance(value, list) else value


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    """Give a choice as it stands in an answer without a stream."""
    if "delta" not in choice:
        return choice
    message = {"role": "assistant", "content": None, **choice.pop("delta")}
    for call in message.get("tool_calls") or ():
        call.pop("index", None)
    return {"index": choice.pop("index"), "message": message, **choice}
