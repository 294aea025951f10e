"""Head-room: how many tokens a pack may have by our count, learnt from requests that the API found too large."""

from __future__ import annotations

import re

from airflow_provider_openai_dest.exceptions import RecordError

TOO_MANY_TOKENS = "max_tokens_per_request"
"""The code of the refusal; what is too large in bytes, or for the tokens a minute, is told by the status."""

TOO_LARGE = frozenset({413, 429})

CAUTION = 0.98
STEP = 0.9
"""What is packed after a refusal: so much of what had fitted by the API's own numbers, or of what was refused."""

LEAST_TOKENS = 8192
"""One input of full length always goes."""

_REQUESTED = re.compile(r"[Rr]equested (\d{1,12})")
_ALLOWED = re.compile(r"(?:[Ll]imit|max) (\d{1,12})")


class HeadRoom:
    """The most that is packed in one request; read by the thread that renders, told by the one that sends.

    It is not raised again within a run: a pack that is somewhat small costs less than one that is sent twice.

    :param tokens: the endpoint's own limit.
    """

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def refused(self, tokens: int, error: RecordError) -> None:
        """Take a refusal of a request that had so many tokens by our count."""
        if is_about_size(error):
            self.tokens = min(self.tokens, max(LEAST_TOKENS, int(tokens * _share(error.message))))


def is_about_size(error: RecordError | None) -> bool:
    """Tell whether a refusal says that less of the same would pass."""
    return error is not None and (error.code == TOO_MANY_TOKENS or error.status in TOO_LARGE)


def _share(message: str) -> float:
    """Read both numbers, as in ``Requested 312000 tokens, max 300000 tokens per request``; a server may say nothing."""
    requested, allowed = _REQUESTED.search(message), _ALLOWED.search(message)
    if requested and allowed and 0 < int(allowed[1]) < int(requested[1]):
        return int(allowed[1]) / int(requested[1]) * CAUTION
    return STEP
