"""Budget: whether one more request may be paid for. No clock, no network, no log.

Before a request leaves, what it may use is reserved; when its answer is there, what it did use takes that place. So
what is spent passes a limit by no more than the requests on the wire use beyond what was reserved for them: nothing,
where the body bounds the answer (``max_output_tokens``) or there is none that is billed (embeddings).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_provider_openai_dest.delivery.budget_limits import BudgetLimits
from airflow_provider_openai_dest.prices import (
    PriceList,
    TokenCounts,
    price_list,
    read_counts,
    require_prices,
    worded_dollars,
)
from airflow_provider_openai_dest.rendering.request import RenderedRequest


class Amount(NamedTuple):
    """Tokens and dollars."""

    tokens: float = 0.0
    cost: float = 0.0

    def plus(self, tokens: float, cost: float) -> Amount:
        """Give the sum."""
        return Amount(self.tokens + tokens, self.cost + cost)


NOTHING = Amount()


class Budget:
    """What was spent and what is reserved. Used by the event loop.

    ``reached`` says why nothing more may be sent, for a person; empty until then. ``untold`` is that part of what this
    try has spent which no outcome's usage tells: of lost answers, and of those that do not say what they used.

    :param limits: at least one of them is set.
    :param prices: needed by ``max_cost`` only.
    """

    def __init__(self, limits: BudgetLimits, prices: PriceList | None = None) -> None:
        self._limits = limits
        self._prices = prices
        self._reserved: dict[int, Amount] = {}
        self._held = Amount()
        self._answers = 0
        self._of_answers = Amount()
        self.spent = Amount()
        self.untold = Amount()
        self.requests = 0
        self.reached = ""

    def spent_before(self, usage: Mapping[str, Any], cost: float) -> None:
        """Count what earlier tries of the delivery used."""
        self.spent = self.spent.plus(used_in_all(usage), cost)

    def spent_untold(self, amount: Amount) -> None:
        """Count what earlier tries of the delivery spent that no outcome tells."""
        self.spent = self.spent.plus(*amount)

    def may_send(self, request: RenderedRequest) -> bool:
        """Tell whether the budget has room for one more request; it must be taken then.

        When it has none while others are on the wire, these may give some of theirs back: ask again then. When it has
        none and nothing is on the wire, ``reached`` is set.
        """
        reason = self._refusal(request)
        if reason and not self._reserved:
            self.reached = reason
        return not reason

    def take(self, request: RenderedRequest) -> None:
        """Reserve what a request may use that is sent now."""
        self.requests += 1
        self._reserved[id(request)] = amount = self._expected(request)
        self._hold(amount.tokens, amount.cost)

    def answered(
        self, request: RenderedRequest, usage: Mapping[str, Any] | None, cost: float | None, before: Amount = NOTHING
    ) -> None:
        """Count what a request used in the place of what was reserved.

        An answer that does not say what it used has used all that was reserved.

        :param before: what of it was counted before, where several requests make one record's answer.
        """
        reserved = self._give_back(request)
        used = used_in_all(usage) if usage else 0.0
        is_told = bool(usage) and (used > before.tokens or not before.tokens)
        tokens = used - before.tokens if is_told else reserved.tokens
        dollars = max(0.0, cost - before.cost) if is_told and cost is not None else reserved.cost
        self._answers += 1
        self._of_answers = self._of_answers.plus(tokens, dollars)
        self.spent = self.spent.plus(tokens, dollars)
        self.untold = self.untold.plus(0.0 if is_told else tokens, 0.0 if is_told and cost is not None else dollars)

    def lost(self, request: RenderedRequest) -> None:
        """Count a request whose answer was lost as billed: nobody can know."""
        reserved = self._give_back(request)
        self.spent = self.spent.plus(*reserved)
        self.untold = self.untold.plus(*reserved)

    def unsent(self, request: RenderedRequest) -> None:
        """Count a request that did not leave as none."""
        self.requests -= 1
        self._give_back(request)

    def release(self, request: RenderedRequest) -> None:
        """Give back what was reserved for a request that was refused, or has ended otherwise."""
        self._give_back(request)

    def _refusal(self, request: RenderedRequest) -> str:
        limits, (tokens, cost) = self._limits, self._expected(request)
        if limits.max_requests is not None and self.requests >= limits.max_requests:
            return f"max_requests={limits.max_requests:,} is reached"
        left = (limits.max_tokens_total or 0) - self.spent.tokens
        if limits.max_tokens_total is not None and tokens > left - self._held.tokens:
            return (
                f"max_tokens_total={limits.max_tokens_total:,} is reached: {self.spent.tokens:,.0f} tokens are spent, "
                f"{max(0, left):,.0f} are left, and the next request may use {tokens:,.0f}"
            )
        if limits.max_cost is None:
            return ""
        if self._prices is None or self._prices.of(request.model) is None:
            return f"max_cost is set, and the price of the model {request.model!r} is not known"
        left = limits.max_cost - self.spent.cost
        if cost > left - self._held.cost:
            return (
                f"max_cost={limits.max_cost:g} is reached: {worded_dollars(self.spent.cost)} are spent, "
                f"{worded_dollars(max(0.0, left))} are left, and the next request may cost {worded_dollars(cost)}"
            )
        return ""

    def _expected(self, request: RenderedRequest) -> Amount:
        """Give the most that a request uses; where nobody bounds its answer, at least what the others used each."""
        made = request.output_tokens or 0
        tokens, cost = float(request.tokens + made), 0.0
        price = self._prices.of(request.model) if self._prices and self._limits.max_cost is not None else None
        if price is not None:
            cost = price.cost(TokenCounts(input=request.tokens, output=made))
        if request.output_tokens is None and self._answers:
            tokens = max(tokens, self._of_answers.tokens / self._answers)
            cost = max(cost, self._of_answers.cost / self._answers)
        return Amount(tokens, cost)

    def _give_back(self, request: RenderedRequest) -> Amount:
        amount = self._reserved.pop(id(request), Amount())
        self._hold(-amount.tokens, -amount.cost)
        return amount

    def _hold(self, tokens: float, cost: float) -> None:
        self._held = Amount(self._held.tokens + tokens, self._held.cost + cost) if self._reserved else Amount()


def new_budget(limits: BudgetLimits, *, base_url: str, model: str | None) -> tuple[PriceList | None, Budget | None]:
    """Give the prices at an address, and the budget; raises ConfigurationError for a limit in dollars without prices.

    :param model: None where it is not the same for all requests.
    """
    prices = price_list(base_url)
    if limits.max_cost is not None:
        prices = require_prices(prices, model)
    if prices and model:
        prices.of(model)  # read here, before anything waits for it
    return prices, Budget(limits, prices) if limits else None


def used_in_all(usage: Mapping[str, Any]) -> float:
    """Give the tokens that a usage object of the API says, sent and received."""
    total = usage.get("total_tokens")
    if type(total) is int and total >= 0:
        return total
    return float(sum(read_counts(usage)))
