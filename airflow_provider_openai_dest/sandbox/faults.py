"""FaultRule: what goes wrong, for which requests and how often; :mod:`.damage` and :mod:`.wire` do it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from airflow_provider_openai_dest.exceptions import ConfigurationError, nearest


@dataclass(frozen=True, slots=True)
class FaultMode:
    """One kind of fault: whether the work is done (and would be billed) before it shows, and what the client sees."""

    works: bool
    summary: str


MODES: Mapping[str, FaultMode] = {
    "status": FaultMode(False, "status=N: refused in the API's form (code=, type=, message=, retry_after=)"),
    "reset": FaultMode(False, "the connection is reset before any work"),
    "redirect": FaultMode(False, "307 to the URL in to="),
    "html200": FaultMode(False, "200 with an HTML page, as a proxy's login page"),
    "slow": FaultMode(True, "slow=S: the right answer, S seconds later (also beside any other mode)"),
    "reset_after_work": FaultMode(True, "the work is done, then the connection is reset: the answer is lost"),
    "half_json": FaultMode(True, "the first half of the body, with a Content-Length that fits"),
    "truncated": FaultMode(True, "the first half of the body, with the whole body's Content-Length, then the end"),
    "nan": FaultMode(True, "a NaN among the numbers of the answer"),
    "wrong_count": FaultMode(True, "one item fewer in the list of the answer"),
    "wrong_index": FaultMode(True, "an index in the list of the answer that was never asked for"),
    "bad_utf8": FaultMode(True, "JSON with bytes that are not UTF-8"),
    "half_stream": FaultMode(True, "a stream of events that ends properly after the first half of them"),
    "stream_error": FaultMode(True, "an error event (code=, type=, message=) after the first half of a stream"),
    "drip": FaultMode(True, "one byte each interval= seconds (default 0.5)"),
    "bomb": FaultMode(True, "megabytes= (default 300) of JSON in a small gzip body"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One rule: what happens (``mode``), to which requests, how often.

    :param mode: a word of :data:`MODES`.
    :param status: the status of mode ``status``.
    :param code: the error's ``code``; its ``type`` follows from it unless given.
    :param type: the error's ``type``.
    :param message: the error's ``message``.
    :param retry_after: seconds told in ``retry-after`` and ``retry-after-ms``; 0 tells none.
    :param slow: seconds before the answer.
    :param interval: seconds between two bytes of ``drip``.
    :param to: URL of ``redirect``.
    :param megabytes: size of ``bomb``.
    :param path: only requests whose path (below ``/v1``, or whole) starts so; without it, all requests to the API.
    :param match: only requests whose body contains this text.
    :param after: let so many such requests pass first.
    :param times: fire so many times, then no more.
    :param rate: fire with this probability.
    """

    mode: str
    status: int | None = None
    code: str | None = None
    type: str | None = None
    message: str | None = None
    retry_after: float | None = None
    slow: float = 0.0
    interval: float = 0.5
    to: str | None = None
    megabytes: int = 300
    path: str | None = None
    match: str | None = None
    after: int = 0
    times: int | None = None
    rate: float = 1.0

    def __post_init__(self) -> None:
        if faults := list(_faults_of(self)):
            raise ConfigurationError(*faults)

    @classmethod
    def parse(cls, text: str) -> FaultRule:
        """Read ``status=503,rate=0.1`` or ``reset_after_work,path=/embeddings``; a comma can't stand in a value."""
        words = [word.strip() for word in text.split(",") if word.strip()]
        settings = dict(word.split("=", 1) for word in words if "=" in word)
        modes = [word for word in words if "=" not in word]
        modes += [name for name in ("status", "slow") if name in settings and not modes][:1]
        if len(modes) != 1:
            raise ConfigurationError(f"fault rule {text!r}: name one fault; {nearest('', MODES)}")
        return cls.from_json({"mode": modes[0], **settings})

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> FaultRule:
        """Read a rule from an object with the same words; numbers may be written as text."""
        if unknown := [name for name in settings if name not in _READERS]:
            words = (f"fault rules know no {name!r}: {nearest(name, {*_READERS, *MODES})}" for name in unknown)
            raise ConfigurationError(*words)
        try:
            return cls(**{name: _READERS[name](value) for name, value in settings.items()})
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"fault rule {dict(settings)!r}: {error}") from error

    def as_json(self) -> dict[str, Any]:
        """Give the rule as :meth:`from_json` reads it, without what is default."""
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    def applies_to(self, path: str, body: bytes) -> bool:
        """Tell whether path and body are those that the rule is for."""
        api_path = path.removeprefix("/v1") if path.startswith("/v1/") else None
        if self.path is None:
            is_for_path = api_path is not None
        else:
            is_for_path = any(place.startswith(self.path) for place in (path, api_path or ""))
        return is_for_path and (self.match is None or any(needle in body for needle in _spellings(self.match)))


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "mode": str, "status": int, "code": str, "type": str, "message": str, "to": str, "path": str, "match": str,
    "retry_after": float, "slow": float, "interval": float, "rate": float,
    "megabytes": int, "after": int, "times": int,
}  # fmt: skip


def _faults_of(rule: FaultRule) -> Iterable[str]:
    if rule.mode not in MODES:
        yield f"there is no fault {rule.mode!r}: {nearest(rule.mode, MODES)}"
    if rule.mode == "status" and not 200 <= (rule.status or 0) <= 599:
        yield f"status must be 200 to 599, not {rule.status}"
    if rule.mode == "redirect" and not rule.to:
        yield "redirect needs to=URL"
    if not 0 <= rule.rate <= 1:
        yield f"rate must be 0 to 1, not {rule.rate}"
    for name in ("slow", "interval", "after", "times", "megabytes", "retry_after"):
        if (getattr(rule, name) or 0) < 0:
            yield f"{name} must not be negative"


def _spellings(text: str) -> tuple[bytes, ...]:
    """Give the forms that a text may have in a body: plain, and as JSON with escapes."""
    return text.encode(), json.dumps(text)[1:-1].encode()
