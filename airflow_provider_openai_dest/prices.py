"""Prices: what the tokens of one request cost in US dollars, from the price list that the ``cost`` extra brings.

The list is that of the package genai-prices as it was installed; nothing is asked of a network. It is read once for
each model and turned into a few rates, since asking it takes up to 0.1 ms, for every answer.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from operator import mul
from typing import Any, NamedTuple

from airflow_provider_openai_dest.exceptions import ConfigurationError

OPENAI = "openai"
"""Whose prices hold where the address is nobody's that the list knows, such as that of a gateway."""

DECIMALS = 10
"""A token of the cheapest model costs 2e-8 dollars."""

LARGEST = 2**53
"""A count above is not believed: it comes from a server."""

_PROBE = 1_000_000
_TOKEN_UNIT = "_mtok"  # noqa: S105 - how the names of prices for tokens end in the list


class TokenCounts(NamedTuple):
    """The tokens of one request by what they cost; no token is counted twice."""

    input: float = 0
    cached: float = 0
    cache_write: float = 0
    audio_input: float = 0
    image_input: float = 0
    output: float = 0
    audio_output: float = 0
    image_output: float = 0

    @property
    def all_input(self) -> float:
        """Give what decides on the tier of a request: prices rise for all of its tokens when it is long."""
        return self.input + self.cached + self.cache_write + self.audio_input + self.image_input


_OF_LIST = (
    ("input_tokens",),
    ("input_tokens", "cache_read_tokens"),
    ("input_tokens", "cache_write_tokens"),
    ("input_tokens", "input_audio_tokens"),
    ("input_tokens", "input_image_tokens"),
    ("output_tokens",),
    ("output_tokens", "output_audio_tokens"),
    ("output_tokens", "output_image_tokens"),
)
"""What the list calls the kinds of :class:`TokenCounts`, in their order: each name is a part of the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """The rates of one model: dollars a token, for each tier.

    :param tiers: input tokens above which the next row of ``rates`` holds, for the whole request.
    :param rates: in the order of :class:`TokenCounts`.
    """

    tiers: tuple[int, ...]
    rates: tuple[tuple[float, ...], ...]

    @property
    def is_input_alone(self) -> bool:
        """Whether nothing is paid for the answer, as for embeddings."""
        return not any(rates[TokenCounts._fields.index("output")] for rates in self.rates)

    def cost(self, counts: TokenCounts) -> float:
        """Give the dollars that one request costs."""
        rates = self.rates[bisect_left(self.tiers, counts.all_input)]
        return round(math.fsum(map(mul, rates, counts)), DECIMALS)


def read_counts(usage: Mapping[str, Any]) -> TokenCounts:
    """Read a ``usage`` object of the API, in the spelling of any of its endpoints."""
    sent, made = _number(usage, "input_tokens", "prompt_tokens"), _number(usage, "output_tokens", "completion_tokens")
    of_sent = _details(usage, "input_tokens_details", "prompt_tokens_details")
    of_made = _details(usage, "output_tokens_details", "completion_tokens_details")
    cached, written = _number(of_sent, "cached_tokens"), _number(of_sent, "cache_write_tokens")
    heard, seen = _number(of_sent, "audio_tokens"), _number(of_sent, "image_tokens")
    said = _number(of_made, "audio_tokens")
    # The endpoints of images say what the input was made of, and often not the output, which is images then.
    drawn = made if "image_tokens" in of_sent and not of_made else _number(of_made, "image_tokens")
    return TokenCounts(
        input=max(0, sent - cached - written - heard - seen),
        cached=cached,
        cache_write=written,
        audio_input=heard,
        image_input=seen,
        output=max(0, made - said - drawn),
        audio_output=said,
        image_output=drawn,
    )


class PriceList:
    """The prices that hold at one address.

    :param base_url: the address of the API; another provider's prices hold where the list knows it as his.
    :param is_batch: whether what is sent goes through the Batch API, which costs less.
    """

    def __init__(self, base_url: str, *, is_batch: bool = False) -> None:
        self._base_url = base_url
        self._is_batch = is_batch

    def of(self, model: str, service_tier: str = "") -> ModelPrice | None:
        """Give the prices of a model; None when they are not known."""
        return _price_of(model, self._base_url, service_tier, self._is_batch) if model else None

    def cost(self, model: str, usage: Mapping[str, Any], service_tier: str = "") -> float | None:
        """Give what an answer cost by its usage; None when the prices of the model are not known."""
        price = self.of(model, service_tier)
        return None if price is None else price.cost(read_counts(usage))


def worded_dollars(cost: float) -> str:
    """Write an amount for a person: cents from a dollar on, below it as many digits as tell something."""
    if cost >= 1 or not cost:
        return f"${cost:,.2f}"
    return f"${cost:.{DECIMALS}f}".rstrip("0")


def price_list(base_url: str) -> PriceList | None:
    """Give the prices that hold at an address; None without the extra ``cost``."""
    return PriceList(base_url) if find_spec("genai_prices") is not None else None


def require_prices(prices: PriceList | None, model: str | None) -> PriceList:
    """Give the prices, when there are some for this model; else raise ConfigurationError, before anything is sent.

    :param model: None where it stands in the records: it is looked up before each request then.
    """
    if prices is None:
        raise ConfigurationError(
            "max_cost needs a price list, the extra `cost`: pip install genai-prices; or set max_tokens_total"
        )
    if model is not None and prices.of(model) is None:
        raise ConfigurationError(
            f"the price of the model {model!r} is not known, and max_cost is set: take a newer genai-prices, "
            "or max_tokens_total or max_requests in its place"
        )
    return prices


@lru_cache(maxsize=256)
def _price_of(model: str, base_url: str, service_tier: str, is_batch: bool) -> ModelPrice | None:  # noqa: FBT001
    info = _in_list(model, base_url)
    if info is None:
        return None
    context = {"service_tier": service_tier} if service_tier else {}
    context |= {"processing": "batch"} if is_batch else {}
    prices = _now(info, context)
    named = {name for name, value in vars(prices).items() if value is not None}
    if named and not any(name.endswith(_TOKEN_UNIT) for name in named):  # by the second or the character
        return None
    starts = {tier.start for value in vars(prices).values() for tier in getattr(value, "tiers", ())}
    tiers = tuple(sorted(starts))
    rates = tuple(_rates(prices, above) for above in (0, *tiers))
    return ModelPrice(tiers=tiers, rates=rates)


def _in_list(model: str, base_url: str) -> Any | None:
    from genai_prices.data_snapshot import get_snapshot

    prices = get_snapshot()
    for where in ({"provider_api_url": base_url}, {"provider_id": OPENAI}):
        try:
            provider = prices.find_provider(None, where.get("provider_id"), where.get("provider_api_url"))
        except LookupError:
            continue
        return provider.find_model(model, all_providers=prices.providers)
    return None


def _now(info: Any, context: dict[str, str]) -> Any:
    from datetime import UTC, datetime

    return info.get_prices(datetime.now(UTC), context)


def _rates(prices: Any, above: int) -> tuple[float, ...]:
    """Ask the list what one token of each kind costs in a request of more than ``above`` input tokens."""
    sent = {"input_tokens": above + 1}
    floor = _asked(prices, sent)

    def rate(names: tuple[str, ...]) -> float:
        if names[0] in sent:
            return _asked(prices, dict.fromkeys(names, above + 1)) / (above + 1)
        return (_asked(prices, sent | dict.fromkeys(names, _PROBE)) - floor) / _PROBE

    return tuple(map(rate, _OF_LIST))


def _asked(prices: Any, counts: dict[str, int]) -> float:
    from genai_prices import Usage

    return float(prices.calc_price(Usage(**counts))["total_price"])


def _details(usage: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return next((part for name in names if isinstance(part := usage.get(name), Mapping)), {})


def _number(usage: Mapping[str, Any], *names: str) -> float:
    """Read a count that comes from a server: anything else than a sound number counts as none."""
    for name in names:
        value = usage.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < LARGEST:
            return value
    return 0
