"""Who may generate when: answers are made ahead of the tests that wait for them.

One lane for each endpoint. A local lane asks one question at a time, in the order of the tests,
which keeps a model's items together: it is loaded once. A cloud lane asks several at once and
fewer when the server says that it is too much.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Protocol

from pytest_llmbench.generation.ask import (
    STAGES_WITHOUT_LIMIT,
    CalledOff,
    GenerationFailed,
    Progress,
)
from pytest_llmbench.generation.clock import Clock
from pytest_llmbench.generation.machine_lock import hold_machine_lock
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import Endpoint, ProviderError


@dataclass(frozen=True, slots=True)
class Job:
    """One answer that somebody will wait for."""

    key: Hashable
    model: Model
    request: Request


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's facts, and whether they are from another day."""

    recording: Recording
    replayed: bool


class Answerer(Protocol):
    """Whoever gives the answers: a live model, or what was recorded of it."""

    def expect(self, jobs: Sequence[Job]) -> None:
        """Know of jobs that will come."""

    def answer(self, job: Job, progress: Progress) -> Answer:
        """Answer, now. Raises GenerationFailed or CalledOff."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An answer that is being made."""

    job: Job
    future: Future[Answer]
    progress: Progress


class Lanes:
    """All lanes of this process."""

    def __init__(
        self,
        answerer: Answerer,
        find_endpoint: Callable[[Model], Endpoint],
        clock: Clock,
    ) -> None:
        self._answerer = answerer
        self._find_endpoint = find_endpoint
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}
        self._pending: dict[Hashable, Pending] = {}
        self._called_off = False

    def start(self, jobs: Iterable[Job]) -> None:
        """Begin to answer jobs, each key once, in this order."""
        new = {job.key: job for job in jobs if job.key not in self._pending}
        if new:
            self._answerer.expect(list(new.values()))
        # Lanes that ask one question at a time take longest: nothing holds up their first one.
        for job in sorted(new.values(), key=lambda job: self._find_endpoint(job.model).concurrency):
            pending = Pending(job, Future(), Progress())
            self._pending[job.key] = pending
            if self._called_off:
                pending.future.set_exception(CalledOff())
                continue
            endpoint = self._find_endpoint(job.model)
            lane = self._lanes.get(endpoint.address)
            if lane is None:
                lane = _Lane(endpoint, self._answerer, self._clock)
                self._lanes[endpoint.address] = lane
            lane.add(pending)

    def find(self, job: Job) -> Pending:
        """The answer that is made for this job; begun now unless it was before."""
        self.start([job])
        return self._pending[job.key]

    def forget(self, job: Job) -> None:
        """Let an answer go that nobody will ask for again."""
        self._pending.pop(job.key, None)

    def end_stuck(self, pending: Pending, longest_s: float) -> None:
        """Give a lane up in which a stage of an answer lasts longer than any can.

        Providers keep their time limits; one that does not would hold the run for ever.
        """
        lane = self._lanes.get(self._find_endpoint(pending.job.model).address)
        if lane is not None:
            lane.end_stuck(longest_s)

    def call_off(self) -> None:
        """Stop what has not started, and leave what is under way as soon as it can be."""
        self._called_off = True
        for lane in self._lanes.values():
            lane.call_off()


class _Lane:
    """The queue of one endpoint and the threads that work it off."""

    def __init__(self, endpoint: Endpoint, answerer: Answerer, clock: Clock) -> None:
        self._endpoint = endpoint
        self._answerer = answerer
        self._clock = clock
        self._queue: deque[Pending] = deque()
        self._active: set[int] = set()
        self._under_way: dict[int, Pending] = {}
        self._allowed = endpoint.concurrency
        self._narrowed = 0
        self._stuck: GenerationFailed | None = None
        self._changed = threading.Condition()
        self._called_off = threading.Event()

    def add(self, pending: Pending) -> None:
        if self._stuck is not None:
            _settle(pending, self._stuck)
            return
        with self._changed:
            self._queue.append(pending)
            if len(self._active) < self._allowed:
                self._start_thread()

    def call_off(self) -> None:
        self._called_off.set()
        waiting, under_way = self._empty()
        for pending in waiting:
            pending.future.set_exception(CalledOff())
        for pending in under_way:
            pending.progress.called_off.set()

    def end_stuck(self, longest_s: float) -> None:
        """Fail all that is left, and all that will be added, if something is stuck."""
        with self._changed:
            stages = [each.progress for each in self._under_way.values()]
        begun_s = [each.since for each in stages if each.stage not in STAGES_WITHOUT_LIMIT]
        if not begun_s or self._clock.now() - min(begun_s) <= longest_s:
            return
        self._give_up(
            f"{self._endpoint.address} holds a request for {longest_s:g} s, beyond every "
            "limit; nothing more is asked there"
        )

    def _give_up(self, why: str) -> None:
        self._stuck = GenerationFailed(ProviderError(why, kind="timeout"), Recording(text=""))
        self._called_off.set()
        waiting, under_way = self._empty()
        for pending in waiting + under_way:
            pending.progress.called_off.set()
            _settle(pending, self._stuck)

    def _empty(self) -> tuple[list[Pending], list[Pending]]:
        with self._changed:
            waiting, self._queue = list(self._queue), deque()
            return waiting, list(self._under_way.values())

    def _start_thread(self) -> None:
        number = max(self._active, default=0) + 1
        self._active.add(number)
        name = f"llmbench {self._endpoint.address} {number}"
        threading.Thread(target=self._work, args=(number,), name=name, daemon=True).start()

    def _work(self, number: int) -> None:
        try:
            with self._guard():
                while (pending := self._take(number)) is not None:
                    self._answer(number, pending)
        except OSError as error:
            self._give_up(f"{self._endpoint.address} cannot be kept to one run at a time: {error}")

    def _guard(self) -> AbstractContextManager[bool]:
        if self._endpoint.kind != "local" or self._endpoint.concurrency > 1:
            return nullcontext(enter_result=True)
        return hold_machine_lock(
            self._endpoint.address, self._clock, called_off=self._called_off.is_set
        )

    def _take(self, number: int) -> Pending | None:
        """The next one; None, and the thread ends, when there is none or it is one too many."""
        with self._changed:
            if not self._queue or len(self._active) > self._allowed:
                self._active.discard(number)
                return None
            pending = self._queue.popleft()
            self._under_way[number] = pending
            return pending

    def _answer(self, number: int, pending: Pending) -> None:
        narrowed = self._narrowed
        pending.progress.enter("opening", self._clock)
        try:
            answer = self._answerer.answer(pending.job, pending.progress)
        except BaseException as fault:  # noqa: BLE001  # whoever waits for it raises it again
            self._adapt(number, pending.progress, narrowed)
            _settle(pending, fault)
        else:
            self._adapt(number, pending.progress, narrowed)
            _settle(pending, answer)

    def _adapt(self, number: int, progress: Progress, narrowed: int) -> None:
        """Half as many at once after a 429, one more after an answer without.

        `narrowed` is how often the lane had been narrowed when the answer began: what several
        answers that were under way together met is one 429.
        """
        with self._changed:
            del self._under_way[number]
            if not progress.rate_limited:
                self._allowed = min(self._endpoint.concurrency, self._allowed + 1)
            elif narrowed == self._narrowed:
                self._allowed = max(1, self._allowed // 2)
                self._narrowed += 1
            idle = min(self._allowed - len(self._active), len(self._queue) - 1)
            for _ in range(idle):
                self._start_thread()


def _settle(pending: Pending, outcome: Answer | BaseException) -> None:
    """Tell whoever waits; too late when the lane was given up meanwhile."""
    with suppress(InvalidStateError):
        if isinstance(outcome, Answer):
            pending.future.set_result(outcome)
        else:
            pending.future.set_exception(outcome)
