"""TokenSource: the token in force, renewed in time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from airflow_provider_openai_dest.connection.token import RETRY_SECONDS, UNKNOWN_LIFETIME, Token, TokenSource
from airflow_provider_openai_dest.exceptions import TransientError


class Issuer:
    """Gives token after token, or raises what it is told to."""

    def __init__(self, expires_in: float = 3600.0) -> None:
        self.expires_in = expires_in
        self.fault: Exception | None = None
        self.given = 0
        self.now = 0.0

    def __call__(self) -> Token:
        """Give the next one."""
        if self.fault:
            raise self.fault
        self.given += 1
        return Token(value=f"token-{self.given}", expires_in=self.expires_in)

    def source(self, margin: float = 1200.0, on_token: Callable[[str], None] = lambda _: None) -> TokenSource:
        """Give a source of these tokens, by this clock."""
        return TokenSource(self, margin=margin, on_token=on_token, clock=lambda: self.now)


def test_nothing_is_fetched_before_it_is_asked_for() -> None:
    """Making a source costs nothing, and asking for what is in force does not either."""
    issuer = Issuer()
    assert issuer.source().current() is None
    assert issuer.given == 0


@pytest.mark.parametrize(
    ("expires_in", "margin", "good_for"),
    [(3600.0, 1200.0, 2400.0), (600.0, 1200.0, 300.0), (3600.0, 60.0, 3540.0), (UNKNOWN_LIFETIME, 1200.0, 150.0)],
)
def test_a_token_is_renewed_before_it_expires(expires_in: float, margin: float, good_for: float) -> None:
    """The margin is at most half of its life, as in OpenAI's own client."""
    issuer = Issuer(expires_in)
    source = issuer.source(margin)
    assert "token-1" == source.renewed()
    issuer.now = good_for - 1
    assert "token-1" == source.current() == source.renewed()
    issuer.now = good_for
    assert source.current() is None
    assert "token-2" == source.renewed()


def test_a_refused_token_is_replaced_once() -> None:
    """Whoever comes later with the same refused token gets the new one, and no third is fetched."""
    issuer = Issuer()
    source = issuer.source()
    first = source.renewed()
    assert ["token-2", "token-2"] == [source.renewed(first), source.renewed(first)]
    assert issuer.given == 2


def test_a_token_that_is_still_good_outlives_a_failed_renewal() -> None:
    """Ahead of time a failure costs nothing, and the next renewal is tried after a pause."""
    issuer = Issuer()
    source = issuer.source()
    source.renewed()
    issuer.now, issuer.fault = 2400.0, TransientError("down")
    assert "token-1" == source.renewed()
    assert "token-1" == source.current()
    issuer.now += RETRY_SECONDS
    assert source.current() is None


@pytest.mark.parametrize(("now", "refused"), [(3600.0, None), (0.0, "token-1")], ids=["expired", "refused"])
def test_a_failed_renewal_is_told_where_no_token_is_left(now: float, refused: str | None) -> None:
    """An expired or refused token is never given in place of the new one."""
    issuer = Issuer()
    source = issuer.source()
    source.renewed()
    issuer.now, issuer.fault = now, TransientError("down")
    with pytest.raises(TransientError, match="down"):
        source.renewed(refused)


def test_every_token_is_told_before_it_is_used() -> None:
    """Whoever hides tokens knows each of them, also one that was there before he came."""
    early: list[str] = []
    late: list[str] = []
    issuer = Issuer()
    source = issuer.source(on_token=early.append)
    first = source.renewed()
    source.tell(late.append)
    source.renewed(first)
    assert ["token-1", "token-2"] == early == late


def test_threads_share_one_renewal() -> None:
    """Of many threads that want a token at once, one fetches it."""
    issuer = Issuer()
    source = issuer.source()
    threads = [threading.Thread(target=source.renewed) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert issuer.given == 1


def test_a_token_is_not_shown() -> None:
    """The text form of a token does not have it."""
    assert "token-1" not in repr(Issuer()())
