"""An answer at work: its files, and its program run in a box of its own."""

from __future__ import annotations

import ast
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_llmbench.extraction import Extraction
from pytest_llmbench.given_tests import PytestResult, read_given_tests, run_given_tests
from pytest_llmbench.long_texts import cut_middle
from pytest_llmbench.results import ProgramRun
from pytest_llmbench.rubric import Notebook
from pytest_llmbench.sandbox.protocol import Box, ProgramResult, Sandbox
from pytest_llmbench.tasks import Task

EVIDENCE_CHARS = 4_000
"""Kept of a run's outputs for the reports, each."""
NO_FILE_EXIT_CODE = 2
"""What Python exits with when the file that it shall run is not there."""


class MissingAnswer(AssertionError):  # noqa: N818  # a fact about the answer, raised as a failure
    """The answer does not hold what a check wants to look at."""


class Solution:
    """The files of one answer, and a box in which they run.

    The box is opened by the first run; its workspace and its HOME last until the test ends.
    """

    def __init__(
        self,
        task: Task,
        extraction: Extraction,
        sandbox: Callable[[], Sandbox],
        notebook: Notebook,
    ) -> None:
        self._task = task
        self._extraction = extraction
        self._sandbox = sandbox
        self._notebook = notebook
        self._box: Box | None = None

    @property
    def files(self) -> Mapping[str, str]:
        """Path → text, as the answer gave them."""
        return self._extraction.files

    @property
    def extraction(self) -> Extraction:
        """How the answer's text was read."""
        return self._extraction

    def source(self, path: str | None = None) -> str:
        """The text of a file, or of the entry. Raises MissingAnswer when it is not there."""
        path = path or self._task.entry
        if path not in self.files:
            raise MissingAnswer(self._tell_missing(path))
        return self.files[path]

    def parse(self, path: str | None = None) -> ast.Module:
        """The syntax tree of a Python file, or of the entry.

        Raises SyntaxError, and MissingAnswer when the file is not there.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the answer's code, which is not ours to warn of
            try:
                return ast.parse(self.source(path), filename=path or self._task.entry)
            except (ValueError, RecursionError, MemoryError) as error:
                raise SyntaxError(f"it cannot be parsed: {error}") from None

    def run(
        self,
        *argv: str,
        stdin: str | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> ProgramResult:
        """Run the entry with these arguments.

        `timeout` is in seconds and replaces the limit; without `stdin` the program reads end of
        file. Crashes, hangs and floods are in the result, never raised. Raises ValueError for
        arguments with a NUL, which no system hands to a program.
        """
        __tracebackhide__ = True
        entry = self._task.entry
        if entry not in self.files:
            missing = self._tell_missing(entry)
            return self._note(
                ProgramResult((entry, *argv), NO_FILE_EXIT_CODE, "", f"{missing}\n", 0.0)
            )
        return self.exec(self.python, entry, *argv, stdin=stdin, timeout=timeout, env=env)

    def exec(
        self,
        *command: str,
        stdin: str | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> ProgramResult:
        """Run any command in the workspace; see `run`.

        Raises ValueError for one that no system can start.
        """
        __tracebackhide__ = True
        _refuse_impossible(command, env or {})
        result = self.box.run(
            command,
            stdin=None if stdin is None else stdin.encode(),
            timeout_s=timeout,
            env=env,
        )
        return self._note(result)

    def run_pytest(self, *tests: str | Path, timeout: float | None = None) -> PytestResult:
        """Run the suite's own tests on the answer, in a box of their own.

        `tests` are files or folders, relative to the suite's file or absolute. They are laid over
        the answer's files: a folder with what is in it, a file by its name. The tests that count
        are known before the answer is read, and the verdict comes from where it cannot write.
        Raises GivenTestsError when the tests themselves are at fault.
        """
        sandbox = self._sandbox()
        box = sandbox.open_box(self._task.limits, readable=[Path(sys.prefix)])
        try:
            box.write_files(self._as_bytes())
            given = read_given_tests(tests, self._task.folder)
            python = sandbox.python(libraries=True)
            result = run_given_tests(box, given, python=python, timeout_s=timeout)
        finally:
            box.close()
        self._note(result)
        return result

    @property
    def python(self) -> str:
        """The interpreter's path as programs in the box see it: what to start with `exec`."""
        return self._sandbox().python(libraries=self._task.libraries)

    @property
    def box(self) -> Box:
        """The box, with the answer's files in it."""
        if self._box is None:
            readable = [Path(sys.prefix)] if self._task.libraries else []
            self._box = self._sandbox().open_box(self._task.limits, readable=readable)
            self._box.write_files(self._as_bytes())
        return self._box

    def _as_bytes(self) -> dict[str, bytes]:
        return {path: text.encode(errors="replace") for path, text in self.files.items()}

    def close(self) -> None:
        """Remove the box and all that is in it."""
        if self._box is not None:
            self._box.close()
            self._box = None

    def _note(self, result: ProgramResult) -> ProgramResult:
        self._notebook.runs.append(
            ProgramRun(
                argv=result.argv,
                returncode=result.returncode,
                stdout=cut_middle(result.stdout, EVIDENCE_CHARS),
                stderr=cut_middle(result.stderr, EVIDENCE_CHARS),
                duration_s=result.duration_s,
                limit=result.limit,
                output_truncated=result.output_truncated,
                check=self._notebook.under_way,
            )
        )
        return result

    def _tell_missing(self, path: str) -> str:
        if self._extraction.reason:
            return f"the answer holds no code: {self._extraction.reason}"
        others = ", ".join(sorted(self.files))
        return f"the answer holds no {path}" + (f", only {others}" if others else "")


def _refuse_impossible(command: Sequence[str], env: Mapping[str, str]) -> None:
    __tracebackhide__ = True
    if not command:
        raise ValueError("solution.exec(): expected a command")
    for word in (*command, *env, *env.values()):
        if b"\0" in os.fsencode(word):
            raise ValueError(f"a program's arguments and environment hold no NUL; got {word!r}")
