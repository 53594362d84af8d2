"""The one task of Round 1."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pytest_llmbench.rubric import Rubric
from pytest_llmbench.solution import Solution
from pytest_llmbench.suites.round1 import database_probe
from pytest_llmbench.suites.round1.features import FEATURES, WHAT_IS_MISSING, find_features
from pytest_llmbench.suites.round1.program import TodoProgram
from pytest_llmbench.suites.round1.stored import StoredRow, parse_rows
from pytest_llmbench.suites.round1.titles import make_titles
from pytest_llmbench.suites.round1.trial import TODO_COUNT, TodoTrial, demand

PROMPT = """\
Build a Python CLI todo app with SQLite persistence.

It must have:
- the CRUD commands add, list, complete and delete
- timestamps
- pretty output
- error handling
- a __main__ block

Respond with ONLY the Python code, no explanation.
"""

PROBE = Path(database_probe.__file__).read_text(encoding="utf-8")


@pytest.mark.llm_task(
    prompt=PROMPT,
    points={"syntax": 20, "features": 40, "functional": 40},
    entry="todo.py",
    max_tokens=8192,
    reference="reference_todo.py",
)
def test_todo(solution: Solution, rubric: Rubric) -> None:
    """It parses, has the ten features, and does what a todo app does."""
    with rubric.check("syntax", "parses"):
        solution.parse()
    found = find_features(
        text for path, text in sorted(solution.files.items()) if path.endswith(".py")
    )
    for feature in FEATURES:
        with rubric.check("features", feature):
            demand(found[feature], WHAT_IS_MISSING[feature])
    trial = _start_trial(solution)
    with rubric.check("functional", "add first"):
        trial.add_first()
    with rubric.check("functional", "add second"):
        trial.add_second()
    with rubric.check("functional", "list both"):
        trial.list_both()
    with rubric.check("functional", "complete one"):
        trial.complete_one()
    with rubric.check("functional", "list completed"):
        trial.list_completed()
    with rubric.check("functional", "delete one"):
        trial.delete_one()
    with rubric.check("functional", "list remaining"):
        trial.list_remaining()


def _start_trial(solution: Solution) -> TodoTrial:
    # Titles that follow from the answer itself: no answer can hold its own, and judging the
    # same answer again asks the same.
    answer = hashlib.sha256("\0".join(solution.files.values()).encode(errors="replace"))
    titles = make_titles(answer.hexdigest(), TODO_COUNT)

    def read_rows() -> tuple[StoredRow, ...]:
        return parse_rows(solution.box.run([solution.python, "-I", "-c", PROBE]).stdout)

    return TodoTrial(TodoProgram(solution.run, read_rows, titles))
