"""A second chance: what failed goes back to the model, and the next answer is scored."""

import json
from typing import Any

import jsonschema
import pytest

from pytest_llmbench.follow_up import (
    LARGEST_LIMIT,
    MAX_COMPLAINT_CHARS,
    ask_for_more,
    ask_to_correct,
    complain,
)
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.reports.json_report import load_schema
from pytest_llmbench.results import Check
from small_projects import RunBench, one_of, read_report

LEARNER = """
import json
from pathlib import Path
from pytest_llmbench.generation.chunks import End, ServerReport, VisibleText
from pytest_llmbench.providers.protocol import Endpoint, ProviderError, ServedModel

HERE = Path(__file__).parent

class Learner:
    def __init__(self, model):
        self.model = model

    def prepare(self, request, patience):
        return ServedModel()

    def find_digest(self):
        return None

    def stream(self, request, patience):
        turn = len(request.messages) // 2
        said = [(each.role, each.content) for each in request.messages]
        with open(HERE / "asked", "a") as log:
            log.write(json.dumps([request.task, request.max_tokens, said]) + "\\n")
        if self.model.name == "short" and request.max_tokens < 400:
            yield VisibleText("```python\\nprint('Hel")
            yield ServerReport(output_tokens=request.max_tokens, input_tokens=3)
            yield End("length", "length")
            return
        if self.model.name == "refused" and turn:
            raise ProviderError("the prompt is too long", kind="rejected", status=400)
        if self.model.name == "outage" and turn:
            raise ProviderError("no money left", kind="model", status=402)
        answers = {
            "learner": ["Hello", "Hello, Ada"],
            "stubborn": ["Hello"],
            "worse": ["Hello, Ada", "Hello"],
            "mute": ["", "Hello, Ada"],
        }.get(self.model.name, ["Hello"])
        word = answers[min(turn, len(answers) - 1)]
        if word:
            yield VisibleText(f"```python\\nprint('{word}')\\n```\\n")
        yield ServerReport(output_tokens=10 * (turn + 1), input_tokens=3, cost_usd=0.5)
        yield End("end", "stop")

    def close(self):
        pass

class LearningProvider:
    name = "learning"

    def endpoint(self, model):
        return Endpoint("learning.invalid", "cloud", 4)

    def open(self, model):
        return Learner(model)

def pytest_llmbench_providers():
    return [LearningProvider()]
"""
"""Models that do better, or no better, when they are told what failed."""

SUITE = """
import pytest

@pytest.fixture(scope="module")
def once():
    with open("set_up_once", "a") as log:
        log.write("x")
    yield
    with open("torn_down_once", "a") as log:
        log.write("x")

@pytest.fixture
def each_time(tmp_path):
    with open("set_up_each_time", "a") as log:
        log.write("x")
    return tmp_path

@pytest.mark.llm_task(
    prompt="Greet Ada.", points={"runs": 40, "greets": 60}, entry="greet.py", max_tokens=100
)
def test_greet(solution, rubric, once, each_time, record_property):
    record_property("noise", 1)
    print("said by the test")
    solution.exec("touch", "mark")
    with rubric.check("runs", "starts in a fresh workspace"):
        assert solution.exec("ls").stdout.split() == ["greet.py", "mark"]
        assert solution.run().returncode == 0
    with rubric.check("greets", "greets Ada"):
        assert solution.run().stdout == "Hello, Ada\\n"

def test_other(once):
    pass
"""


@pytest.fixture
def greet(project: pytest.Pytester) -> pytest.Pytester:
    """One task, an ordinary test that shares its module's fixture, and models that can learn."""
    project.makeconftest(LEARNER)
    project.makepyfile(test_suite=SUITE)
    return project


def questions(project: pytest.Pytester) -> list[Any]:
    """What was asked, in order: (task, limit, turns)."""
    log = project.path / "asked"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def count(project: pytest.Pytester, name: str) -> int:
    path = project.path / name
    return len(path.read_text()) if path.exists() else 0


def the_result(project: pytest.Pytester) -> dict[str, Any]:
    report = read_report(project.path / "out.json")
    jsonschema.Draft202012Validator(load_schema()).validate(report)
    return one_of(report["results"])


def test_what_failed_goes_back_and_the_next_answer_is_scored_afresh(
    greet: pytest.Pytester, run_bench: RunBench
) -> None:
    """One item, whose last attempt alone is reported; each attempt has a box of its own."""
    run_bench(
        "--llm-models=learning/learner", "--llm-attempts=3", "--llm-report=out.json", "-k", "greet"
    ).assert_outcomes(passed=1)
    result = the_result(greet)
    assert (result["score"], result["attempt_scores"]) == (100.0, [40.0, 100.0])
    first, second = questions(greet)
    assert first == ["greet", 100, [["user", "Greet Ada."]]]
    assert [role for role, _ in second[2]] == ["user", "assistant", "user"]
    assert second[2][1][1] == "```python\nprint('Hello')\n```\n"
    complaint = second[2][2][1]
    assert complaint.startswith("Thank you. I tried it, and this does not work yet:\n\n- greets: ")
    assert "greets Ada:\n  assert 'Hello\\n' == 'Hello, Ada\\n'" in complaint
    assert "starts in a fresh workspace" not in complaint


def test_without_the_option_there_is_one_attempt(greet: pytest.Pytester) -> None:
    greet.runpytest_inprocess("--llm-models=learning/learner", "--llm-report=out.json")
    result = the_result(greet)
    assert (result["score"], result["attempt_scores"]) == (40.0, [40.0])
    assert result["earlier_generations"] == []
    assert len(questions(greet)) == 1


def test_the_last_attempt_counts_even_when_it_is_worse_and_no_attempt_follows_the_last(
    greet: pytest.Pytester,
) -> None:
    """Nobody picks the best of several: that would need to know which one works."""
    for model, scores in (("stubborn", [40.0, 40.0, 40.0]), ("worse", [100.0])):
        greet.runpytest_inprocess(
            f"--llm-models=learning/{model}",
            "--llm-attempts=3",
            "--llm-report=out.json",
            "-k",
            "greet",
        )
        assert the_result(greet)["attempt_scores"] == scores


def test_tokens_costs_and_times_of_all_attempts_are_kept(greet: pytest.Pytester) -> None:
    """`generation` is the scored answer's; the others stand beside it, and totals hold all."""
    greet.runpytest_inprocess(
        "--llm-models=learning/learner", "--llm-attempts=2", "--llm-report=out.json"
    )
    result = the_result(greet)
    report = read_report(greet.path / "out.json")
    assert result["generation"]["output_tokens"] == 20
    assert [each["output_tokens"] for each in result["earlier_generations"]] == [10]
    assert (report["totals"]["output_tokens"], report["totals"]["cost_usd"]) == (30, 1.0)
    row = one_of(report["scoreboard"])
    assert (row["first_score"], row["score"]) == (40.0, 100.0)
    assert row["output_tokens"] == 10
    assert (row["cost_usd"], row["working_program"]["tokens"]) == (1.0, 30.0)


def test_an_answer_that_was_cut_off_gets_twice_the_room_and_the_same_prompt(
    greet: pytest.Pytester,
) -> None:
    greet.runpytest_inprocess(
        "--llm-models=learning/short", "--llm-attempts=4", "--llm-report=out.json", "-k", "greet"
    )
    assert [(limit, len(turns)) for _, limit, turns in questions(greet)] == [
        (100, 1),
        (200, 1),
        (400, 1),
        (400, 3),
    ]


def test_an_empty_answer_can_be_followed_up(greet: pytest.Pytester) -> None:
    greet.runpytest_inprocess(
        "--llm-models=learning/mute", "--llm-attempts=2", "--llm-report=out.json"
    )
    assert the_result(greet)["score"] == 100.0
    assert questions(greet)[1][2][1] == ["assistant", "(no answer)"]


def test_a_server_that_takes_no_longer_question_leaves_the_first_attempt_standing(
    greet: pytest.Pytester, run_bench: RunBench
) -> None:
    result = run_bench(
        "--llm-models=learning/refused", "--llm-attempts=2", "--llm-report=out.json", "-k", "greet"
    )
    result.assert_outcomes(failed=1)
    scored = the_result(greet)
    assert (scored["score"], scored["attempt_scores"]) == (40.0, [40.0])


def test_an_outage_before_the_second_answer_leaves_the_item_unscored(
    greet: pytest.Pytester,
) -> None:
    """Its chance was taken from the model by the surroundings, which is no reason for 40 points."""
    result = greet.runpytest_inprocess(
        "--llm-models=learning/outage", "--llm-attempts=2", "--llm-report=out.json", "-k", "greet"
    )
    result.assert_outcomes(errors=1)
    unscored = the_result(greet)
    assert (unscored["score"], unscored["attempt_scores"]) == (None, [40.0])
    assert unscored["reason"] == "no money left"


def test_fixtures_are_fresh_for_each_attempt_and_the_modules_stay(greet: pytest.Pytester) -> None:
    result = greet.runpytest_inprocess(
        "--llm-models=learning/stubborn",
        "--llm-attempts=3",
        "--junitxml=junit.xml",
        "-ojunit_family=xunit1",
        "-rA",
    )
    result.assert_outcomes(passed=1, failed=1)
    assert count(greet, "set_up_each_time") == 3
    assert (count(greet, "set_up_once"), count(greet, "torn_down_once")) == (1, 1)
    junit = (greet.path / "junit.xml").read_text()
    assert junit.count('name="noise"') == junit.count('name="llmbench.score"') == 1
    assert result.stdout.str().count("said by the test") == 1
    result.stdout.fnmatch_lines(["  attempts: 40 → 40 → 40"])


def test_stopping_at_the_first_failure_waits_for_the_last_attempt(greet: pytest.Pytester) -> None:
    """A failed attempt that is followed by another is no failure to -x or --lf."""
    options = ("--llm-attempts=2", "-x")
    passes = greet.runpytest_inprocess("--llm-models=learning/learner", *options)
    passes.assert_outcomes(passed=2)
    fails = greet.runpytest_inprocess("--llm-models=learning/stubborn", *options)
    fails.assert_outcomes(failed=1, passed=1)
    again = greet.runpytest_inprocess("--llm-models=learning/stubborn", "--lf", "--collect-only")
    again.stdout.fnmatch_lines(["run-last-failure: rerun previous 1 failure"])


def test_each_attempt_is_recorded_and_found_again(
    greet: pytest.Pytester, run_bench: RunBench
) -> None:
    options = ("--llm-models=learning/learner", "--llm-attempts=2", "--llm-report=out.json")
    run_bench(*options).assert_outcomes(passed=2)
    run_bench(*options, "--llm-record-mode=none").assert_outcomes(passed=2)
    assert len(questions(greet)) == 2
    result = the_result(greet)
    assert result["attempt_scores"] == [40.0, 100.0]
    assert result["generation"]["replayed"]
    assert result["earlier_generations"][0]["replayed"]


SHARED = """
import pytest

pytestmark = pytest.mark.llm_task(name="shared", prompt="Greet Ada.")

def test_one(solution, rubric):
    with rubric.check("a", "greets"):
        assert solution.run().stdout == "Hello, Ada\\n"

def test_two(solution, rubric):
    with rubric.check("a", "ends"):
        assert solution.run().returncode == 0
"""


def test_functions_that_share_a_task_have_one_attempt(greet: pytest.Pytester) -> None:
    greet.makepyfile(test_suite=SHARED)
    greet.runpytest_inprocess("--llm-models=learning/learner", "--llm-attempts=2")
    assert len(questions(greet)) == 1


ROWS = """
import pytest

TASKS = [
    pytest.param(name, marks=pytest.mark.llm_task(name=name, prompt=f"Greet {name}."), id=name)
    for name in ("Ada", "Bob")
]

@pytest.mark.parametrize("name", TASKS)
def test_greet(name, solution, rubric):
    with rubric.check("a", "greets"):
        assert f"Hello, {name}" in solution.source()
"""


def test_rows_of_one_function_share_nothing_whatever_the_models_and_samples(
    greet: pytest.Pytester,
) -> None:
    """The tasks of a data-driven suite have all their attempts, each sample its own."""
    greet.makepyfile(test_suite=ROWS)
    greet.runpytest_inprocess(
        "--llm-models=learning/stubborn", "--llm-attempts=2", "--llm-samples=2"
    )
    assert len(questions(greet)) == 2 * 2 * 2


def test_models_whose_answers_are_there_already_have_one_attempt(greet: pytest.Pytester) -> None:
    greet.runpytest_inprocess("--llm-models=junk", "--llm-attempts=2", "--llm-report=out.json")
    assert the_result(greet)["attempt_scores"] == [0.0]


def test_a_timeout_spans_all_attempts_of_an_item(greet: pytest.Pytester) -> None:
    """What pytest-timeout ends is unscored, and is not tried again."""
    greet.makepyfile(
        test_suite="""
        import pytest, threading
        from pathlib import Path

        @pytest.mark.timeout(4)
        @pytest.mark.llm_task(prompt="Greet Ada.")
        def test_greet(solution, rubric):
            with rubric.check("a", "greets"):
                if len(Path("asked").read_text().splitlines()) > 1:
                    threading.Event().wait()
                assert "Ada" in solution.source()
        """
    )
    greet.runpytest_inprocess(
        "--llm-models=learning/stubborn", "--llm-attempts=5", "--llm-report=out.json"
    )
    result = the_result(greet)
    assert (result["status"], result["fault"]) == ("unscored", "suite")
    assert len(questions(greet)) == 2


REQUEST = Request((Message("user", "Greet."),), max_tokens=1_000)


def test_the_room_for_an_answer_grows_up_to_a_bound() -> None:
    def grow(limit: int) -> int | None:
        more = ask_for_more(Request(REQUEST.messages, limit))
        return None if more is None else more.max_tokens

    assert [grow(1_000), grow(40_000), grow(LARGEST_LIMIT)] == [2_000, LARGEST_LIMIT, None]


def make_check(name: str, message: str | None) -> Check:
    return Check("works", name, passed=False, message=message, duration_s=0.0)


@pytest.mark.parametrize(
    ("checks", "unchecked", "lines"),
    [
        (
            [make_check("adds", "assert 1 == 2\nand more")],
            [],
            ["- works: adds:", "  assert 1 == 2", "  and more"],
        ),
        ([make_check("adds", None)], ["style"], [
            "- works: adds:",
            "  failed",
            "- style: nothing of this could be tried",
        ]),
        ([make_check("es\x1bcape", "a\x1b[31mred\ud800")], [], [
            "- works: es\\x1bcape:",
            "  a\\x1b[31mred\\ud800",
        ]),
    ],
)  # fmt: skip
def test_a_complaint_names_each_failed_check_in_plain_text(
    checks: list[Check], unchecked: list[str], lines: list[str]
) -> None:
    opening, empty, *told, empty_too, closing = complain(checks, unchecked).splitlines()
    assert (opening, empty, empty_too) == (
        "Thank you. I tried it, and this does not work yet:",
        "",
        "",
    )
    assert told == lines
    assert closing.startswith("Please correct it.")


def test_a_complaint_is_short_however_much_failed() -> None:
    checks = [make_check(f"check {number}", "x" * 5_000) for number in range(200)]
    text = complain(checks, [])
    assert len(text) < MAX_COMPLAINT_CHARS + 500
    shown = text.count("- works:")
    assert f"- and {200 - shown} more" in text


def test_half_characters_of_an_answer_are_not_sent_back() -> None:
    request = ask_to_correct(REQUEST, "print('\ud800')", [make_check("a", "b")], [])
    assert request.messages[1] == Message("assistant", "print('?')")
