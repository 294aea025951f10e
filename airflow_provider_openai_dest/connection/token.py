"""Token: a credential that expires, and what holds the one in force. Threads may share it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_openai_dest.exceptions import TransientError

UNKNOWN_LIFETIME = 300.0
"""Seconds that a token counts as good of which nobody said how long it is; what gives it is asked again then."""

RETRY_SECONDS = 10.0
"""Pause after a renewal ahead of time that failed, while the token in force is still good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it was given, and for how many seconds it is good from then on."""

    value: str = field(repr=False)
    expires_in: float = UNKNOWN_LIFETIME


FetchToken = Callable[[], Token]
"""Gets a token, and may block for up to ten seconds.

Raises ``ConfigurationError`` when it is refused and stays so, ``TransientError`` when it may be had later.
"""


class TokenSource:
    """The token in force; fetched when it is first asked for, and again before it expires.

    It is renewed when ``expires_in - min(margin, expires_in / 2)`` seconds have passed, as OpenAI's own client does.

    :param fetch: gets a new one.
    :param margin: seconds before its end.
    :param on_token: told of each new token before anybody uses it, so that it can be kept out of logs and answers.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        fetch: FetchToken,
        *,
        margin: float = 1200.0,
        on_token: Callable[[str], None] = lambda _token: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._margin = margin
        self._listeners = [on_token]
        self._clock = clock
        self._lock = threading.Lock()
        self._value: str | None = None
        self._ends = self._renew_at = 0.0

    def tell(self, listener: Callable[[str], None]) -> None:
        """Tell somebody else of each new token, too."""
        self._listeners.append(listener)
        if self._value is not None:
            listener(self._value)

    def current(self) -> str | None:
        """Give the token in force without asking anybody; None when it is time for a new one."""
        return self._value if self._clock() < self._renew_at else None

    def renewed(self, refused: str | None = None) -> str:
        """Give the token in force, a new one where it is time, or where the one in force is that which was refused.

        It blocks, and of several threads one fetches.

        :param refused: a token that the server did not take.
        """
        with self._lock:
            now = self._clock()
            if self._value is not None and self._value != refused and now < self._renew_at:
                return self._value
            try:
                token = self._fetch()
            except TransientError:
                if self._value is None or self._value == refused or now >= self._ends:
                    raise
                self._renew_at = min(self._ends, now + RETRY_SECONDS)
                return self._value
            for listener in self._listeners:
                listener(token.value)
            self._hold(token, now)
            return token.value

    def _hold(self, token: Token, now: float) -> None:
        self._ends = now + token.expires_in
        self._renew_at = self._ends - min(self._margin, token.expires_in / 2)
        self._value = token.value
