"""From answers to scores, outcomes and reports."""

import pytest

from small_projects import (
    ADA_ONLY,
    GOOD,
    GREET_SUITE,
    RunBench,
    WriteAnswers,
    one_of,
    read_report,
    results_by_nodeid,
)


@pytest.fixture
def greet(project: pytest.Pytester, answers: WriteAnswers) -> pytest.Pytester:
    """One task, a right answer to it and one that is right in part."""
    project.makepyfile(test_greet=GREET_SUITE)
    answers("good", {"greet.md": GOOD})
    answers("ada", {"greet.md": ADA_ONLY})
    return project


def test_each_model_is_an_item_and_passed_checks_become_points(
    greet: pytest.Pytester, run_bench: RunBench
) -> None:
    """A right answer, one right in part, and one that is not there: passed, failed, error."""
    result = run_bench("--llm-models=file/good,file/ada,file/none", "--llm-report=out.json")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "score 60 of 100, below 100: 1 of 3 checks failed",
            "  functional: greets Bob: *'Hello, Ada?n' == 'Hello, Bob?n'*",
        ],
        consecutive=True,
    )
    report = read_report(greet.path / "out.json")
    assert [(each["model"], each["status"], each["score"]) for each in report["results"]] == [
        ("file/good", "scored", 100.0),
        ("file/ada", "scored", 60.0),
        ("file/none", "unscored", None),
    ]
    missing = report["results"][2]
    assert missing["reason"] == f"{greet.path / 'none'}: there is no such file or folder"
    assert [row["model"] for row in report["scoreboard"]] == ["file/good", "file/ada", "file/none"]
    assert [row["score"] for row in report["scoreboard"]] == [100.0, 60.0, None]


def test_the_threshold_decides_the_outcome_and_the_exit_code(
    greet: pytest.Pytester, run_bench: RunBench
) -> None:
    run_bench("--llm-models=file/ada", "--llm-fail-under=60").assert_outcomes(passed=1)
    result = run_bench("--llm-models=file/ada", "--llm-fail-under=60.1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["score 60 of 100, below 60.1: 1 of 3 checks failed"])


SHARED = """
import pytest

pytestmark = pytest.mark.llm_task(
    name="shared", prompt="Print 1.", points={"a": 50, "b": 50}, reference="\\nprint(1)\\n"
)

def test_one(solution, rubric):
    with rubric.check("a", "prints 1"):
        assert solution.run().stdout == "1\\n"

def test_two(solution, rubric):
    with rubric.check("b", "prints 2"):
        assert solution.run().stdout == "2\\n"
"""


def test_functions_of_one_task_share_one_score_and_each_answers_for_its_own_checks(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    project.makepyfile(SHARED)
    run_bench("--llm-models=reference", "--llm-report=out.json").assert_outcomes(passed=1, failed=1)
    result = one_of(read_report(project.path / "out.json")["results"])
    assert (result["task"], result["score"]) == ("shared", 50.0)
    assert [name.partition("::")[2] for name in result["nodeids"]] == [
        "test_one[reference]",
        "test_two[reference]",
    ]
    assert result["categories"]["b"] == {"passed": 0, "total": 1, "earned": 0.0, "points": 50.0}


def test_a_function_that_never_ran_leaves_its_task_unscored(
    project: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """`-x` stops before the second function, whose checks nobody knows: no score, and no 0."""
    project.makepyfile(SHARED.replace('== "1', '== "one'))
    result = project.runpytest_inprocess(
        "-x", "-p", "no:randomly", "--llm-models=reference", "--llm-report=out.json"
    )
    result.assert_outcomes(failed=1)
    unscored = one_of(read_report(project.path / "out.json")["results"])
    assert (unscored["status"], unscored["score"], unscored["fault"]) == (
        "unscored",
        None,
        "not-run",
    )
    assert unscored["reason"].endswith("::test_two[reference] did not run")


ROWS = """
import pytest

ROWS = [
    pytest.param(
        number,
        id=f"add{number}",
        marks=pytest.mark.llm_task(
            name=f"rows/add{number}",
            prompt=f"Print {number} plus one.",
            reference=f"\\nprint({number} + 1)\\n",
        ),
    )
    for number in range(3)
]

@pytest.mark.parametrize("number", ROWS)
def test_rows(number, solution, rubric):
    with rubric.check("works", "prints the sum"):
        assert solution.run().stdout == f"{number + 1}\\n"
"""


def test_every_row_of_a_data_driven_suite_is_a_task(
    project: pytest.Pytester, run_bench: RunBench, answers: WriteAnswers
) -> None:
    project.makepyfile(test_rows=ROWS)
    answers("two", {"rows/add0.txt": "print(1)", "rows/add1.txt": "print('?')"})
    run_bench("--llm-models=reference,file/two", "--llm-report=out.json").assert_outcomes(
        passed=4, failed=1, errors=1
    )
    scores = {
        nodeid.partition("[")[2]: result["score"]
        for nodeid, result in results_by_nodeid(project.path / "out.json").items()
    }
    assert scores == {
        "reference-add0]": 100.0,
        "reference-add1]": 100.0,
        "reference-add2]": 100.0,
        "file/two-add0]": 100.0,
        "file/two-add1]": 0.0,
        "file/two-add2]": None,
    }


FAULTS = """
import pytest

@pytest.mark.llm_task(prompt="a", reference="\\nprint(1)\\n", points={"a": 40, "b": 60})
def test_category_without_checks(solution, rubric):
    with rubric.check("a", "prints 1"):
        assert solution.run().stdout == "1\\n"

@pytest.mark.llm_task(prompt="b", reference="\\nprint(1)\\n")
def test_suite_is_broken(solution, rubric):
    with rubric.check("a", "never passes"):
        raise KeyError("in the check")
    raise RuntimeError("outside of a check")

@pytest.mark.llm_task(prompt="c", reference="\\nprint(1)\\n", points={"a": 100})
def test_misspelt_category(solution, rubric):
    with rubric.check("b", "no such category"):
        pass

@pytest.mark.llm_task(prompt="d", reference="\\nprint(1)\\n")
def test_skips_itself(solution):
    pytest.skip("not today")

@pytest.mark.llm_task(prompt="e", reference="\\nprint(1)\\n", points={"a": 50, "b": 50})
def test_looks_for_a_file_that_is_not_there(solution, rubric):
    with rubric.check("a", "passes"):
        pass
    solution.source("other.py")

def test_is_no_task(solution):
    pass
"""


def test_faults_of_the_suite_are_unscored_and_what_never_ran_earns_nothing(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    project.makepyfile(test_faulty=FAULTS)
    result = run_bench("--llm-models=reference", "--llm-report=out.json")
    result.assert_outcomes(failed=4, errors=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "test_is_no_task is no task: mark it with @pytest.mark.llm_task(prompt='…') "
            "to use generation, solution and rubric",
            "score 40 of 100, below 100: 1 category ran no check",
            "  b: no check ran",
        ]
    )
    results = results_by_nodeid(project.path / "out.json")
    seen = {
        nodeid.partition("::test_")[2].partition("[")[0]: (
            each["score"],
            each["fault"],
            each["reason"],
        )
        for nodeid, each in results.items()
    }
    assert seen == {
        "category_without_checks": (40.0, None, None),
        "suite_is_broken": (None, "suite", "RuntimeError: outside of a check"),
        "misspelt_category": (
            None,
            "suite",
            "ValueError: rubric.check('b', 'no such category'): "
            "the task 'misspelt_category' gives points for a",
        ),
        "skips_itself": (None, "skipped", "skipped: not today"),
        "looks_for_a_file_that_is_not_there": (50.0, None, None),
    }
    broken = results["test_faulty.py::test_suite_is_broken[reference]"]
    assert [(each["name"], each["passed"]) for each in broken["checks"]] == [
        ("never passes", False)
    ]
    assert broken["checks"][0]["message"] == "KeyError: 'in the check' (line 11 of test_faulty.py)"


def test_samples_and_prompts_make_items_of_their_own(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    project.makepyfile(
        test_two="""
        import pytest

        @pytest.mark.llm_task(prompts={"terse": "Hi.", "long": "Say hi."}, reference="\\nx = 1\\n")
        def test_two(generation, rubric):
            with rubric.check("a", "says something"):
                assert generation.text
        """
    )
    run_bench("--llm-models=reference", "--llm-samples=2", "-v").assert_outcomes(passed=4)
    result = project.runpytest_inprocess(
        "--llm-models=reference,junk", "--llm-prompts=long", "--collect-only", "-q"
    )
    result.stdout.fnmatch_lines(
        [
            "test_two.py::test_two[[]reference-long[]]",
            "test_two.py::test_two[[]junk-long[]]",
        ]
    )
    result.assert_outcomes(deselected=2)


GIVEN = """
import pytest

@pytest.mark.llm_task(
    prompt="Write add(a, b) in adder.py.",
    entry="adder.py",
    reference="def add(a, b):\\n    return a + b\\n",
    limits={"time_s": 20},
)
def test_adder(solution, rubric):
    done = solution.run_pytest("given", timeout=15)
    for name, outcome in done.tests.items():
        with rubric.check("tests", name.rpartition("::")[2]):
            assert outcome == "passed"
    with rubric.check("tests", "all ran"):
        assert (done.total, done.errors) == (2, 0)
"""


def test_given_tests_judge_an_answer(
    project: pytest.Pytester, run_bench: RunBench, answers: WriteAnswers
) -> None:
    """The suite's tests decide, whatever the answer brings along to be found instead."""
    project.makepyfile(test_adder=GIVEN)
    answers(
        "given",
        {
            "check_adder_test.py": "from adder import add\n\n\ndef test_small():\n"
            "    assert add(1, 2) == 3\n\n\ndef test_negative():\n    assert add(-1, -2) == -3\n"
        },
    )
    answers(
        "wrong",
        {
            "adder.md": "```python adder.py\ndef add(a, b):\n    return abs(a) + abs(b)\n```\n"
            "```python conftest.py\ndef pytest_collection_modifyitems(items):\n"
            "    items.clear()\n```\n"
        },
    )
    answers("quits", {"adder.md": "```python\nimport os\nos._exit(0)\n```\n"})
    models = "--llm-models=reference,file/wrong,file/quits"
    run_bench("test_adder.py", models, "--llm-report=out.json")
    scores = {
        result["model"]: round(result["score"], 1)
        for result in read_report(project.path / "out.json")["results"]
    }
    assert scores == {"reference": 100.0, "file/wrong": 66.7, "file/quits": 0.0}
