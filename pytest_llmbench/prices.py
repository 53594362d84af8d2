"""What answers cost: the project's own prices, else those of the library genai-prices.

The library is imported when a model in the cloud is priced, and holds its prices itself: nothing
is fetched. An unknown price is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.result import Usage
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import Endpoint

TOKENS_PER_PRICE = 1_000_000

OWN_SOURCE = "[tool.llmbench.prices]"
PROVIDER_SOURCE = "the provider's own charge"

CACHE_WRITES = "cache_write_tokens"
"""The detail of an answer that tells how much of its input was put into a cache, which some
charge more for."""

_CONTEXT_KEYS = ("service_tier", "speed")
"""Details of an answer on which a price may depend."""


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """A price from the project's settings, in USD per million tokens."""

    input: float
    output: float
    """Thinking is output."""
    cached_input: float | None = None
    """None: cached input costs what other input costs."""


class Rate(Protocol):
    """What the tokens of one model cost."""

    @property
    def source(self) -> str:
        """Where the price comes from, with its date, for people."""

    def charge(self, usage: Usage, details: Mapping[str, Any]) -> float | None:
        """USD for one answer; None when the usage is not known well enough.

        `details` are the answer's: a service tier may stand there, and what went into a cache.
        """


@dataclass(frozen=True, slots=True)
class _OwnRate:
    price: OwnPrice

    @property
    def source(self) -> str:
        return OWN_SOURCE

    def charge(self, usage: Usage, details: Mapping[str, Any]) -> float | None:  # noqa: ARG002  # one price for all tiers
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = _count_cached(usage)
        cached_price = self.price.cached_input
        cached_price = self.price.input if cached_price is None else cached_price
        usd_per_million_tokens = (
            (usage.input_tokens - cached) * self.price.input
            + cached * cached_price
            + usage.output_tokens * self.price.output
        )
        return usd_per_million_tokens / TOKENS_PER_PRICE


@dataclass(frozen=True, slots=True)
class _LibraryRate:
    library: Any
    """The module genai_prices."""
    name: str
    address: str
    at: datetime
    """Prices change; this is the moment whose prices hold."""

    @property
    def source(self) -> str:
        return f"genai-prices {self.library.__version__}, as of {self.at:%Y-%m-%d}"

    def charge(self, usage: Usage, details: Mapping[str, Any]) -> float | None:
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        counts = {
            "input_tokens": usage.input_tokens,
            "cache_read_tokens": _count_cached(usage),
            CACHE_WRITES: _count_cache_writes(usage, details),
            "output_tokens": usage.output_tokens,
        }
        context = {key: str(details[key]) for key in _CONTEXT_KEYS if key in details}
        found = self.look_up(counts, context)
        return None if found is None else float(found.total_price)

    def look_up(self, counts: Mapping[str, int], context: Mapping[str, str]) -> Any:
        """The library's calculation; None when it does not know the model or its price."""
        try:
            found = self.library.calc_price(
                self.library.Usage(**counts),
                self.name,
                provider_api_url=self.address,
                genai_request_timestamp=self.at,
                price_context=context,
            )
        except (LookupError, ValueError):
            return None
        # It lists models without a price, and would count them as free.
        listed = vars(found.model_price)
        priced = listed.get("input_mtok") is not None and listed.get("output_mtok") is not None
        return found if priced else None


class PriceList:
    """Finds what a model costs."""

    def __init__(self, own: Mapping[str, OwnPrice]) -> None:
        """`own` maps `provider/model` to the project's own prices."""
        self._own = own

    def find(
        self, model: Model, endpoint: Endpoint, served: str | None, at: datetime
    ) -> Rate | None:
        """The rate of a model at a moment: by the name of what was served, else of what was asked.

        None: not known, or nobody charges for it.
        """
        if endpoint.kind == "offline":
            return None
        names = [name for name in (served, model.name) if name]
        for name in names:
            if own := self._own.get(f"{model.provider}/{name}"):
                return _OwnRate(own)
        if endpoint.kind != "cloud":
            return None
        import genai_prices  # noqa: PLC0415  # takes a quarter of a second

        for name in names:
            rate = _LibraryRate(genai_prices, name, endpoint.address, at)
            if rate.look_up({}, {}) is not None:
                return rate
        return None

    def put_cost(
        self, recording: Recording, model: Model, endpoint: Endpoint, at: datetime
    ) -> Recording:
        """The recording with its cost and where that comes from, as far as it is known.

        What the provider says that it charged stands.
        """
        if recording.cost_usd is not None:
            return _with_cost(recording, recording.cost_usd, PROVIDER_SOURCE)
        rate = self.find(model, endpoint, recording.served_model, at)
        usd = None if rate is None else rate.charge(recording.usage, recording.details)
        if rate is None or usd is None:
            return recording
        return _with_cost(recording, usd, rate.source)


def _with_cost(recording: Recording, usd: float, source: str) -> Recording:
    return replace(recording, cost_usd=usd, details={**recording.details, "price_source": source})


def _count_cached(usage: Usage) -> int:
    return min(usage.cached_input_tokens or 0, usage.input_tokens or 0)


def _count_cache_writes(usage: Usage, details: Mapping[str, Any]) -> int:
    told = details.get(CACHE_WRITES)
    most = (usage.input_tokens or 0) - _count_cached(usage)
    return min(told, most) if isinstance(told, int) else 0
