"""Small suites and answers for the plugin's own tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

GREET_SUITE = """
import pytest

@pytest.mark.llm_task(
    prompt="Write greet.py: it greets whoever is named on the command line.",
    points={"syntax": 20, "functional": 80},
    entry="greet.py",
    reference="import sys\\nprint('Hello,', sys.argv[1])\\n",
)
def test_greet(solution, rubric):
    with rubric.check("syntax", "parses"):
        solution.parse()
    with rubric.check("functional", "greets Ada"):
        done = solution.run("Ada")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "Hello, Ada\\n"
    with rubric.check("functional", "greets Bob"):
        assert solution.run("Bob").stdout == "Hello, Bob\\n"
"""

GOOD = "```python\nimport sys\nprint('Hello,', sys.argv[1])\n```\n"
ADA_ONLY = "```python\nprint('Hello, Ada')\n```\n"

WriteAnswers: TypeAlias = Callable[[str, dict[str, str]], None]
RunBench: TypeAlias = Callable[..., pytest.RunResult]


def read_report(path: Path) -> dict[str, Any]:
    """A JSON report, as it lies on the disk."""
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def results_by_nodeid(path: Path) -> dict[str, dict[str, Any]]:
    """The results of a JSON report."""
    return {result["nodeid"]: result for result in read_report(path)["results"]}


def one_of(things: list[dict[str, Any]]) -> dict[str, Any]:
    """The only one there is."""
    assert len(things) == 1
    return things[0]
