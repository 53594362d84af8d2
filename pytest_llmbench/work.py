"""What is done for one test item: await the answer, unpack it, judge it, write the result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass, replace

import pytest

from pytest_llmbench.diagnosis import lighten
from pytest_llmbench.extraction import Extraction, extract_files
from pytest_llmbench.follow_up import ask_for_more, ask_to_correct
from pytest_llmbench.generation.ask import CalledOff, GenerationFailed
from pytest_llmbench.generation.clock import Clock
from pytest_llmbench.generation.lanes import Job, Lanes, Pending
from pytest_llmbench.generation.measures import build_generation
from pytest_llmbench.generation.recording import Piece, Recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.generation.result import Generation
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import FaultKind
from pytest_llmbench.results import NO_CHECKS, Evidence, Fault, GenerationRecord, Result
from pytest_llmbench.rubric import Notebook, Rubric
from pytest_llmbench.sandbox.protocol import Sandbox
from pytest_llmbench.scoring import (
    FULL_SCORE,
    score_categories,
    share_of_score,
    tell_failed_checks,
    total_score,
)
from pytest_llmbench.settings import DEFAULT_MAX_TOKENS, Settings
from pytest_llmbench.solution import Solution
from pytest_llmbench.tasks import Binding, digest

TURNED_AWAY: frozenset[FaultKind] = frozenset({"rejected", "context-overflow", "unaffordable"})
"""Faults by which a server says that it takes no longer question, or gives no longer answer; or
the cap on the run's cost forbids to ask."""
TIMELINE_POINTS = 200
"""Kept of a stream's timeline for the reports."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all items of a process share."""

    settings: Settings
    clock: Clock
    lanes: Lanes
    sandbox: Callable[[], Sandbox]
    show_waiting: Callable[[Pending], None]
    """Called again and again while a test waits for its answer."""
    most_attempts: Callable[[Model], int]
    """How many answers a model may give to one question of the suite."""
    stage_ceiling_s: float
    """Longer than any stage of a generation lasts."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An earlier answer to the same task, and its score."""

    score: float
    generation: GenerationRecord


class Work:
    """The work on one item, or on one of several attempts at it.

    `earlier` are the attempts before this one, and `request` is what is asked now; None: what
    the task asks.
    """

    def __init__(
        self,
        nodeid: str,
        binding: Binding,
        workshop: Workshop,
        earlier: tuple[Attempt, ...] = (),
        request: Request | None = None,
    ) -> None:
        self.nodeid = nodeid
        self.binding = binding
        self._workshop = workshop
        self._earlier = earlier
        self._request = request
        self._notebook = Notebook()
        self._generation: Generation | None = None
        self._recording: Recording | None = None
        self._extraction: Extraction | None = None
        self._failed: GenerationFailed | None = None
        self.reached_end = False
        """The test came to its end, so its checks count."""

    @property
    def job(self) -> Job:
        """The answer that this item needs."""
        if self._request is None:
            self._request = self._ask_first()
        return Job((*self.binding.key, len(self._earlier)), self.binding.case.model, self._request)

    def _ask_first(self) -> Request:
        task, case = self.binding.task, self.binding.case
        limit = self._workshop.settings.max_tokens or task.max_tokens or DEFAULT_MAX_TOKENS
        return Request(
            messages=(Message("user", task.prompts[case.prompt]),),
            system=task.system,
            max_tokens=limit,
            task=task.name,
            prompt=case.prompt,
            sample=case.sample,
            reference=task.reference,
        )

    @property
    def may_be_asked_again(self) -> bool:
        """Whether the model gets another chance if this answer loses points.

        Where several test functions judge one answer, none of them knows all that is wrong.
        """
        most = self._workshop.most_attempts(self.binding.case.model)
        return len(self._earlier) + 1 < most and not self.binding.shared

    @property
    def was_turned_away(self) -> bool:
        """Whether the server would not take the question of a further attempt."""
        fault = self._failed.fault if self._failed else None
        return bool(self._earlier) and fault is not None and fault.kind in TURNED_AWAY

    def next_attempt(self) -> Work | None:
        """The work on the next answer; None when this one is the last."""
        score, generation = self._score(), self._generation
        if not self.may_be_asked_again or generation is None:
            return None
        if score is None or score >= FULL_SCORE:
            return None
        request = self._ask_again(generation)
        if request is None:
            return None
        earlier = (*self._earlier, Attempt(score, GenerationRecord.of(generation)))
        return Work(self.nodeid, self.binding, self._workshop, earlier, request)

    def _ask_again(self, generation: Generation) -> Request | None:
        request = self.job.request
        if generation.truncated:
            return ask_for_more(request)
        failed = [check for check in self._notebook.checks if not check.passed]
        checked = {check.category for check in self._notebook.checks}
        unchecked = [name for name in self.binding.task.points if name not in checked]
        if not failed and not unchecked:
            return None
        return ask_to_correct(request, generation.text, failed, unchecked)

    @property
    def rubric(self) -> Rubric:
        """The checks of this item."""
        return Rubric(self.binding.task, self._notebook, self._workshop.clock)

    def wait_for_generation(self) -> Generation:
        """The answer, once it is there. Fails the set-up of the test when it failed."""
        job = self.job
        pending = self._workshop.lanes.find(job)
        while not wait([pending.future], timeout=0.1).done:
            self._workshop.show_waiting(pending)
            self._workshop.lanes.end_stuck(pending, self._workshop.stage_ceiling_s)
        fault = pending.future.exception()
        if isinstance(fault, GenerationFailed):
            self._failed = fault
            label, message = job.model.label, str(fault)
            named = message.startswith(f"{label}: ")
            pytest.fail(message if named else f"{label}: {message}", pytrace=False)
        if isinstance(fault, CalledOff):
            pytest.skip("the run ended before this answer was asked for")
        answer = pending.future.result()
        self._recording = answer.recording
        self._generation = build_generation(
            job.model.label,
            answer.recording,
            max_tokens=job.request.max_tokens,
            replayed=answer.replayed,
        )
        return self._generation

    def open_solution(self, generation: Generation) -> Solution:
        """The answer's files, ready to run."""
        task = self.binding.task
        stop_reason = None if generation.stop_reason == "unknown" else generation.stop_reason
        self._extraction = extract_files(
            generation.text,
            entry=task.entry,
            expects=task.expects,
            defines=task.defines,
            stop_reason=stop_reason,
        )
        return Solution(task, self._extraction, self._workshop.sandbox, self._notebook)

    def judge(self) -> str | None:
        """Why this item failed; None when its own checks reach the threshold."""
        checks, points = self._notebook.checks, self.binding.task.points
        if not checks and (self.binding.shared or not points):
            return None
        if self.binding.shared:
            own = {check.category for check in checks}
            points = {name: worth for name, worth in points.items() if name in own}
            score = share_of_score(points, checks)
        else:
            score = total_score(score_categories(points, checks))
        threshold = self._workshop.settings.fail_under
        if score >= threshold:
            return None
        failure = tell_failed_checks(score, threshold, points, checks)
        if self._earlier:
            scores = [*(attempt.score for attempt in self._earlier), score]
            failure += f"\n  attempts: {' → '.join(f'{each:g}' for each in scores)}"
        return failure

    def _score(self) -> float | None:
        """What this answer is worth; None for a test that has no checks or did not end."""
        checks, points = self._notebook.checks, self.binding.task.points
        if not self.reached_end or not (checks or points or self.binding.shared):
            return None
        return total_score(score_categories(points, checks))

    def write_scored(self) -> Result:
        """The result of a test that came to its end."""
        score = self._score()
        if score is None:
            return self.write_unscored(NO_CHECKS, "suite")
        result = self._write()
        scored = replace(
            result,
            status="scored",
            reason=None,
            fault=None,
            score=score,
            attempt_scores=(*result.attempt_scores, score),
            categories=score_categories(self.binding.task.points, self._notebook.checks),
        )
        return scored if self._shows_evidence else lighten(scored)

    def write_unscored(self, reason: str, fault: Fault) -> Result:
        """The result of a test that could not come to a score."""
        if self._failed is not None:
            reason, fault = str(self._failed), "surroundings"
        return replace(self._write(), reason=reason, fault=fault)

    @property
    def _shows_evidence(self) -> bool:
        """Whether a report will show more than figures, or other functions have their say."""
        reports = self._workshop.settings.reports
        return self.binding.shared or any(path.suffix.lower() == ".html" for path in reports)

    def put_away(self) -> None:
        """Let go of all texts: the item is done, and pytest keeps items to the end."""
        if not self.binding.shared:
            self._workshop.lanes.forget(self.job)
        self._generation = self._recording = self._extraction = self._failed = None
        self._request, self._earlier, self._notebook = None, (), Notebook()

    def _write(self) -> Result:
        model, task, prompt, sample = self.binding.key
        generation = self._generation
        files = self._extraction.files if self._extraction else {}
        return Result(
            nodeid=self.nodeid,
            nodeids=(self.nodeid,),
            model=model,
            task=task,
            prompt=prompt,
            sample=sample,
            status="unscored",
            reason=None,
            fault=None,
            score=None,
            checks=tuple(self._notebook.checks),
            generation=None if generation is None else GenerationRecord.of(generation),
            attempt_scores=tuple(attempt.score for attempt in self._earlier),
            earlier_generations=tuple(attempt.generation for attempt in self._earlier),
            files={path: digest(text) for path, text in files.items()},
            evidence=self._gather_evidence(),
        )

    def _gather_evidence(self) -> Evidence:
        task, case = self.binding.task, self.binding.case
        recording = self._failed.partial if self._failed else self._recording
        extraction = self._extraction
        return Evidence(
            prompt=task.prompts[case.prompt],
            answer=recording.text if recording else "",
            thinking=recording.thinking if recording else "",
            files=dict(extraction.files) if extraction else {},
            runs=tuple(self._notebook.runs),
            timeline=_thin_out(recording.pieces) if recording else (),
            extraction_reason=extraction.reason if extraction else None,
            extraction_warnings=extraction.warnings if extraction else (),
        )


def _thin_out(pieces: tuple[Piece, ...]) -> tuple[tuple[float, int, int], ...]:
    """The stream's growth at some moments, the first and the last among them."""
    thinking = visible = 0
    growth = []
    for piece in pieces:
        thinking += piece.chars if piece.channel == "thinking" else 0
        visible += piece.chars if piece.channel == "text" else 0
        growth.append((round(piece.at_s, 4), thinking, visible))
    step = max(1, len(growth) // TIMELINE_POINTS)
    return tuple(growth[:-1:step] + growth[-1:])
