"""Odd suites and odd answers: each has its place, and none ends the run."""

import json
import signal
import subprocess
import sys
import time

import pytest

from small_projects import (
    COUNTING_PROVIDER,
    ECHO_SUITE,
    INTERRUPTIBLE,
    RunBench,
    WriteAnswers,
    asked,
    one_of,
    read_report,
    results_by_nodeid,
)


def test_half_a_character_ends_no_run(
    project: pytest.Pytester, run_bench: RunBench, answers: WriteAnswers
) -> None:
    """A lone surrogate, as a split emoji leaves it, in an answer, a message and a report."""
    project.makepyfile(
        test_half="""
        import pytest

        @pytest.mark.llm_task(prompt="Say it.")
        def test_half(generation, rubric):
            with rubric.check("a", "says it"):
                assert generation.text == "it"
        """
    )
    answers("half", {"half.json": json.dumps({"text": "half \ud83d"})})
    result = run_bench("--llm-models=file/half", "--llm-report=out.json", "--llm-report=out.html")
    result.assert_outcomes(failed=1)
    check = one_of(read_report(project.path / "out.json")["results"])["checks"][0]
    assert check["message"].splitlines()[-1] == "  + half \\ud83d"


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        ({"text": 3}, "a recording is a JSON object with at least a `text`"),
        (
            {"text": "x", "timing": {"total_s": float("nan")}},
            "`total_s` is nan; expected a number that is not negative",
        ),
        (
            {"text": "x", "timing": {"ttft_s": 5, "ttfo_s": 2, "total_s": 9}},
            "`ttft_s`, `ttfo_s` and `total_s` are not in this order in time",
        ),
        (
            {"text": "x", "usage": {"output_tokens": -5}},
            "`output_tokens` is -5; expected a whole number that is not negative",
        ),
    ],
)
def test_a_recording_that_cannot_be_is_unscored_with_its_reason(
    project: pytest.Pytester, answers: WriteAnswers, recording: dict[str, object], reason: str
) -> None:
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "1"))
    answers("odd", {"t0.json": json.dumps(recording)})
    result = project.runpytest_inprocess("--llm-models=file/odd", "--llm-report=out.json")
    result.assert_outcomes(errors=1)
    unscored = one_of(read_report(project.path / "out.json")["results"])
    assert unscored["reason"] == f"{project.path / 'odd' / 't0.json'} cannot be read: {reason}"


SHARED = """
import pytest

@pytest.mark.llm_task(name="t", prompt="p"{first})
def test_a(solution, rubric):
    with rubric.check("x", "one"):
        pass

@pytest.mark.llm_task(name="t", prompt="p"{second})
def test_b(solution, rubric):
    with rubric.check("y", "two"):
        pass
"""


@pytest.mark.parametrize(
    ("first", "second", "mistake"),
    [
        (
            ", points={'x': 60}",
            ", points={'y': 60}",
            "llm_task(points=…): they add up to 120; a full score is 100",
        ),
        (
            ", points={'x': 60}",
            "",
            " judge the task 't', one with points= and one without; give it to both or to none",
        ),
        (
            ", reference='\\nx = 1\\n'",
            ", reference='\\nx = 2\\n'",
            " give the task 't' two different references",
        ),
    ],
)
def test_functions_that_disagree_about_their_task_are_told(
    project: pytest.Pytester, first: str, second: str, mistake: str
) -> None:
    project.makepyfile(test_t=SHARED.format(first=first, second=second))
    result = project.runpytest_inprocess("--llm-models=junk")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0].startswith(
        "ERROR: test_t.py::test_b[junk] and test_t.py::test_a[junk]"
    )
    assert result.errlines[0].endswith(mistake)


def test_one_reference_serves_all_functions_of_a_task(project: pytest.Pytester) -> None:
    project.makepyfile(test_t=SHARED.format(first="", second=", reference='\\nx = 1\\n'"))
    project.runpytest_inprocess("--llm-models=reference").assert_outcomes(passed=2)


def test_points_that_stay_below_a_full_score_are_remarked(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_t=SHARED.format(first=", points={'x': 30}", second=", points={'y': 50}")
    )
    result = project.runpytest_inprocess("--llm-models=junk", "--llm-report=out.json")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["llmbench: the points of t add up to 80, so 100 cannot be reached"]
    )
    assert one_of(read_report(project.path / "out.json")["results"])["score"] == 80.0


def test_a_unittest_method_cannot_be_a_task_and_is_told_so(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_case="""
        import unittest
        import pytest

        class TestCase(unittest.TestCase):
            @pytest.mark.llm_task(prompt="p")
            def test_it(self):
                pass
        """
    )
    result = project.runpytest_inprocess("--llm-models=junk")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: test_case.py::TestCase::test_it: llm_task needs a function, "
            "or a method of a plain class; "
            "pytest gives a unittest.TestCase neither parameters nor fixtures"
        ]
    )


def test_an_empty_group_is_a_mistake(project: pytest.Pytester) -> None:
    (project.path / "llmbench.toml").write_text("[models]\nnobody = []\n")
    result = project.runpytest_inprocess("--llm-models=nobody")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --llm-models: that is a group without a model"])


def test_a_part_of_a_task_that_was_deselected_leaves_it_unscored(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    """The function that ran is judged by its own checks; of the whole nobody knows the score."""
    project.makepyfile(
        test_t=SHARED.format(first=", points={'x': 50}", second=", points={'y': 50}")
    )
    result = run_bench("--llm-models=junk", "-k", "test_a", "--llm-report=out.json")
    result.assert_outcomes(passed=1)
    unscored = one_of(read_report(project.path / "out.json")["results"])
    assert (unscored["score"], unscored["fault"]) == (None, "not-run")
    assert unscored["reason"] == "test_t.py::test_b[junk] did not run"


def test_rows_are_told_apart_by_their_marks_and_share_a_task_without(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    """Rows of equal values with marks of their own are tasks; rows without judge one answer."""
    project.makepyfile(
        test_rows="""
        import pytest

        task = pytest.mark.llm_task
        OWN = [
            pytest.param(None, id=name, marks=task(name=name, prompt=name, reference=text))
            for name, text in {"a": "\\na=1\\n", "b": "\\nb=1\\n"}.items()
        ]

        @pytest.mark.parametrize("row", OWN)
        def test_own(row, request, generation, rubric):
            with rubric.check("works", "is its own"):
                assert f"{request.node.name[-2]}=1" in generation.text

        @task(name="one", prompt="p", reference="\\nx=1\\n")
        @pytest.mark.parametrize("word", ["x", "zz"])
        def test_one(word, generation, rubric):
            with rubric.check("words", word):
                assert word in generation.text
        """
    )
    result = run_bench("--llm-models=reference", "--llm-samples=2", "--llm-report=out.json")
    result.assert_outcomes(passed=6, failed=2)
    scores = {
        (each["task"], each["sample"]): each["score"]
        for each in read_report(project.path / "out.json")["results"]
    }
    assert scores == {
        ("a", 0): 100.0, ("a", 1): 100.0, ("b", 0): 100.0, ("b", 1): 100.0,
        ("one", 0): 50.0, ("one", 1): 50.0,
    }  # fmt: skip


def test_rows_of_objects_that_have_marks_of_their_own_are_left_alone(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        """
        import pytest

        class Student:
            marks = [80, 90]

        @pytest.mark.parametrize("student", [Student()])
        def test_student(student):
            assert student.marks
        """
    )
    project.runpytest_inprocess("--llm-models=junk").assert_outcomes(passed=1)


CHECKS = """
import pytest

@pytest.mark.llm_task(prompt="p", reference="\\nx = 1\\n")
def test_exits(rubric):
    with rubric.check("a", "calls exit"):
        raise SystemExit(2)
    with rubric.check("a", "goes on"):
        pass

@pytest.mark.llm_task(prompt="p", reference="\\nx = 1\\n")
def test_skips(rubric):
    with rubric.check("a", "skips"):
        pytest.skip("no network")
"""


def test_what_leaves_a_check_fails_it_or_ends_the_test_and_never_passes_it(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(test_checks=CHECKS)
    result = project.runpytest_inprocess("--llm-models=reference", "--llm-report=out.json")
    result.assert_outcomes(failed=1, skipped=1)
    results = results_by_nodeid(project.path / "out.json")
    exits, skips = results.values()
    assert [(each["name"], each["passed"]) for each in exits["checks"]] == [
        ("calls exit", False),
        ("goes on", True),
    ]
    assert (exits["score"], skips["score"], skips["checks"]) == (50.0, None, [])


def test_a_file_name_that_no_disk_takes_is_the_answers_own_business(
    project: pytest.Pytester, answers: WriteAnswers
) -> None:
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "1"))
    long_name = f"{'漢' * 90}.py"
    program = "```python solution.py\nprint('t0')\n```\n"
    answers("long", {"t0.md": f"{program}```python {long_name}\nx = 1\n```\n"})
    project.runpytest_inprocess("--llm-models=file/long").assert_outcomes(passed=1)


def test_an_outage_alone_has_an_exit_code_of_its_own(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    """6 when only answers are missing; 1 as soon as a model that answered fails."""
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "1"))
    assert run_bench("--llm-models=file/gone").ret == 6
    assert run_bench("--llm-models=file/gone,junk").ret == pytest.ExitCode.TESTS_FAILED


def test_an_interrupt_after_an_outage_is_an_interrupt(project: pytest.Pytester) -> None:
    project.makeconftest(COUNTING_PROVIDER)
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "9"))
    run = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "-q", "-p", "no:randomly",
         "--llm-models=file/gone,counting/m?delay_s=1&concurrency=1"],
        cwd=project.path, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while len(asked(project.path)) < 2:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=30) == pytest.ExitCode.INTERRUPTED


def test_a_machine_without_a_runtime_folder_still_locks(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under sudo and in containers, where the variable names what is not there."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(project.path / "gone"))
    project.makeconftest(COUNTING_PROVIDER)
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "1"))
    result = project.runpytest_inprocess("--llm-models=counting/m?kind=local&concurrency=1")
    result.assert_outcomes(passed=1)
