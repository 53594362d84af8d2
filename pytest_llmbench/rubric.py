"""Checks: blocks whose failure is written down instead of ending the test."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmbench.given_tests import GivenTestsError
from pytest_llmbench.long_texts import cut_middle
from pytest_llmbench.results import Check, ProgramRun
from pytest_llmbench.safe_text import escape_controls
from pytest_llmbench.sandbox.protocol import SandboxError

if TYPE_CHECKING:
    from pytest_llmbench.generation.clock import Clock
    from pytest_llmbench.tasks import Task

MAX_MESSAGE_CHARS = 2_000
MAX_LINE_CHARS = 300
TIMEOUT_MARK = "Timeout ("
"""How the message of pytest-timeout begins."""
_LEADING_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+|\A[ \t]+\Z")


class Notebook:
    """What is written down while one test item runs: its checks, and the runs within them."""

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.runs: list[ProgramRun] = []
        self.under_way: str | None = None
        """`category: name` of the check that is running."""


class Rubric:
    """The checks of one answer, each worth its share of its category's points."""

    def __init__(self, task: Task, notebook: Notebook, clock: Clock) -> None:
        self._task = task
        self._notebook = notebook
        self._clock = clock

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks that have run in this test so far."""
        return tuple(self._notebook.checks)

    def check(self, category: str, name: str) -> AbstractContextManager[None]:
        """Run the block as one check: any exception in it fails this check alone.

        Raises ValueError, outside of the check, for a category that the task's points don't name.
        """
        __tracebackhide__ = True  # what is wrong stands in the suite's own line
        if not (_is_text(category) and _is_text(name)):
            raise TypeError(
                f"rubric.check({category!r}, {name!r}): expected two texts, category and name"
            )
        points = self._task.points
        if points and category not in points:
            raise ValueError(
                f"rubric.check({category!r}, {name!r}): the task {self._task.name!r} "
                f"gives points for {', '.join(points)}"
            )
        return self._judge(category, name)

    @contextmanager
    def _judge(self, category: str, name: str) -> Iterator[None]:
        self._notebook.under_way = f"{category}: {name}"
        start_s = self._clock.now()

        def write_down(message: str | None) -> None:
            duration_s = self._clock.now() - start_s
            check = Check(category, name, message is None, message, duration_s)
            self._notebook.checks.append(check)

        try:
            yield
        except (SandboxError, GivenTestsError):
            raise  # says nothing about the answer
        except (Exception, SystemExit, pytest.fail.Exception) as failure:
            write_down(tell_failure(failure))
            if _is_timeout(failure):
                raise
        else:
            write_down(None)
        finally:
            self._notebook.under_way = None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def tell_failure(failure: BaseException) -> str:
    """Why a check failed, in a few lines: an assertion's own words, or the error and its place."""
    text = _LEADING_BLANK_LINES.sub("", escape_controls(str(failure)))
    kind = type(failure).__name__
    if isinstance(failure, AssertionError | pytest.fail.Exception) and text:
        return _shorten(text)
    if isinstance(failure, SyntaxError):
        return _shorten(f"{kind}: {text}")
    return _shorten(f"{kind}: {text}{_place(failure)}" if text else f"{kind}{_place(failure)}")


def _place(failure: BaseException) -> str:
    """Where in the suite it happened: the check's own line, however deep the error came from."""
    frames = traceback.extract_tb(failure.__traceback__)[1:]  # the first is the rubric's
    return f" (line {frames[0].lineno} of {Path(frames[0].filename).name})" if frames else ""


def _shorten(text: str) -> str:
    lines = (
        line if len(line) <= MAX_LINE_CHARS else f"{line[:MAX_LINE_CHARS]}…"
        for line in text.splitlines()
    )
    return cut_middle("\n".join(lines), MAX_MESSAGE_CHARS)


def _is_timeout(failure: BaseException) -> bool:
    return isinstance(failure, pytest.fail.Exception) and str(failure).startswith(TIMEOUT_MARK)
