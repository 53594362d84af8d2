"""A run's result shows in short what a failed assertion about it needs."""

from pytest_llmbench.given_tests import PytestResult, TestOutcome
from pytest_llmbench.sandbox.protocol import ProgramResult


def test_a_result_shows_its_exit_code_and_how_its_outputs_begin() -> None:
    result = ProgramResult(("todo.py", "add"), 1, "o" * 61, "no such table\n", 0.25)
    assert repr(result) == (
        f"ProgramResult(returncode=1, stdout='{'o' * 60}'…, stderr='no such table\\n')"
    )


def test_a_result_of_a_stopped_run_shows_the_limit() -> None:
    result = ProgramResult(("todo.py",), None, "", "", 10.0, timed_out=True, limit="time: 10 s")
    assert repr(result) == "ProgramResult(limit='time: 10 s', stdout='', stderr='')"


def test_a_result_of_given_tests_shows_how_many_passed() -> None:
    tests: dict[str, TestOutcome] = {"test_a.py::one": "passed", "test_a.py::two": "failed"}
    result = PytestResult(("python",), 1, "F.", "", 0.5, tests=tests)
    assert repr(result) == "PytestResult(passed=1, total=2, returncode=1, stdout='F.', stderr='')"
