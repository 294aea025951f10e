"""Page reader: fetches the pages of a list, with the retries that records have."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec

from airflow_provider_openai_dest.connection.client import new_client
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.connection.token import TokenSource
from airflow_provider_openai_dest.delivery.attempts import (
    Attempt,
    Conclusion,
    Ending,
    NoReply,
    Random,
    RetryPolicy,
    attempts,
)
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.exceptions import (
    AbortError,
    ConfigurationError,
    LongWaitError,
    RecordError,
    TransientError,
)
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.rendering.target import Target
from airflow_provider_openai_dest.sources.pages import FetchPage
from airflow_provider_openai_dest.wire.wire import Secrets, WireReply, reason_of

MAX_PAGE_BYTES = 64 * 1024 * 1024
"""Upper bound of one page: 10,000 files, the most that any list gives at once, have 4 MB."""


LOOK_SECONDS = 0.2
"""How often a wait looks whether it is still wanted."""


def sleep_unless(
    is_stopped: Callable[[], bool], sleep: Callable[[float], None] = time.sleep
) -> Callable[[float], None]:
    """Give a sleep that a stop ends with a TransientError."""

    def sleep_on(seconds: float) -> None:
        while seconds > 0:
            if is_stopped():
                raise TransientError("stopped while a list had to wait")
            sleep(min(seconds, LOOK_SECONDS))
            seconds -= LOOK_SECONDS

    return sleep_on


class PageReader:
    """Fetches pages one after the other; whoever calls waits.

    Raises AbortError when key or quota is refused, ConfigurationError when the list itself is, LongWaitError when the
    server asks for more than ``max_wait`` seconds, and TransientError when it fails again and again.

    :param settings: the connection; its key goes to its origin only.
    :param path: path of the list; ``{field}`` in it is taken out of the query.
    :param query: parameters of every page.
    :param tokens: gives the token where the connection's expires.
    :param max_wait: longest wait in seconds; None waits as long as it takes.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        path: str,
        query: Mapping[str, Any],
        *,
        policy: RetryPolicy,
        random: Random,
        tokens: TokenSource | None = None,
        sleep: Callable[[float], None] = time.sleep,
        max_wait: float | None = None,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._secrets = Secrets(settings.secrets)
        if tokens is not None:
            tokens.tell(self._secrets.add)
        self._path = path
        self._target = Target(settings.base_url, path)
        self._query = dict(query)
        self._policy = policy
        self._random = random
        self._sleep = sleep
        self._max_wait = max_wait

    @contextmanager
    def pages(self) -> Iterator[FetchPage]:
        """Give what fetches the page at a place, while the ``with`` lasts."""
        with new_client(self._settings, tokens=self._tokens) as client:
            yield lambda place: self._page(client, place)

    def _page(self, client: httpx.Client, place: Mapping[str, str]) -> Any:
        try:
            url = self._target.fill(None, {**self._query, **place}, body_is_query=True)
        except RecordError as error:
            raise ConfigurationError(f"the list {self._path} can't be asked for: {error.message}") from None
        return self._read(self._conclusion(client, RenderedRequest(records=(), method="GET", url=url)))

    def _conclusion(self, client: httpx.Client, request: RenderedRequest) -> Conclusion:
        """Do what the policy says until it is content."""
        trying = attempts(self._policy, request, self._random)
        attempt = next(trying)
        while True:
            self._wait(attempt)
            try:
                attempt = trying.send(self._ending(client, request.url))
            except StopIteration as end:
                conclusion: Conclusion = end.value
                return conclusion

    def _wait(self, attempt: Attempt) -> None:
        if self._max_wait is not None and attempt.after > self._max_wait:
            raise LongWaitError(f"the list {self._path} must wait: {attempt.error}", seconds=attempt.after)
        if attempt.after:
            self._sleep(attempt.after)

    def _ending(self, client: httpx.Client, url: str) -> Ending:
        try:
            return self._get(client, url)
        except httpx.HTTPError as error:  # asking for a list again is never billed
            return NoReply(self._secrets.cut_from_text(reason_of(error)), left=False)

    def _get(self, client: httpx.Client, url: str) -> Ending:
        body, ends = bytearray(), time.monotonic() + self._settings.timeout
        with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_PAGE_BYTES:
                    return NoReply(f"the page has more than {MAX_PAGE_BYTES:,} bytes", left=False, is_final=True)
                if time.monotonic() > ends:
                    return NoReply(f"no whole page within {self._settings.timeout:g} s", left=False)
        content = self._secrets.cut_from_content(bytes(body))
        return WireReply(response.status_code, response.headers, content, response.reason_phrase)

    def _read(self, conclusion: Conclusion) -> Any:
        said = f"the list {self._path} can't be read: {conclusion.error}"
        if conclusion.verdict is Verdict.ABORT:
            raise AbortError(said)
        if conclusion.exhausted:
            raise TransientError(said)
        if conclusion.verdict is not Verdict.DELIVERED or conclusion.response is None:
            raise ConfigurationError(said)
        try:
            return msgspec.json.decode(conclusion.response.content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigurationError(f"the list {self._path} can't be read: it is not JSON: {error}") from None
