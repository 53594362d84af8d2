"""What is done for one test item: await the answer, unpack it, judge it, write the result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass, replace

import pytest

from pytest_llmbench.extraction import Extraction, extract_files
from pytest_llmbench.generation.ask import CalledOff, GenerationFailed
from pytest_llmbench.generation.clock import Clock
from pytest_llmbench.generation.lanes import Job, Lanes, Pending
from pytest_llmbench.generation.measures import build_generation
from pytest_llmbench.generation.recording import Piece, Recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.generation.result import Generation
from pytest_llmbench.results import Evidence, Fault, GenerationRecord, Result
from pytest_llmbench.rubric import Notebook, Rubric
from pytest_llmbench.sandbox.protocol import Sandbox
from pytest_llmbench.scoring import (
    score_categories,
    share_of_score,
    tell_failed_checks,
    total_score,
)
from pytest_llmbench.settings import DEFAULT_MAX_TOKENS, Settings
from pytest_llmbench.solution import Solution
from pytest_llmbench.tasks import Binding, digest

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


class Work:
    """The work on one item."""

    def __init__(self, nodeid: str, binding: Binding, workshop: Workshop) -> None:
        self.nodeid = nodeid
        self.binding = binding
        self._workshop = workshop
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
        task, case = self.binding.task, self.binding.case
        limit = self._workshop.settings.max_tokens or task.max_tokens or DEFAULT_MAX_TOKENS
        request = Request(
            messages=(Message("user", task.prompts[case.prompt]),),
            system=task.system,
            max_tokens=limit,
            task=task.name,
            prompt=case.prompt,
            sample=case.sample,
            reference=task.reference,
        )
        return Job(self.binding.key, case.model, request)

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
        fault = pending.future.exception()
        if isinstance(fault, GenerationFailed):
            self._failed = fault
            pytest.fail(f"{job.model.label}: {fault}", pytrace=False)
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
        if not checks and not points:
            return None
        if self.binding.shared:
            own = {check.category for check in checks}
            points = {name: worth for name, worth in points.items() if name in own}
            score = share_of_score(points, checks)
        else:
            score = total_score(score_categories(points, checks))
        threshold = self._workshop.settings.fail_under
        return None if score >= threshold else tell_failed_checks(score, threshold, points, checks)

    def write_scored(self) -> Result:
        """The result of a test that came to its end."""
        checks = tuple(self._notebook.checks)
        if not checks and not self.binding.task.points:
            return self.write_unscored("the test has no checks", "suite")
        categories = score_categories(self.binding.task.points, checks)
        return replace(
            self._write(),
            status="scored",
            reason=None,
            fault=None,
            score=total_score(categories),
            categories=categories,
        )

    def write_unscored(self, reason: str, fault: Fault) -> Result:
        """The result of a test that could not come to a score."""
        if self._failed is not None:
            reason, fault = str(self._failed), "surroundings"
        return replace(self._write(), reason=reason, fault=fault)

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
