"""The line below a test that waits for its answer."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import pytest
from _pytest._io import TerminalWriter

from pytest_llmbench.generation.ask import Progress
from pytest_llmbench.generation.lanes import Answer, Answerer, Job, Lanes, Pending
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.live_line import LiveLine, describe_progress
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import Endpoint
from pytest_llmbench.testing.clock import FakeClock

JOB = Job(
    "key", Model("mine", "scripted", "m"), Request((Message("user", "Hello?"),), max_tokens=9)
)


class Terminal:
    """A terminal, as far as the live line knows one; stands in for pytest's configuration."""

    isatty = True

    def __init__(self) -> None:
        self.written = io.StringIO()
        self._tw = TerminalWriter(self.written)

    @property
    def pluginmanager(self) -> Terminal:
        return self

    def getplugin(self, name: str) -> Any:
        return {"terminalreporter": self, "capturemanager": self}[name]

    def global_and_fixture_disabled(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_the_line_is_drawn_again_only_when_its_text_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, clock, pending = Terminal(), FakeClock(), Pending(JOB, Future(), Progress())
    line = LiveLine(cast("pytest.Config", terminal), clock)
    drawn = []
    for stage in ("queued", "queued", "opening", "opening"):
        if stage != pending.progress.stage:
            pending.progress.enter(stage, clock)
        line.show(pending)
        drawn.append(terminal.written.getvalue().count("mine: "))
    assert drawn == [1, 1, 2, 2]
    clock.sleep(1.0)
    line.show(pending)
    assert "mine: opening, 1 s" in terminal.written.getvalue()


class Watcher:
    """Tells what the live line would say when its answer begins."""

    def __init__(self, describe: Callable[[Job, Progress], str]) -> None:
        self._describe = describe
        self.told: list[str] = []

    def expect(self, jobs: object) -> None:
        """Nothing is prepared."""

    def answer(self, job: Job, progress: Progress) -> Answer:
        self.told.append(self._describe(job, progress))
        return Answer(Recording(text="ok"), replayed=False)


def test_a_model_whose_turn_has_come_is_said_to_be_opened() -> None:
    """What comes before its server is asked: an SDK to import, a connection to make."""
    clock = FakeClock()
    watcher = Watcher(
        lambda job, progress: describe_progress(Pending(job, Future(), progress), clock.now())
    )
    answerer: Answerer = watcher
    lanes = Lanes(answerer, lambda _: Endpoint("somewhere", "cloud", 1), clock)
    lanes.find(JOB).future.result(timeout=10)
    assert watcher.told == ["mine: opening, 0 s"]
