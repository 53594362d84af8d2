"""One local server is never asked two things at once: in a run, under -n2, and by two runs."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from small_projects import ECHO_SUITE, RunBench

LOGGING_PROVIDER = """
import json, os, time
from pathlib import Path
from pytest_llmbench.generation.chunks import End, VisibleText
from pytest_llmbench.providers.protocol import Endpoint, ServedModel

HERE = Path(__file__).parent

class LoggingSession:
    def __init__(self, name):
        self.name = name

    def prepare(self, request, patience):
        return ServedModel()

    def find_digest(self):
        return None

    def stream(self, request, patience):
        began_s = time.perf_counter()
        time.sleep(0.05)
        yield VisibleText("```python\\nprint('" + request.task + "')\\n```\\n")
        entry = {"model": self.name, "task": request.task, "pid": os.getpid(),
                 "began_s": began_s, "ended_s": time.perf_counter()}
        with open(HERE / "log", "a") as log:
            log.write(json.dumps(entry) + "\\n")
        yield End("end", "stop")

    def close(self):
        pass

class LoggingProvider:
    name = "logging"

    def endpoint(self, model):
        return Endpoint(f"local.invalid {HERE}", "local", 1)

    def open(self, model):
        return LoggingSession(model.name)

def pytest_llmbench_providers():
    return [LoggingProvider()]
"""
"""A conftest.py whose provider has one local server for all models and logs what it does."""


@pytest.fixture
def echo(project: pytest.Pytester) -> pytest.Pytester:
    project.makeconftest(LOGGING_PROVIDER)
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "3"))
    return project


def read_log(folder: Path) -> list[dict[str, Any]]:
    """What the server did, in order of its beginnings."""
    entries = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    return sorted(entries, key=lambda entry: entry["began_s"])


def assert_no_overlap(log: list[dict[str, Any]]) -> None:
    for earlier, later in itertools.pairwise(log):
        assert earlier["ended_s"] <= later["began_s"]


def test_a_local_server_is_asked_by_one_worker_one_model_after_the_other(
    echo: pytest.Pytester, run_bench: RunBench
) -> None:
    run_bench("--llm-models=logging/a,logging/b").assert_outcomes(passed=6)
    log = read_log(echo.path)
    assert [(entry["model"], entry["task"]) for entry in log] == [
        (model, task) for model in ("a", "b") for task in ("t0", "t1", "t2")
    ]
    assert len({entry["pid"] for entry in log}) == 1
    assert_no_overlap(log)


def test_two_runs_at_once_take_turns(echo: pytest.Pytester) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    runs = [
        subprocess.Popen(
            [*command, f"--llm-models=logging/{name}"], cwd=echo.path, stdout=subprocess.DEVNULL
        )
        for name in "ab"
    ]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    log = read_log(echo.path)
    assert len(log) == 6
    assert len({entry["pid"] for entry in log}) == 2
    assert_no_overlap(log)


def test_what_has_not_started_is_not_asked_after_the_first_failure(echo: pytest.Pytester) -> None:
    """Under -x, only what was asked ahead while the first test ran has been asked."""
    wrong = ECHO_SUITE.replace("COUNT", "40").replace('name + "\\n"', '"something else"')
    echo.makepyfile(test_echo=wrong)
    result = echo.runpytest_inprocess("-p", "no:randomly", "-x", "--llm-models=logging/a")
    result.assert_outcomes(failed=1)
    assert len(read_log(echo.path)) < 40
