"""One question, asked until it is answered or given up: attempts, and the stamps of a stream."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pytest_llmbench.generation.chunks import (
    Alive,
    Chunk,
    Connected,
    End,
    ServerReport,
    ThinkingStart,
    ThinkingText,
    VisibleText,
)
from pytest_llmbench.generation.clock import Clock
from pytest_llmbench.generation.recording import Channel, Piece, Recording
from pytest_llmbench.generation.request import Request
from pytest_llmbench.generation.result import Timing, Usage
from pytest_llmbench.providers.protocol import Patience, ProviderError, ServedModel, Session

NAP_S = 0.2
"""A wait is cut into naps of this length, so that it can be called off."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try again, and how long to wait before."""

    attempts: int = 4
    first_wait_s: float = 1.0
    """Doubled for each further attempt, unless the server says how long."""
    longest_wait_s: float = 60.0
    """A server that asks for more is taken at its word: the generation has failed."""


class CalledOff(Exception):  # noqa: N818  # no error: the run ends before the answer
    """Nobody waits for this answer any more."""


class GenerationFailed(Exception):  # noqa: N818  # the field's own word
    """A generation that came to nothing: the fault, and what had arrived until then."""

    def __init__(self, fault: ProviderError, partial: Recording) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.partial = partial


WAITING_FOR_THE_CAP = "waiting for the cap"

STAGES_WITHOUT_LIMIT = frozenset({"queued", WAITING_FOR_THE_CAP})
"""Those that last as long as others take."""


@dataclass(slots=True)
class Progress:
    """What a generation is at, for whoever waits for it; written by its thread alone."""

    stage: str = "queued"
    """`queued`, `opening`, `waiting for the cap`, `preparing`, `generating`, `waiting to retry`,
    `done`."""
    since: float = 0.0
    """The clock's time when this stage began."""
    thinking_chars: int = 0
    visible_chars: int = 0
    fault: str | None = None
    """Why the last attempt failed."""
    rate_limited: int = 0
    """How often the server asked to slow down."""
    called_off: threading.Event = field(default_factory=threading.Event)

    def enter(self, stage: str, clock: Clock) -> None:
        """Begin a stage."""
        self.stage, self.since = stage, clock.now()


def ask(
    session: Session,
    request: Request,
    *,
    patience: Patience,
    policy: RetryPolicy,
    clock: Clock,
    progress: Progress,
    attention: AbstractContextManager[None],
) -> Recording:
    """Ask until an answer is complete; each attempt has a clock of its own.

    `attention` is held while an attempt's clock runs.
    Raises GenerationFailed, and CalledOff when `progress` is called off.
    """
    waited_s = 0.0
    for attempt in range(1, policy.attempts + 1):
        listener = _Listener(clock, progress)
        try:
            recording = _attempt(session, request, patience, listener, attention)
        except ProviderError as fault:
            progress.rate_limited += fault.kind == "rate-limited"
            partial = _close(listener.build(request), attempt, waited_s, progress)
            wait_s = _choose_wait(fault, attempt, policy)
            if wait_s is None:
                raise GenerationFailed(_tell_attempts(fault, attempt), partial) from fault
            progress.fault = str(fault)
            progress.enter("waiting to retry", clock)
            _wait(wait_s, clock, progress)
            waited_s += wait_s
        else:
            return _close(recording, attempt, waited_s, progress)
    raise AssertionError("the last attempt either returns or raises")


def _close(recording: Recording, attempts: int, waited_s: float, progress: Progress) -> Recording:
    details = dict(recording.details)
    if progress.rate_limited:
        details["rate_limited"] = progress.rate_limited
    return replace(recording, attempts=attempts, retry_wait_s=waited_s, details=details)


def _attempt(
    session: Session,
    request: Request,
    patience: Patience,
    listener: _Listener,
    attention: AbstractContextManager[None],
) -> Recording:
    listener.progress.enter("preparing", listener.clock)
    listener.served = session.prepare(request, patience)
    listener.progress.enter("generating", listener.clock)
    with attention:
        _listen(session, request, patience, listener)
    return listener.build(request)


def _listen(session: Session, request: Request, patience: Patience, listener: _Listener) -> None:
    listener.start()
    for chunk in session.stream(request, patience):
        at_s = listener.hear(chunk)
        if listener.progress.called_off.is_set():
            raise CalledOff
        if at_s > patience.total_s and listener.end is None:
            raise ProviderError(
                f"the answer was not complete after {patience.total_s:g} s (--llm-timeout)",
                kind="timeout",
            )
    if listener.end is None:
        raise ProviderError(
            f"the stream ended without its end marker after {listener.heard_chars:,} characters",
            kind="broken",
        )


def _choose_wait(fault: ProviderError, attempt: int, policy: RetryPolicy) -> float | None:
    """Seconds until the next attempt; None when there is none."""
    if not fault.retryable or attempt == policy.attempts:
        return None
    if fault.retry_after_s is None:
        return min(policy.first_wait_s * 2.0 ** (attempt - 1), policy.longest_wait_s)
    return fault.retry_after_s if fault.retry_after_s <= policy.longest_wait_s else None


def _tell_attempts(fault: ProviderError, attempts: int) -> ProviderError:
    if attempts == 1:
        return fault
    return ProviderError(
        f"{fault} (after {attempts} attempts)",
        kind=fault.kind,
        status=fault.status,
        retry_after_s=fault.retry_after_s,
        retryable=False,
    )


def _wait(seconds: float, clock: Clock, progress: Progress) -> None:
    until = clock.now() + seconds
    while (left_s := until - clock.now()) > 0:
        if progress.called_off.is_set():
            raise CalledOff
        clock.sleep(min(left_s, NAP_S))


class _Listener:
    """Stamps each chunk as it comes and keeps what it holds."""

    def __init__(self, clock: Clock, progress: Progress) -> None:
        self.clock = clock
        self.progress = progress
        self.served = ServedModel()
        self.end: End | None = None
        self._report = ServerReport()
        self._connected = Connected(None, None)
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._pieces: list[Piece] = []
        self._start = 0.0

    @property
    def heard_chars(self) -> int:
        return self.progress.thinking_chars + self.progress.visible_chars

    def start(self) -> None:
        self.progress.thinking_chars = self.progress.visible_chars = 0
        self._start = self.clock.now()

    def hear(self, chunk: Chunk) -> float:
        """Take a chunk; seconds since the start."""
        at_s = self.clock.now() - self._start
        match chunk:
            case VisibleText(text):
                self._text.append(text)
                self.progress.visible_chars += len(text)
                self._note(at_s, "text", text)
            case ThinkingText(text):
                self._thinking.append(text)
                self.progress.thinking_chars += len(text)
                self._note(at_s, "thinking", text)
            case ThinkingStart():
                self._note(at_s, "start", "")
            case ServerReport():
                self._report = _merge(self._report, chunk)
            case Connected():
                self._connected = chunk
                if chunk.since_s is not None:
                    self._start += at_s - chunk.since_s
            case End():
                self.end = chunk
            case Alive():
                pass
        return at_s

    def _note(self, at_s: float, channel: Channel, text: str) -> None:
        self._pieces.append(Piece(at_s, channel, len(text)))

    def build(self, request: Request) -> Recording:
        """What was heard so far."""
        report, served, end = self._report, self.served, self.end
        return Recording(
            text="".join(self._text),
            thinking="".join(self._thinking),
            stop_reason=end.stop_reason if end else "unknown",
            provider_stop_reason=end.provider_stop_reason if end else None,
            usage=Usage(
                input_tokens=report.input_tokens,
                cached_input_tokens=report.cached_input_tokens,
                output_tokens=report.output_tokens,
                thinking_tokens=report.thinking_tokens,
                reported_by=None if report.output_tokens is None else "provider",
            ),
            timing=self._build_timing(),
            pieces=tuple(self._pieces),
            max_tokens=request.max_tokens,
            served_model=report.served_model or served.name,
            warm=served.warm,
            cost_usd=report.cost_usd,
            details=self._build_details(),
        )

    def _build_timing(self) -> Timing:
        texts = [piece for piece in self._pieces if piece.channel == "text"]
        report = self._report
        return Timing(
            ttft_s=self._pieces[0].at_s if self._pieces else None,
            ttfo_s=texts[0].at_s if texts else None,
            total_s=self._pieces[-1].at_s if self._pieces else None,
            connect_s=self._connected.connect_s,
            connection_reused=self._connected.reused,
            load_s=report.load_s if self.served.load_s is None else self.served.load_s,
            decode_s=report.decode_s,
            decode_tokens=report.decode_tokens,
            prefill_s=report.prefill_s,
        )

    def _build_details(self) -> Mapping[str, str | int | float | bool | None]:
        served = self.served
        known = {
            "digest": served.digest,
            "quantization": served.quantization,
            "context_length": served.context_length,
            "request_id": self._report.request_id,
            **served.details,
            **self._report.extras,
        }
        return {name: value for name, value in known.items() if value is not None}


def _merge(earlier: ServerReport, later: ServerReport) -> ServerReport:
    news: dict[str, Any] = {
        each.name: getattr(later, each.name)
        for each in fields(ServerReport)
        if getattr(later, each.name) is not None
    }
    news["extras"] = {**earlier.extras, **later.extras}
    return replace(earlier, **news)
