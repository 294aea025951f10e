"""Token ratio: how many tokens a server counts for each that was estimated."""

from __future__ import annotations

LOWEST, HIGHEST = 0.02, 50.0
"""How far from the estimate a server's count is believed: some count characters, or what they answer, too."""

CAUTION = 1.02
"""How much more than expected is reserved, until the answer tells."""

FADING = 0.98
"""How much of its weight an answer keeps with each further one."""


class TokenRatio:
    """Used tokens by estimated ones, learnt from the answers so far."""

    def __init__(self) -> None:
        self._estimated = self._used = 0.0
        self._factor = 1.0

    def learn(self, estimated: int, used: int) -> float:
        """Take what an answer says, and give as much of it as can be true; older ones count less and less."""
        believed = _believable(estimated, used)
        if estimated > 0 < used:
            self._estimated = self._estimated * FADING + estimated
            self._used = self._used * FADING + believed
            self._factor = self._used / self._estimated * CAUTION
        return believed

    def expected(self, estimated: int) -> float:
        """Give what to reserve."""
        return estimated * self._factor


def _believable(estimated: int, used: int) -> float:
    """Give what was used as far as it can be true: the number comes from a server."""
    return min(max(used, LOWEST * estimated), HIGHEST * max(1, estimated)) if used > 0 else 0.0
