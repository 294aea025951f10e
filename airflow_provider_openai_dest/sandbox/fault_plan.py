"""FaultPlan: the fault rules in force, and which request meets which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox.faults import FaultRule


class FaultPlan:
    """The rules in force, with their counts. The first rule that fires for a request wins.

    Chance is seeded: the same rules, seed and order of requests give the same faults.
    """

    def __init__(self, rules: Sequence[FaultRule | str | Mapping[str, Any]], seed: int) -> None:
        self.seed = seed
        self.rules = [_rule(rule) for rule in rules]
        self._passed = [0] * len(self.rules)
        self._fired = [0] * len(self.rules)
        self._chances = [Random(f"{seed}:{number}") for number in range(len(self.rules))]  # noqa: S311 - not a secret

    def pick(self, path: str, body: bytes) -> FaultRule | None:
        """Give the fault that this request meets, and count it."""
        for number, rule in enumerate(self.rules):
            if rule.applies_to(path, body) and self._fires(number, rule):
                self._fired[number] += 1
                return rule
        return None

    def as_json(self) -> dict[str, Any]:
        """Give the seed and the rules with how often each has fired."""
        rules = [{"rule": rule.as_json(), "fired": fired} for rule, fired in zip(self.rules, self._fired, strict=True)]
        return {"seed": self.seed, "faults": rules}

    def _fires(self, number: int, rule: FaultRule) -> bool:
        if self._passed[number] < rule.after:
            self._passed[number] += 1
            return False
        is_spent = rule.times is not None and self._fired[number] >= rule.times
        return not is_spent and self._chances[number].random() < rule.rate


def _rule(rule: FaultRule | str | Mapping[str, Any]) -> FaultRule:
    if isinstance(rule, FaultRule):
        return rule
    if isinstance(rule, str):
        return FaultRule.parse(rule)
    if isinstance(rule, Mapping):
        return FaultRule.from_json(rule)
    raise ConfigurationError(f"a fault rule is a text or an object, not {rule!r}")
