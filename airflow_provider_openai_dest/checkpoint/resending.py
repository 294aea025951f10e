"""Resending: what a try that died may have sent goes first, and is durable before anything else goes.

So no record is sent a third time, unless tries die one after the other before they have come through this.
"""

from __future__ import annotations

from airflow_provider_openai_dest.checkpoint.claims import Claimed
from airflow_provider_openai_dest.rendering.request import RenderedRequest

MOST_SECONDS = 60.0
"""New records wait no longer than this: an answer may take minutes."""


class Resending:
    """Looks at the requests in the order in which they are sent.

    Records go in the order of the source, and of a try that died no more than ``most`` requests were without a durable
    outcome. So the first so many that were claimed and are not settled have all of these among them, and what was
    claimed and never sent comes after them.

    :param claimed: what earlier tries may have sent.
    :param most: requests that may have been executed without a durable outcome.
    """

    def __init__(self, claimed: Claimed, most: int) -> None:
        self._claimed = claimed
        self._most = most
        self._is_over = False
        self.requests = 0

    def must_wait(self, request: RenderedRequest) -> bool:
        """Look at a request before it is sent; True, once, for that which waits until all before it are durable."""
        if self._is_over:
            return False
        if self.requests < self._most and self._may_be_sent(request):
            self.requests += 1
            return False
        self._is_over = True
        return self.requests > 0

    def _may_be_sent(self, request: RenderedRequest) -> bool:
        return self._claimed.is_shifted or request.records[0].position < self._claimed.to
