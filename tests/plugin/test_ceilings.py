"""A test that never comes to its end is ended alone; pytest-timeout does it, if it is there."""

import pytest

from small_projects import COUNTING_PROVIDER, one_of, read_report

MODEL = "--llm-models=counting/m"

HANGING_SUITE = """
import threading
import pytest

@pytest.mark.llm_task(prompt="Print nothing.")
@pytest.mark.timeout(0.5, func_only=True)
def test_hangs(generation, rubric):
    with rubric.check("works", "never ends"):
        threading.Event().wait(60)
    with rubric.check("works", "never begins"):
        pass

@pytest.mark.llm_task(prompt="Print something.")
def test_ends(generation, rubric):
    with rubric.check("works", "ends"):
        pass
"""

QUIET_SUITE = """
import pytest

@pytest.mark.llm_task(prompt="Print something.")
def test_ends(request, generation, rubric):
    marker = request.node.get_closest_marker("timeout")
    (request.config.rootpath / "timeout").write_text(
        "none" if marker is None else f"{marker.args} {marker.kwargs}"
    )
    with rubric.check("works", "ends"):
        pass

@pytest.mark.llm_task(prompt="Print something else.")
def test_asks_in_its_body(request):
    marker = request.node.get_closest_marker("timeout")
    (request.config.rootpath / "timeout in body").write_text(
        "none" if marker is None else f"{marker.args} {marker.kwargs}"
    )
    with request.getfixturevalue("rubric").check("works", "ends"):
        pass
"""


@pytest.fixture
def suite(project: pytest.Pytester) -> pytest.Pytester:
    project.makeconftest(COUNTING_PROVIDER)
    return project


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:randomly", MODEL, *arguments)


def test_a_check_that_hangs_ends_its_item_alone(suite: pytest.Pytester) -> None:
    """It is unscored, as a fault of the suite, and the other one is scored."""
    suite.makepyfile(test_suite=HANGING_SUITE)
    run(suite, "--llm-report=out.json").assert_outcomes(passed=1, failed=1)
    report = read_report(suite.path / "out.json")
    hung = one_of([each for each in report["results"] if each["task"] == "hangs"])
    other = one_of([each for each in report["results"] if each["task"] == "ends"])
    assert (hung["status"], hung["score"]) == ("unscored", None)
    assert hung["reason"].startswith("Failed: Timeout (>0.5s) from pytest-timeout")
    assert (other["status"], other["score"]) == ("scored", 100.0)


def test_each_task_has_a_ceiling_over_its_body(suite: pytest.Pytester) -> None:
    """Enough for a hundred programs, and for the answer where the body itself asks for it."""
    suite.makepyfile(test_suite=QUIET_SUITE)
    run(suite, "--llm-timeout=30").assert_outcomes(passed=2)
    assert (suite.path / "timeout").read_text() == "(1000.0,) {'func_only': True}"
    assert (suite.path / "timeout in body").read_text() == "(1480.0,) {'func_only': True}"


@pytest.mark.parametrize("way", ["option", "ini", "environment"])
def test_a_timeout_of_the_users_own_stands(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    suite.makepyfile(test_suite=QUIET_SUITE)
    arguments = []
    if way == "option":
        arguments = ["--timeout=77"]
    elif way == "ini":
        suite.makeini("[pytest]\ntimeout = 77\n")
    else:
        monkeypatch.setenv("PYTEST_TIMEOUT", "77")
    run(suite, *arguments).assert_outcomes(passed=2)
    assert (suite.path / "timeout").read_text() == "none"


def test_a_marker_of_the_users_own_stands(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_suite="import pytest\npytestmark = pytest.mark.timeout(77)\n" + QUIET_SUITE
    )
    run(suite).assert_outcomes(passed=2)
    assert (suite.path / "timeout").read_text() == "(77,) {}"


def test_it_works_without_the_plugin(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_suite=QUIET_SUITE)
    run(suite, "-p", "no:timeout", "--strict-markers").assert_outcomes(passed=2)
    assert (suite.path / "timeout").read_text() == "none"
