"""Answers from the providers themselves: sessions opened once a model, faults remembered."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_llmbench.costs import Costs
from pytest_llmbench.generation.ask import GenerationFailed, Progress, RetryPolicy, ask
from pytest_llmbench.generation.attention import Attention
from pytest_llmbench.generation.clock import Clock
from pytest_llmbench.generation.lanes import Answer, Job
from pytest_llmbench.generation.nonce import begin_with, choose_nonce
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import (
    Archive,
    Endpoint,
    Expectant,
    Facts,
    FaultKind,
    Inspectable,
    Patience,
    Provider,
    ProviderError,
    Session,
)

LASTING: frozenset[FaultKind] = frozenset({"setup", "model", "unreachable"})
"""Faults that the next question to the same model would meet as well."""


@dataclass(slots=True)
class _Opened:
    """A model's session, opened by the first thread that needs it; the others wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    expected: list[Request] = field(default_factory=list)
    session: Session | Archive | None = None
    fault: ProviderError | None = None


class LiveAnswerer:
    """Asks the providers."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        patience: Patience,
        clock: Clock,
        policy: RetryPolicy,
        costs: Costs | None = None,
    ) -> None:
        """Without `costs`, nobody counts what answers take."""
        self._providers = providers
        self._patience = patience
        self._clock = clock
        self._policy = policy
        self._costs = costs
        self._attention = Attention()
        self._lock = threading.Lock()
        self._models: dict[str, _Opened] = {}

    def expect(self, jobs: Sequence[Job]) -> None:
        """Let the models' sessions know what they will be asked."""
        coming: dict[str, tuple[Model, list[Request]]] = {}
        for job in jobs:
            coming.setdefault(job.model.spec, (job.model, []))[1].append(job.request)
        for model, requests in coming.values():
            opened = self._find(model)
            with opened.lock:
                opened.expected += requests
                if opened.session is not None:
                    _tell(opened.session, opened.expected)

    def answer(self, job: Job, progress: Progress) -> Answer:
        """Ask the model, or take the answer out of its archive.

        Raises GenerationFailed and CalledOff.
        """
        opened = self._find(job.model)
        try:
            session = self._open(opened, job.model)
            if isinstance(session, Archive):
                return Answer(session.recall(job.request), replayed=True)
        except ProviderError as fault:
            raise GenerationFailed(fault, Recording(text="")) from fault
        try:
            recording = self._ask(session, job, progress)
        except GenerationFailed as failed:
            if failed.fault.kind in LASTING:
                opened.fault = failed.fault
            raise
        return Answer(recording, replayed=False)

    def _ask(self, session: Session, job: Job, progress: Progress) -> Recording:
        nonce = choose_nonce(job.request) if self._keeps_prompts(job.model) else None
        if nonce is None:
            return self._ask_as_it_is(session, job, progress)
        marked = replace(job, request=begin_with(nonce, job.request))
        recording = self._ask_as_it_is(session, marked, progress)
        return replace(recording, details={**recording.details, "nonce": nonce})

    def _keeps_prompts(self, model: Model) -> bool:
        """Whether the server keeps prompts without telling how much of one it had kept."""
        return self.find_endpoint(model).kind == "local"

    def _ask_as_it_is(self, session: Session, job: Job, progress: Progress) -> Recording:
        def ask_session(session: Session) -> Recording:
            return ask(
                session,
                job.request,
                patience=self._patience,
                policy=self._policy,
                clock=self._clock,
                progress=progress,
                attention=self._attention,
            )

        if self._costs is None:
            return ask_session(session)
        return self._costs.account(
            session,
            job.model,
            self.find_endpoint(job.model),
            job.request,
            progress=progress,
            ask=ask_session,
        )

    def is_archive(self, model: Model) -> bool:
        """Whether the model's answers are there already, and need no recording."""
        return self.find_endpoint(model).kind == "offline"

    def find_endpoint(self, model: Model) -> Endpoint:
        """Where the model is asked."""
        return self._providers[model.provider].endpoint(model)

    def find_digest(self, model: Model) -> str | None:
        """The digest of the weights that the server has now; None when it does not say.

        Raises GenerationFailed when the model cannot be opened.
        """
        try:
            session = self._open(self._find(model), model)
            return None if isinstance(session, Archive) else session.find_digest()
        except ProviderError as fault:
            raise GenerationFailed(fault, Recording(text="")) from fault

    def inspect(self, model: Model, longest: Request, patience: Patience) -> Facts:
        """What can be known of a model with nothing loaded and nothing asked of it.

        Raises ProviderError.
        """
        session = self._open(self._find(model), model)
        if isinstance(session, Inspectable):
            return session.inspect(longest, patience)
        if not isinstance(session, Archive):
            session.find_digest()  # at least it reaches the server
        return Facts()

    def close(self) -> None:
        """Drop every connection; streams under way end with an error."""
        with self._lock:
            models = list(self._models.values())
        for opened in models:
            session = opened.session
            if session is not None and not isinstance(session, Archive):
                session.close()
        self._attention.end()

    def _find(self, model: Model) -> _Opened:
        with self._lock:
            return self._models.setdefault(model.spec, _Opened())

    def _open(self, opened: _Opened, model: Model) -> Session | Archive:
        with opened.lock:
            if opened.fault is not None:
                raise opened.fault
            if opened.session is None:
                try:
                    opened.session = self._providers[model.provider].open(model)
                except ProviderError as fault:
                    opened.fault = fault
                    raise
                _tell(opened.session, opened.expected)
            return opened.session


def _tell(session: Session | Archive, expected: Sequence[Request]) -> None:
    if isinstance(session, Expectant):
        session.expect(expected)
