"""From answers to scores, outcomes and reports."""

import pytest

from small_projects import ADA_ONLY, GOOD, GREET_SUITE, RunBench, WriteAnswers, read_report


@pytest.fixture
def greet(project: pytest.Pytester, answers: WriteAnswers) -> pytest.Pytester:
    project.makepyfile(test_greet=GREET_SUITE)
    answers("good", {"greet.md": GOOD})
    answers("ada", {"greet.md": ADA_ONLY})
    return project


def test_each_model_is_an_item_and_passed_checks_become_points(
    greet: pytest.Pytester, run_bench: RunBench
) -> None:
    result = run_bench("--llm-models=file/good,file/ada,file/none", "--llm-report=out.json")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "score 60 of 100, below 100: 1 of 3 checks failed",
            "  functional: greets Bob: AssertionError: assert *",
        ],
        consecutive=True,
    )
    assert result.ret == 1
    report = read_report(greet.path / "out.json")
    assert {each["model"]: (each["status"], each["score"]) for each in report["results"]} == {
        "file/good": ("scored", 100.0),
        "file/ada": ("scored", 60.0),
        "file/none": ("unscored", None),
    }
