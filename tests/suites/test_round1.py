"""Round 1 as its users run it: by name, on answers from files and on the demo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_llmbench.suites.round1.features import FEATURES
from pytest_llmbench.suites.round1.test_todo import PROMPT
from todo_judging import ANSWERS, FUNCTIONAL

RUN = ("--pyargs", "pytest_llmbench.suites.round1", "-p", "no:randomly")

DEMO_SCORES = {
    "demo-argparse": 100,
    "demo-argv": 100,
    "demo-minimal": 100,
    "demo-menu": 60,
    "demo-thinking-menu": 60,
    "demo-cut-off": 28,
}
PUBLISHED_TIMES = {
    "demo-argparse": (0.87, 14.89, 1461),
    "demo-argv": (1.23, 19.06, 1324),
    "demo-menu": (15.81, 22.11, 620),
    "demo-minimal": (2.24, 10.26, 723),
    "demo-cut-off": (28.20, 30.91, 4096),
}


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("PYTEST_ADDOPTS", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini("[pytest]\n")
    return pytester


def run_round1(
    project: pytest.Pytester, models: str, *arguments: str
) -> tuple[pytest.RunResult, dict[str, dict[str, Any]]]:
    """Run the suite; the results of its report, by model."""
    report = project.path / "report.json"
    outcome = project.runpytest_inprocess(
        *RUN, f"--llm-models={models}", f"--llm-report={report}", *arguments
    )
    results = json.loads(report.read_text(encoding="utf-8"))["results"]
    return outcome, {result["model"]: result for result in results}


def failed_checks(result: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["message"] for check in result["checks"] if not check["passed"]}


def write_answer(project: pytest.Pytester, name: str, text: str) -> str:
    """Save an answer; what to call it on the command line."""
    Path(project.path, f"{name}.md").write_text(text, encoding="utf-8")
    return f"file/{name}.md"


def test_the_demo_scores_as_its_programs_deserve(project: pytest.Pytester) -> None:
    outcome, results = run_round1(project, "demo")
    assert {model: result["score"] for model, result in results.items()} == DEMO_SCORES
    assert outcome.ret == pytest.ExitCode.TESTS_FAILED
    cut_off = results["demo-cut-off"]
    assert {name: each["passed"] for name, each in cut_off["categories"].items()} == {
        "syntax": 0,
        "features": 7,
        "functional": 0,
    }
    assert cut_off["generation"]["stop_reason"] == "length"
    assert set(failed_checks(results["demo-menu"])) == set(FUNCTIONAL)


def test_the_demo_reports_the_published_times_as_replayed(project: pytest.Pytester) -> None:
    outcome, results = run_round1(project, "demo", "--llm-fail-under=0")
    assert outcome.ret == pytest.ExitCode.OK
    for model, published in PUBLISHED_TIMES.items():
        generation = results[model]["generation"]
        figures = tuple(generation[key] for key in ("ttft_s", "total_s", "output_tokens"))
        assert figures == published, model
        assert generation["replayed"] is True
        assert generation["input_tokens"] is None
    assert results["demo-cut-off"]["generation"]["tokens_per_s"] == pytest.approx(132.5, abs=0.05)


def test_the_reference_scores_100_and_junk_nothing(project: pytest.Pytester) -> None:
    _, results = run_round1(project, "reference,junk")
    assert failed_checks(results["reference"]) == {}
    assert results["reference"]["score"] == 100
    assert results["junk"]["score"] == 0


def test_the_checks_stand_in_the_order_of_the_contract(project: pytest.Pytester) -> None:
    _, results = run_round1(project, "reference")
    assert [(each["category"], each["name"]) for each in results["reference"]["checks"]] == [
        ("syntax", "parses"),
        *(("features", name) for name in FEATURES),
        *(("functional", name) for name in FUNCTIONAL),
    ]
    points = {name: each["points"] for name, each in results["reference"]["categories"].items()}
    assert points == {"syntax": 20, "features": 40, "functional": 40}


def test_a_failed_check_says_what_was_seen(project: pytest.Pytester) -> None:
    program = (ANSWERS / "honest" / "argv_if_elif.txt").read_text(encoding="utf-8")
    broken = program.replace("delete from todo where id=?", "delete from todo where id>=?")
    model = write_answer(project, "deletes_more", f"```python\n{broken}```\n")
    _, results = run_round1(project, model)
    messages = failed_checks(results[model])
    assert list(messages) == ["delete one", "list remaining"]
    first_line, *listed = messages["delete one"].split("\n")
    assert first_line.startswith("after `delete 3` “")
    assert first_line.endswith("” is gone from the list:")
    assert [line[:6] for line in listed] == ["[ ] 1.", "[x] 2."]


def test_the_prompt_asks_for_what_is_judged() -> None:
    for word in ("SQLite", "add", "list", "complete", "delete", "timestamps", "pretty output",
                 "error handling", "__main__"):  # fmt: skip
        assert word in PROMPT
    assert PROMPT.endswith("Respond with ONLY the Python code, no explanation.\n")
