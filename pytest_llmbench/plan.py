"""What a run would do: known before anything is asked, run or written.

Everything that is no fact is an estimate and says so: what a model did in recordings is the best
guide; without one, a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Protocol

from pytest_llmbench.costs import most_that_it_costs
from pytest_llmbench.energy import Gpu, is_here
from pytest_llmbench.follow_up import LARGEST_LIMIT, MAX_COMPLAINT_CHARS
from pytest_llmbench.generation.ask import GenerationFailed, Progress
from pytest_llmbench.generation.lanes import Answer, Job
from pytest_llmbench.generation.recording import Recording, RecordingError
from pytest_llmbench.generation.request import Request
from pytest_llmbench.generation.result import Usage
from pytest_llmbench.models import Model
from pytest_llmbench.prices import PriceList, Rate
from pytest_llmbench.providers.context import (
    BYTES_PER_TOKEN_AT_LEAST,
    TEMPLATE_TOKENS,
    count_fewest_tokens,
    count_most_tokens,
)
from pytest_llmbench.providers.protocol import Endpoint, Facts, Patience, ProviderError

PATIENCE = Patience(total_s=30.0, stall_s=10.0, connect_s=5.0)
"""For a look at a server."""

GUESSED_OUTPUT_TOKENS = 2_000
"""A program of some 200 lines. Thinking takes several times as much."""

GUESSED_CHARACTERS_PER_TOKEN = 4

COMPLAINT_TOKENS = TEMPLATE_TOKENS + MAX_COMPLAINT_CHARS // BYTES_PER_TOKEN_AT_LEAST
"""What a message about a failed attempt hardly exceeds, in its template."""

OTHER_MEMORY_BYTES = 2**30
"""What a server takes beside weights and cache, about: buffers, and the GPU's own context."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure that is not known yet. None: not even about."""

    about: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What a model did in recordings: medians over its answers. None: not known of any."""

    answers: int
    input_tokens: float | None
    output_tokens: float | None
    total_s: float | None


@dataclass(frozen=True, slots=True)
class Memory:
    """What a model needs in memory, and what this machine's GPUs have."""

    weights_bytes: int
    cache_bytes: int | None
    """At most, for the whole context; None when the server tells too little."""
    gpu_bytes: int | None
    """All GPUs together; None when they cannot be read."""

    @property
    def need_bytes(self) -> int:
        """All of it, about."""
        return self.weights_bytes + (self.cache_bytes or 0) + OTHER_MEMORY_BYTES

    @property
    def fits(self) -> bool | None:
        """Whether the GPUs hold all of it; None when it is too close to tell, or not known."""
        if self.gpu_bytes is None:
            return None
        if self.weights_bytes + OTHER_MEMORY_BYTES > self.gpu_bytes:
            return False
        return True if self.cache_bytes is not None and self.need_bytes <= self.gpu_bytes else None


@dataclass(frozen=True, slots=True)
class Expected:
    """What all answers of one model that would be asked for are expected to take."""

    past: Past | None = None
    fewest_input_tokens: int = 0
    input_tokens: Estimate = field(default_factory=Estimate)
    output_tokens: Estimate = field(default_factory=Estimate)
    cost_usd: Estimate = field(default_factory=Estimate)
    price_source: str | None = None
    """None: the price is not known, or nobody charges."""
    time_s: float | None = None
    """About; by recordings alone."""


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What one model would be asked."""

    model: Model
    endpoint: Endpoint
    to_ask: int
    """Answers that would be asked for."""
    ready: int
    """Answers that are there already: recordings, and what offline models hold."""
    attempts: int = 1
    """The most answers to one question; more than one when failed checks are told."""
    missing: tuple[str, ...] = ()
    """What stands in the way, with the remedy: one line for a person each."""
    facts: Facts = field(default_factory=Facts)
    memory: Memory | None = None
    max_tokens: int = 0
    """Of the longest answer."""
    context_needed: int = 0
    """The most tokens that a prompt and its answer may have."""
    expected: Expected = field(default_factory=Expected)


class Shelf(Protocol):
    """Where the answers of earlier runs are."""

    def find(self, job: Job) -> Recording | None:
        """The recording that would be replayed. Raises RecordingError and GenerationFailed."""

    def list_earlier(self, model: Model) -> list[Recording]:
        """Recordings of a model, whatever it was asked."""


class Models(Protocol):
    """The models themselves."""

    def is_archive(self, model: Model) -> bool:
        """Whether the model's answers are there already."""

    def answer(self, job: Job, progress: Progress) -> Answer:
        """The answer; asked for archives alone. Raises GenerationFailed."""

    def inspect(self, model: Model, longest: Request, patience: Patience) -> Facts:
        """What can be known with nothing asked. Raises ProviderError."""


class Planner:
    """Plans for the models of a run."""

    def __init__(
        self,
        shelf: Shelf,
        models: Models,
        prices: PriceList,
        gpus: Sequence[Gpu],
        *,
        record_mode: str,
        attempts: int,
        now: datetime,
    ) -> None:
        """`gpus`: this machine's; `attempts`: the most answers to one question."""
        self._shelf = shelf
        self._models = models
        self._prices = prices
        self._gpus = gpus
        self._record_mode = record_mode
        self._attempts = attempts
        self._now = now

    def plan(self, model: Model, endpoint: Endpoint, jobs: Sequence[Job]) -> ModelPlan:
        """The plan for one model; `jobs` are its questions, each once."""
        if self._models.is_archive(model):
            return self._plan_archive(model, endpoint, jobs)
        facts, missing = Facts(), []
        longest = max((job.request for job in jobs), key=_count_context)
        if self._record_mode != "none":
            try:
                facts = self._models.inspect(model, longest, PATIENCE)
            except ProviderError as fault:
                missing.append(str(fault))
        ready, lacking, unreadable = self._sort(jobs, can_look=not missing)
        if self._record_mode == "none" and lacking:
            missing.append(
                f"{len(lacking)} of {len(jobs)} answers are not recorded; "
                "ask for them with --llm-record-mode=new_episodes"
            )
        to_ask = [] if self._record_mode == "none" else lacking
        return ModelPlan(
            model,
            endpoint,
            to_ask=len(to_ask),
            ready=ready,
            attempts=self._attempts,
            missing=(*missing, *unreadable),
            facts=facts,
            memory=self._weigh(endpoint, facts),
            max_tokens=longest.max_tokens,
            context_needed=_count_context(longest),
            expected=self._estimate(model, endpoint, [job.request for job in to_ask]),
        )

    def _plan_archive(self, model: Model, endpoint: Endpoint, jobs: Sequence[Job]) -> ModelPlan:
        missing = []
        for job in jobs:
            try:
                self._models.answer(job, Progress())
            except GenerationFailed as failed:
                missing.append(str(failed))
        reasons = tuple(dict.fromkeys(missing))
        return ModelPlan(model, endpoint, to_ask=0, ready=len(jobs) - len(missing), missing=reasons)

    def _sort(self, jobs: Sequence[Job], *, can_look: bool) -> tuple[int, list[Job], list[str]]:
        """How many answers are recorded, the questions without one, and what is unreadable."""
        ready, lacking, unreadable = 0, [], []
        for job in jobs:
            try:
                found = self._shelf.find(job) if can_look else None
            except RecordingError as error:
                unreadable.append(str(error))
                continue
            except GenerationFailed:
                found = None
            if found is None:
                lacking.append(job)
            else:
                ready += 1
        return ready, lacking, unreadable

    def _weigh(self, endpoint: Endpoint, facts: Facts) -> Memory | None:
        if facts.size_bytes is None or endpoint.kind != "local":
            return None
        per_token, context = facts.cache_bytes_per_token, facts.context_length
        gpus = self._gpus if is_here(endpoint) else ()
        return Memory(
            weights_bytes=facts.size_bytes,
            cache_bytes=per_token * context if per_token and context else None,
            gpu_bytes=sum(gpu.memory_bytes for gpu in gpus) or None,
        )

    def _estimate(self, model: Model, endpoint: Endpoint, requests: Sequence[Request]) -> Expected:
        past = _sum_up(self._shelf.list_earlier(model))
        guesses = [_guess_usage(request, past) for request in requests]
        bounds = [each for request in requests for each in _bound(request, self._attempts)]
        rate = self._prices.find(model, endpoint, None, self._now)
        seconds = None if past is None else past.total_s
        return Expected(
            past=past,
            fewest_input_tokens=sum(map(count_fewest_tokens, requests)),
            input_tokens=Estimate(
                sum(each.input_tokens or 0 for each in guesses),
                sum(input_tokens for input_tokens, _ in bounds),
            ),
            output_tokens=Estimate(
                sum(each.output_tokens or 0 for each in guesses),
                sum(output_tokens for _, output_tokens in bounds),
            ),
            cost_usd=_price(rate, model, guesses, bounds),
            price_source=None if rate is None else rate.source,
            time_s=(None if seconds is None else seconds * len(requests) / endpoint.concurrency),
        )


def time_of_run(plans: Sequence[ModelPlan]) -> float | None:
    """About, as all endpoints are asked at once; None when it is not known of every model."""
    lanes: dict[str, float] = {}
    for plan in plans:
        if plan.to_ask:
            if plan.expected.time_s is None:
                return None
            address = plan.endpoint.address
            lanes[address] = lanes.get(address, 0.0) + plan.expected.time_s
    return max(lanes.values(), default=0.0)


def _count_context(request: Request) -> int:
    return count_most_tokens(request) + request.max_tokens


def _sum_up(recordings: Sequence[Recording]) -> Past | None:
    if not recordings:
        return None

    def middle(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return median(known) if known else None

    return Past(
        answers=len(recordings),
        input_tokens=middle([each.usage.input_tokens for each in recordings]),
        output_tokens=middle([each.usage.output_tokens for each in recordings]),
        total_s=middle([each.timing.total_s for each in recordings]),
    )


def _guess_usage(request: Request, past: Past | None) -> Usage:
    characters = sum(len(message.content) for message in request.messages)
    characters += len(request.system or "")
    output = (past and past.output_tokens) or GUESSED_OUTPUT_TOKENS
    return Usage(
        input_tokens=max(1, characters // GUESSED_CHARACTERS_PER_TOKEN),
        output_tokens=min(round(output), request.max_tokens),
    )


def _bound(request: Request, attempts: int) -> list[tuple[int, int]]:
    """The most (input, output) tokens of each attempt at a question.

    A further attempt reads the answer before and what was wrong with it, or is given more room;
    which of the two it will be is not known, so each counts as both.
    """
    bounds = []
    most_input, limit = count_most_tokens(request), request.max_tokens
    for _ in range(attempts):
        bounds.append((most_input, limit))
        most_input += limit + COMPLAINT_TOKENS
        limit = max(limit, min(2 * limit, LARGEST_LIMIT))
    return bounds


def _price(
    rate: Rate | None,
    model: Model,
    guesses: Sequence[Usage],
    bounds: Sequence[tuple[int, int]],
) -> Estimate:
    if rate is None:
        return Estimate()
    about_usd = [rate.charge(usage, model.parameters) for usage in guesses]
    most_usd = [most_that_it_costs(rate, model, *each) for each in bounds]
    return Estimate(sum(usd or 0.0 for usd in about_usd), sum(usd or 0.0 for usd in most_usd))
