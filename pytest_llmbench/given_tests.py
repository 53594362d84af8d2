"""Given tests decide about an answer, not the answer: pytest in a box, with a verdict of its own.

A program can end its process, patch pytest in it, leave a conftest.py, or print what a report
looks like. So the verdict comes from a process that never imports the answer, which writes where
the answer cannot, and which knows the expected tests before the answer is read: they are collected
first, with stand-ins for the answer's modules. A test that did not report is an error.

What stays possible: the given tests and the answer share one process, as their imports ask for.
A value of the answer can call itself equal to everything, and code that was written against this
very module can search the memory of its own process for the means to report. Tests that start the
answer as a program of its own are out of its reach.
"""

from __future__ import annotations

import ast
import base64
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatch
from importlib.resources import files as package_files
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

from pytest_llmbench.sandbox.protocol import Box, ProgramResult, SandboxError

TestOutcome: TypeAlias = Literal["passed", "failed", "error", "skipped"]

TEST_FILES = ("test_*.py", "*_test.py")


class GivenTestsError(ValueError):
    """The given tests themselves are at fault; says nothing about the answer."""


@dataclass(frozen=True, slots=True, repr=False)
class PytestResult(ProgramResult):
    """What became of the given tests.

    `returncode` is 0 only when every expected test passed. `stdout` is what pytest and the
    programs under test wrote to their stdout and stderr; `stderr` holds the reasons of the errors,
    one a line.
    """

    tests: Mapping[str, TestOutcome] = field(default_factory=dict, hash=False)
    """Node id → outcome, for every expected test; one that did not report is an error."""

    @property
    def passed(self) -> int:
        """Tests that ran to their end without a failure."""
        return self._count("passed")

    @property
    def failed(self) -> int:
        """Tests in which an assertion did not hold, or that raised."""
        return self._count("failed")

    @property
    def errors(self) -> int:
        """Tests whose fixtures failed, that did not report, or that pytest was patched for."""
        return self._count("error")

    @property
    def total(self) -> int:
        """The expected tests, whatever became of them; skipped ones count here alone."""
        return len(self.tests)

    def _essentials(self) -> list[str]:
        counts = [f"passed={self.passed}", f"total={self.total}"]
        shared = ProgramResult._essentials(self)  # noqa: SLF001  # slots and super() don't agree
        return [*counts, *shared]

    def _count(self, outcome: TestOutcome) -> int:
        return Counter(self.tests.values())[outcome]


def run_given_tests(
    box: Box, tests: Mapping[str, bytes], *, python: str, timeout_s: float | None = None
) -> PytestResult:
    """Lay the given files over the answer's in the box, and run pytest on those that are tests.

    `tests` maps paths relative to the workspace to contents: tests, and what they need (helpers,
    data, conftest.py). `python` is the interpreter as the box sees it; it must find pytest there.
    `timeout_s` is for the run as a whole and replaces `Limits.time_s`.

    Of the answer, pytest reads nothing: no conftest.py (those on the way to a given file are
    removed), no ini file, no module with the name of one of Python's or pytest's own. Plugins of
    third parties are off. Where the answer's programs have left no room for the tests, all of
    them are errors.

    Raises GivenTestsError when the given tests cannot be collected, and SandboxError when the box
    cannot run pytest.
    """
    selected = _select_tests(tests)
    seal = secrets.token_hex(32)
    order = json.dumps(
        {
            "files": {path: base64.b64encode(content).decode() for path, content in tests.items()},
            "tests": selected,
        }
    )
    runner = package_files("pytest_llmbench").joinpath("given_tests_runner.py")
    run = box.run(
        [python, "-I", "-c", runner.read_text("utf-8")],
        stdin=f"{len(order)}\n{order}{seal}".encode(),
        timeout_s=timeout_s,
    )
    return _read_verdict(run, seal, selected, tests)


def read_given_tests(tests: Sequence[str | Path], folder: Path) -> dict[str, bytes]:
    """The contents of test files and folders, by their place in the workspace.

    A file lies there by its name, a folder's files by their paths within it. Relative paths start
    at `folder`. Raises GivenTestsError for what is not there.
    """
    given: dict[str, bytes] = {}
    for test in tests:
        path = folder / test
        if path.is_dir():
            files = [each for each in sorted(path.rglob("*")) if each.is_file()]
            kept = [each for each in files if "__pycache__" not in each.parts]
            given |= {each.relative_to(path).as_posix(): each.read_bytes() for each in kept}
        elif path.is_file():
            given[path.name] = path.read_bytes()
        else:
            raise GivenTestsError(f"given tests: there is no {path}")
    return given


def _select_tests(files: Mapping[str, bytes]) -> list[str]:
    """The files that pytest is to run: those named as tests, or else every Python file."""
    for path in files:
        parts = PurePosixPath(path).parts
        if not parts or parts[0] == "/" or ".." in parts or str(PurePosixPath(path)) != path:
            raise GivenTestsError(f"given tests: {path!r} is no path inside the workspace")
    python_files = sorted(
        path
        for path in files
        if path.endswith(".py") and PurePosixPath(path).name not in ("conftest.py", "__init__.py")
    )
    named = [
        path
        for path in python_files
        if any(fnmatch(PurePosixPath(path).name, pattern) for pattern in TEST_FILES)
    ]
    if not python_files:
        raise GivenTestsError("given tests: there is no Python file among them")
    return named or python_files


def _read_verdict(
    run: ProgramResult, seal: str, selected: Sequence[str], files: Mapping[str, bytes]
) -> PytestResult:
    expected: list[str] | None = None
    outcomes: dict[str, tuple[TestOutcome, str]] = {}
    for kind, value in _sealed_lines(run.stdout, seal):
        if kind == "fault":
            raise GivenTestsError(f"given tests: not collectable without the answer: {value}")
        if kind == "blocked":
            return _judge_blocked(run, str(value), selected, files)
        if kind == "expected":
            expected = value
        elif kind == "outcome":
            name, outcome, reason = value
            outcomes[name] = (outcome, reason)
    if expected is None:
        # The answer has not run yet, but what its programs left before counts for the limits.
        if run.limit is not None and not run.timed_out and not run.out_of_memory:
            return _judge_blocked(run, _describe_end(run), selected, files)
        end = _describe_end(run)
        raise SandboxError(f"given tests: the box cannot run pytest; {end}: {run.stderr[-2000:]}")
    silent: tuple[TestOutcome, str] = ("error", f"it did not report; {_describe_end(run)}")
    return _result(run, selected, {name: outcomes.get(name, silent) for name in expected})


def _judge_blocked(
    run: ProgramResult, reason: str, selected: Sequence[str], files: Mapping[str, bytes]
) -> PytestResult:
    error: tuple[TestOutcome, str] = ("error", f"there is no room for it: {reason}")
    names = [name for path in selected for name in _list_tests(path, files[path])]
    return _result(run, selected, dict.fromkeys(names, error))


def _result(
    run: ProgramResult, selected: Sequence[str], verdict: Mapping[str, tuple[TestOutcome, str]]
) -> PytestResult:
    facts: dict[str, Any] = {each.name: getattr(run, each.name) for each in fields(ProgramResult)}
    facts["argv"] = ("pytest", *selected)
    facts["stdout"] = run.stderr
    facts["stderr"] = "\n".join(
        f"{name}: {reason}" for name, (_, reason) in verdict.items() if reason
    )
    return PytestResult(**facts, tests={name: outcome for name, (outcome, _) in verdict.items()})


def _list_tests(path: str, source: bytes) -> Iterator[str]:
    """The tests that are plain to see in a file, for when pytest cannot be asked."""
    for node in ast.parse(source).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{path}::{node.name}" if isinstance(node, ast.ClassDef) else path
        for each in members:
            if isinstance(each, ast.FunctionDef) and each.name.startswith("test"):
                yield f"{prefix}::{each.name}"


def _sealed_lines(text: str, seal: str) -> Iterator[tuple[str, Any]]:
    for line in text.splitlines():
        given_seal, _, rest = line.partition(" ")
        if given_seal != seal:
            continue
        try:
            kind, value = json.loads(rest)
        except ValueError:  # the last line may be cut
            continue
        yield kind, value


def _describe_end(run: ProgramResult) -> str:
    if run.limit is not None:
        return f"the run met its limit of {run.limit}"
    if run.returncode is not None and run.returncode < 0:
        return f"the run ended with signal {-run.returncode}"
    return f"the run ended with exit code {run.returncode}"
