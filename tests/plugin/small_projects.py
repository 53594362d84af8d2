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


COUNTING_PROVIDER = """
import os, time
from pathlib import Path
from pytest_llmbench.generation.chunks import End, ServerReport, VisibleText
from pytest_llmbench.providers.protocol import Endpoint, ServedModel

HERE = Path(__file__).parent

class CountingSession:
    def __init__(self, model):
        self.model = model

    def prepare(self, request, patience):
        return ServedModel(digest=self.find_digest())

    def find_digest(self):
        return (HERE / "digest").read_text() if (HERE / "digest").exists() else None

    def stream(self, request, patience):
        delay_s = float(self.model.parameters.get("delay_s", "0"))
        with open(HERE / "asked", "a") as log:
            log.write(f"{request.task} {request.sample}\\n")
        time.sleep(delay_s)
        yield VisibleText("```python\\nprint('" + request.task + "')\\n```\\n")
        yield ServerReport(output_tokens=12, input_tokens=3)
        yield End("end", "stop")

    def close(self):
        pass

class CountingProvider:
    name = "counting"

    def endpoint(self, model):
        kind = model.parameters.get("kind", "cloud")
        return Endpoint("counting.invalid", kind, int(model.parameters.get("concurrency", "4")))

    def open(self, model):
        return CountingSession(model)

def pytest_llmbench_providers():
    return [CountingProvider()]
"""
"""A conftest.py whose provider writes down what it was asked, and answers with the task's name."""


def asked(folder: Path) -> list[str]:
    """What the counting provider was asked: `task sample`, in order."""
    log = folder / "asked"
    return log.read_text().splitlines() if log.exists() else []


ECHO_SUITE = """
import pytest

TASKS = [
    pytest.param(name, id=name, marks=pytest.mark.llm_task(name=name, prompt=f"Print {name}."))
    for name in [f"t{number}" for number in range(COUNT)]
]

@pytest.mark.parametrize("name", TASKS)
def test_echo(name, solution, rubric):
    with rubric.check("works", "prints its name"):
        assert solution.run().stdout == name + "\\n"
"""
"""As many tasks as COUNT says, each of which the counting provider solves."""


INTERRUPTIBLE = """
import signal, sys, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
sys.exit(pytest.main())
"""
"""Runs pytest so that SIGINT interrupts it, whatever started this process."""
