"""Judges the source of one todo program as Round 1 does, in a real sandbox."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pytest_llmbench.sandbox.protocol import Limits, ProgramResult, Sandbox
from pytest_llmbench.suites.round1 import database_probe
from pytest_llmbench.suites.round1.features import find_features
from pytest_llmbench.suites.round1.program import TodoProgram
from pytest_llmbench.suites.round1.stored import StoredRow, parse_rows
from pytest_llmbench.suites.round1.titles import make_titles
from pytest_llmbench.suites.round1.trial import TODO_COUNT, TodoTrial

ANSWERS = Path(__file__).with_name("answers")
PROBE = Path(database_probe.__file__).read_text(encoding="utf-8")

FUNCTIONAL = (
    "add first",
    "add second",
    "list both",
    "complete one",
    "list completed",
    "delete one",
    "list remaining",
)


def find_lost_checks(sandbox: Sandbox, source: str, *, time_s: float = 10.0) -> dict[str, str]:
    """The checks that a program loses, each with its message."""
    lost = {name: "missing" for name, present in find_features([source]).items() if not present}
    box = sandbox.open_box(Limits(time_s=time_s))
    try:
        box.write_files({"todo.py": source.encode()})

        def run(*argv: str, stdin: str | None = None) -> ProgramResult:
            stdin_bytes = None if stdin is None else stdin.encode()
            return box.run([sandbox.python(), "todo.py", *argv], stdin=stdin_bytes)

        def read_rows() -> tuple[StoredRow, ...]:
            return parse_rows(box.run([sandbox.python(), "-I", "-c", PROBE]).stdout)

        titles = make_titles(hashlib.sha256(source.encode()).hexdigest(), TODO_COUNT)
        trial = TodoTrial(TodoProgram(run, read_rows, titles))
        for name in FUNCTIONAL:
            try:
                getattr(trial, name.replace(" ", "_"))()
            except AssertionError as failure:
                lost[name] = str(failure)
    finally:
        box.close()
    return lost
