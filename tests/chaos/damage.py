"""Damage: the stub's answers, right ones and those that a broken or hostile server gives. All of it is seeded."""

from __future__ import annotations

import gzip
import json
import math
import struct
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

BOMB_BYTES = 300_000_000
MODEL = "text-embedding-3-small"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer; ``length`` is what it claims to have, when that is not true."""

    content: bytes
    status: int = 200
    content_type: str = "application/json"
    encoding: str = ""
    word: str = "ok"
    length: int | None = None
    drips: bool = False

    @property
    def is_cut(self) -> bool:
        """Whether less comes than is announced."""
        return self.length is not None

    def head(self) -> bytes:
        """Give the bytes before the content."""
        length = len(self.content) if self.length is None else self.length
        encoding = f"content-encoding: {self.encoding}\r\n" if self.encoding else ""
        lines = f"content-type: {self.content_type}\r\n{encoding}content-length: {length}\r\nx-request-id: req_1\r\n"
        return f"HTTP/1.1 {self.status} Status\r\n{lines}\r\n".encode()

    def whole(self) -> bytes:
        """Give all bytes."""
        return self.head() + self.content


def chance(seed: int, word: str, number: int | str, time: int) -> float:
    """Give a number from 0 to 1, the same for the same arguments, in whatever order they are asked."""
    return Random(f"{seed}:{word}:{number}:{time}").random()


def vector(number: float) -> str:
    """Give the vector of a record: nobody else's, so that an answer in the wrong place is seen."""
    return b64encode(struct.pack("<2f", number, 1.0)).decode()


def good_answer(numbers: Sequence[int]) -> Answer:
    """Answer as the API does."""
    items = ",".join(
        f'{{"object":"embedding","index":{place},"embedding":"{vector(number)}"}}'
        for place, number in enumerate(numbers)
    )
    usage = f'"usage":{{"prompt_tokens":{len(numbers)},"total_tokens":{len(numbers)}}}'
    return Answer(content=f'{{"object":"list","data":[{items}],"model":"{MODEL}",{usage}}}'.encode())


def refusal(word: str) -> Answer:
    """Give a refusal in the API's form."""
    status, code, kind = REFUSALS[word]
    error = {"message": f"The stub refuses: {word}.", "type": kind, "param": None, "code": code}
    return Answer(content=json.dumps({"error": error}).encode(), status=status, word=word)


REFUSALS: dict[str, tuple[int, str | None, str]] = {
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "key": (401, "invalid_api_key", "invalid_request_error"),
    "bad": (400, None, "invalid_request_error"),
    "503": (503, "server_is_overloaded", "service_unavailable_error"),
}


def _changed(change: Callable[[list[dict[str, Any]]], Any]) -> Callable[[Answer, Sequence[int]], Answer]:
    """Give a damage that changes the list of items."""

    def damage(answer: Answer, _numbers: Sequence[int]) -> Answer:
        body = json.loads(answer.content)
        change(body["data"])
        return replace(answer, content=json.dumps(body).encode())

    return damage


def _nan(items: list[dict[str, Any]]) -> None:
    items[-1]["embedding"] = vector(math.nan)


def _nan_number(items: list[dict[str, Any]]) -> None:
    items[-1]["embedding"] = [math.nan, 1.0]


def _one_too_few(items: list[dict[str, Any]]) -> None:
    del items[-1]


def _wrong_index(items: list[dict[str, Any]]) -> None:
    items[-1]["index"] = len(items)


def _same_index(items: list[dict[str, Any]]) -> None:
    items[-1]["index"] = 0 if len(items) > 1 else -1


@cache
def _bomb() -> bytes:
    return gzip.compress(b'{"data":"' + b" " * BOMB_BYTES + b'"}', compresslevel=1)


DAMAGES: dict[str, Callable[[Answer, Sequence[int]], Answer]] = {
    "half": lambda answer, _: replace(answer, content=answer.content[: len(answer.content) // 2]),
    "truncated": lambda answer, _: replace(
        answer, content=answer.content[: len(answer.content) // 2], length=len(answer.content)
    ),
    "html": lambda answer, _: replace(answer, content=b"<html>Please sign in</html>", content_type="text/html"),
    "bad utf-8": lambda answer, _: replace(answer, content=b'{"note":"\xff\xfe",' + answer.content[1:]),
    "nan": _changed(_nan),
    "nan number": _changed(_nan_number),
    "wrong count": _changed(_one_too_few),
    "wrong index": _changed(_wrong_index),
    "same index": _changed(_same_index),
    "bomb": lambda answer, _: replace(answer, content=_bomb(), encoding="gzip"),
    "drip": lambda answer, _: replace(answer, drips=True),
    "503": lambda _answer, _: refusal("503"),
}
"""What may happen to a good answer."""

NO_WORK = {"503", "html"}
"""Those that come in the place of the work: nothing is executed."""
