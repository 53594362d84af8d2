"""What an answer takes, in money and in energy, while it is made: counted, and capped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime

from pytest_llmbench.budget import Budget, CapReached, show_usd
from pytest_llmbench.energy import EnergyMeter, can_be_metered, cost_of_energy
from pytest_llmbench.generation.ask import WAITING_FOR_THE_CAP, CalledOff, Progress
from pytest_llmbench.generation.chunks import Chunk, End, ServerReport
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Request
from pytest_llmbench.generation.result import Usage
from pytest_llmbench.models import Model
from pytest_llmbench.prices import CACHE_WRITES, PriceList, Rate
from pytest_llmbench.providers.context import count_most_tokens
from pytest_llmbench.providers.protocol import (
    Endpoint,
    FaultKind,
    Patience,
    ProviderError,
    ServedModel,
    Session,
)

_HTTP_ERROR = 400

_NEVER_CHARGED: frozenset[FaultKind] = frozenset(
    {"setup", "unreachable", "model", "rate-limited", "rejected", "context-overflow"}
)


class Costs:
    """The prices, the cap and the meter of one process.

    `find_meter` looks for a meter when the first answer comes that it could count; `now` tells
    the moment whose prices hold; `tariff` is what a kWh costs.
    """

    def __init__(
        self,
        prices: PriceList,
        budget: Budget | None,
        find_meter: Callable[[], EnergyMeter | None],
        tariff: float | None,
        now: Callable[[], datetime],
    ) -> None:
        self._prices = prices
        self._budget = budget
        self._find_meter = find_meter
        self._tariff = tariff
        self._now = now
        self._lock = threading.Lock()
        self._meters: list[EnergyMeter | None] = []

    def account(
        self,
        session: Session,
        model: Model,
        endpoint: Endpoint,
        request: Request,
        *,
        progress: Progress,
        ask: Callable[[Session], Recording],
    ) -> Recording:
        """What `ask` makes of the session, with cost and energy, and no more than the cap allows.

        Raises what `ask` raises; an answer that the cap forbids is a ProviderError of kind
        `unaffordable`, raised before anything is sent. `progress` tells when it waits for others.
        """
        # Found before any clock starts: the library takes its time to load.
        rate = self._prices.find(model, endpoint, None, self._now())
        meter = self._meter() if can_be_metered(endpoint) else None
        if meter is not None:
            session = _MeteredSession(session, meter, self._tariff)
        capped = None
        if self._budget is not None and (rate is not None or endpoint.kind == "cloud"):
            most_input = count_most_tokens(request)
            most_usd = most_that_it_costs(rate, model, most_input, request.max_tokens)
            session = capped = _CappedSession(session, model, self._budget, most_usd, progress)
        try:
            recording = self._prices.put_cost(ask(session), model, endpoint, self._now())
            if capped is not None:
                capped.settle(recording.cost_usd)
            return recording
        finally:
            if capped is not None:
                capped.settle(None)

    def _meter(self) -> EnergyMeter | None:
        with self._lock:
            if not self._meters:
                self._meters.append(self._find_meter())
            return self._meters[0]


def most_that_it_costs(
    rate: Rate | None, model: Model, most_input_tokens: int, max_tokens: int
) -> float | None:
    """USD that one answer may cost; None when the rate is not known."""
    usage = Usage(input_tokens=most_input_tokens, output_tokens=max_tokens)
    details = {**model.parameters, CACHE_WRITES: most_input_tokens}
    return None if rate is None else rate.charge(usage, details)


class _AttendedSession:
    """A session, with somebody beside it. Made for one answer."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def prepare(self, request: Request, patience: Patience) -> ServedModel:
        return self._session.prepare(request, patience)

    def find_digest(self) -> str | None:
        return self._session.find_digest()

    def stream(self, request: Request, patience: Patience) -> Iterator[Chunk]:
        return self._session.stream(request, patience)

    def close(self) -> None:
        self._session.close()


class _CappedSession(_AttendedSession):
    """Asks only for what the cap allows. `most_usd` is None when the price is not known."""

    def __init__(
        self,
        session: Session,
        model: Model,
        budget: Budget,
        most_usd: float | None,
        progress: Progress,
    ) -> None:
        super().__init__(session)
        self._model = model
        self._budget = budget
        self._most_usd = most_usd
        self._progress = progress
        self._hold: str | None = None

    def prepare(self, request: Request, patience: Patience) -> ServedModel:
        self.settle(None)  # an attempt that broke off may have been charged
        # This may last as long as all other answers, which no limit on getting ready allows for.
        self._progress.enter(WAITING_FOR_THE_CAP, self._budget.clock)
        self._hold = self._hold_back()
        self._progress.enter("preparing", self._budget.clock)
        try:
            return super().prepare(request, patience)
        except ProviderError:
            self.settle(0.0)
            raise

    def _hold_back(self) -> str:
        if self._most_usd is None:
            raise ProviderError(
                f"not asked: what {self._model.provider}/{self._model.name} costs is not known, "
                f"so the cap of {show_usd(self._budget.cap_usd)} (llm_max_cost) cannot be kept; "
                "give its price in [tool.llmbench.prices]",
                kind="unaffordable",
            )
        called_off = self._progress.called_off.is_set
        try:
            return self._budget.hold(self._most_usd, called_off=called_off)
        except CapReached as reached:
            if called_off():
                raise CalledOff from None
            raise ProviderError(str(reached), kind="unaffordable") from None

    def stream(self, request: Request, patience: Patience) -> Iterator[Chunk]:
        try:
            yield from super().stream(request, patience)
        except ProviderError as fault:
            if (fault.status or 0) >= _HTTP_ERROR or fault.kind in _NEVER_CHARGED:
                self.settle(0.0)
            raise

    def settle(self, usd: float | None) -> None:
        """Account for the attempt, once; None when nobody knows what it cost."""
        if self._hold is not None:
            self._budget.settle(self._hold, usd)
            self._hold = None


class _MeteredSession(_AttendedSession):
    """Tells what energy the machine's GPUs took from the request to the end of the answer."""

    def __init__(self, session: Session, meter: EnergyMeter, tariff: float | None) -> None:
        super().__init__(session)
        self._meter = meter
        self._tariff = tariff
        self._before_j: float | None = None

    def prepare(self, request: Request, patience: Patience) -> ServedModel:
        served = super().prepare(request, patience)
        self._before_j = self._meter.read_joules()  # here, as the clock starts after it
        return served

    def stream(self, request: Request, patience: Patience) -> Iterator[Chunk]:
        for chunk in super().stream(request, patience):
            if isinstance(chunk, End):
                yield self._tell_energy()
            yield chunk

    def _tell_energy(self) -> ServerReport:
        after_j = self._meter.read_joules()
        # A counter that stands still or falls, as after a reset of the driver, says nothing.
        if self._before_j is None or after_j is None or after_j <= self._before_j:
            return ServerReport()
        energy_j = after_j - self._before_j
        extras = {"energy_j": energy_j}
        if self._tariff is not None:
            extras["energy_cost"] = cost_of_energy(energy_j, self._tariff)
        return ServerReport(extras=extras)
