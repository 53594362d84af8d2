"""What went wrong is found from evidence, and its points add up to the points lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.diagnosis import CODES, diagnose, diagnose_all
from pytest_llmbench.reports.summary import summarize
from pytest_llmbench.results import Diagnosis, Evidence, GenerationRecord, ProgramRun, Result
from report_builders import (
    TODO_POINTS,
    make_checks,
    make_generation,
    make_result,
    make_run,
    make_unscored,
)

MENU = "while True:\n    choice = input('Choose: ')\n"
TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "/w/todo.py", line 3, in <module>\n'
    "    {line}\n"
    "{exception}\n"
)
END_OF_FILE = TRACEBACK.format(line="input()", exception="EOFError: EOF when reading a line")
NO_TABLE = TRACEBACK.format(line="x()", exception="sqlite3.OperationalError: no such table: todos")
CUT_CODE = TRACEBACK.format(
    line='print(f"Added', exception="SyntaxError: unterminated f-string literal (line 41)"
)


def ran(check: str, *arguments: str, **changes: object) -> ProgramRun:
    run = ProgramRun(("python", "todo.py", *arguments), 0, "", "", 0.1, check=check)
    return replace(run, **changes)  # type: ignore[arg-type]  # fields by name


def functional_runs(**changes: object) -> tuple[ProgramRun, ...]:
    return tuple(ran(f"functional: functional {n}", "add", **changes) for n in range(1, 8))


def failing(
    category: str = "functional",
    count: int = 7,
    message: str = "assert 1 == 0",
    evidence: Evidence | None = None,
    generation: GenerationRecord | None = None,
) -> Result:
    failures: list[tuple[str, str | None]] = [(message, None)] * count
    return make_result(
        checks=make_checks({category: failures}),
        evidence=evidence or Evidence(),
        generation=generation or make_generation(),
    )


def test_a_perfect_answer_has_no_diagnosis() -> None:
    assert diagnose(make_result()) == ()


def test_end_of_file_at_input_is_an_interactive_program() -> None:
    result = failing(evidence=Evidence(runs=functional_runs(returncode=1, stderr=END_OF_FILE)))
    assert diagnose(result) == (
        Diagnosis(
            "interactive-program",
            "it asks with input() instead of reading its arguments (7 checks)",
            40.0,
        ),
    )


def test_a_menu_that_survives_the_end_of_file_is_interactive_all_the_same() -> None:
    evidence = Evidence(files={"todo.py": MENU}, runs=functional_runs(stdout="Bye\n"))
    assert [each.code for each in diagnose(failing(evidence=evidence))] == ["interactive-program"]


def test_a_menu_that_was_given_no_arguments_is_not_blamed_for_asking() -> None:
    runs = (ran("functional: functional 7"),)
    evidence = Evidence(files={"todo.py": MENU}, runs=runs)
    assert [each.code for each in diagnose(failing(count=1, evidence=evidence))] == ["failed-check"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"returncode": 1, "stderr": NO_TABLE},
            Diagnosis(
                "program-crash",
                "it crashed in 7 checks: sqlite3.OperationalError: no such table: todos",
                40.0,
            ),
        ),
        (
            {"returncode": -11},
            Diagnosis("program-crash", "it crashed in 7 checks: ended by signal 11", 40.0),
        ),
        (
            {"returncode": None, "limit": "memory: 512 MiB"},
            Diagnosis(
                "program-crash",
                "it crashed in 7 checks: stopped by its limit (memory: 512 MiB)",
                40.0,
            ),
        ),
        (
            {"returncode": None, "limit": "time: 10 s"},
            Diagnosis("program-timeout", "it did not end in 7 checks: time: 10 s", 40.0),
        ),
        (
            {"output_truncated": True},
            Diagnosis("output-flood", "it wrote without end in 7 checks", 40.0),
        ),
        (
            {"returncode": 1, "stderr": CUT_CODE},
            Diagnosis(
                "syntax-error",
                "the code does not parse: SyntaxError: unterminated f-string literal (line 41)",
                40.0,
            ),
        ),
        (
            {"returncode": 0, "stdout": "added"},
            Diagnosis(
                "failed-check", "failed: functional 1, functional 2, functional 3 and 4 more", 40.0
            ),
        ),
    ],
)
def test_the_runs_of_a_check_say_why_it_failed(
    changes: dict[str, object], expected: Diagnosis
) -> None:
    assert diagnose(failing(evidence=Evidence(runs=functional_runs(**changes)))) == (expected,)


def test_the_points_of_cut_code_belong_to_the_cut() -> None:
    generation = make_generation(
        stop_reason="length", truncated=True, max_tokens=4096, output_tokens=4096
    )
    checks = make_checks(
        {
            "syntax": [("SyntaxError: unterminated f-string literal (line 41)", None)],
            "features": [("no main block", None)] * 3,
            "functional": [(CUT_CODE, None)] * 7,
        }
    )
    diagnoses = diagnose(make_result(checks=checks, generation=generation))
    assert diagnoses == (Diagnosis("truncated", "cut off at its limit of 4,096 tokens", 72.0),)


def test_a_cut_does_not_take_the_blame_for_a_program_that_runs_and_asks() -> None:
    generation = make_generation(stop_reason="length", truncated=True, max_tokens=4096)
    evidence = Evidence(runs=functional_runs(returncode=1, stderr=END_OF_FILE))
    diagnoses = diagnose(failing(evidence=evidence, generation=generation))
    assert [(each.code, each.points_lost) for each in diagnoses] == [
        ("interactive-program", 40.0),
        ("truncated", 0.0),
    ]


def test_thinking_that_used_up_the_limit_is_told_with_the_cut() -> None:
    generation = make_generation(
        stop_reason="length", max_tokens=4096, output_tokens=4096, thinking_tokens=3700
    )
    codes = diagnose(failing(message="the answer holds no code: empty", generation=generation))
    assert codes == (
        Diagnosis(
            "truncated",
            "cut off at its limit of 4,096 tokens, of which 3,700 went into thinking",
            40.0,
        ),
        Diagnosis("thinking-tax", "3,700 of its 4,096 tokens went into thinking", 0.0),
    )


def test_a_full_context_is_told_apart_from_the_token_limit() -> None:
    generation = make_generation(
        stop_reason="length", provider_stop_reason="model_context_window_exceeded"
    )
    assert diagnose(failing(generation=generation)) == (
        Diagnosis(
            "context-overflow",
            "the model's context was full after 180 tokens read and 1,001 written",
            40.0,
        ),
    )


def test_a_refusal_costs_what_the_missing_code_cost() -> None:
    generation = make_generation(stop_reason="refused")
    message = "the answer holds no code: refusal"
    assert diagnose(failing(message=message, generation=generation)) == (
        Diagnosis("refused", "the model declined to answer", 40.0),
    )


def test_an_answer_without_code_says_why() -> None:
    assert diagnose(failing(message="the answer holds no code: prose only")) == (
        Diagnosis("no-code", "the answer holds no code: prose only", 40.0),
    )


def test_a_check_that_ran_nothing_follows_the_cause_of_its_category() -> None:
    runs = functional_runs(returncode=1, stderr=NO_TABLE)[:6]
    diagnoses = diagnose(failing(message="the list shows no id", evidence=Evidence(runs=runs)))
    assert [(each.code, each.points_lost) for each in diagnoses] == [("program-crash", 40.0)]


def test_a_check_that_ran_cleanly_does_not_follow_another() -> None:
    runs = (*functional_runs(returncode=1, stderr=NO_TABLE)[:6], ran("functional: functional 7"))
    diagnoses = diagnose(failing(evidence=Evidence(runs=runs)))
    assert [each.code for each in diagnoses] == ["program-crash", "failed-check"]


def test_a_code_that_the_check_itself_knows_comes_first() -> None:
    checks = make_checks({"functional": [("it hung", "program-timeout")]})
    assert [each.code for each in diagnose(make_result(checks=checks))] == ["program-timeout"]


def test_points_of_a_category_without_checks_are_accounted_for() -> None:
    result = make_result(checks=make_checks(counts={"syntax": 1, "features": 10}))
    assert diagnose(result) == (Diagnosis("not-checked", "no check ran in functional", 40.0),)


def test_loading_is_a_cold_start_when_it_took_a_good_part_of_the_time() -> None:
    cold = make_result(generation=make_generation(load_s=12.1, total_s=20.0))
    assert diagnose(cold) == (
        Diagnosis("cold-start", "12.10 s of its 20.00 s went into loading the model", 0.0),
    )
    assert diagnose(make_result(generation=make_generation(load_s=0.2, total_s=1.0))) == ()


def test_a_late_first_token_of_a_local_model_is_a_cold_start_beside_its_others() -> None:
    ttfts_s = (14.0, 0.9, 1.0, 1.1, 1.0)
    results = [
        make_result(sample=sample, generation=make_generation(ttft_s=ttft_s))
        for sample, ttft_s in enumerate(ttfts_s)
    ]
    first, *others = diagnose_all(results, frozenset({"devstral"}))
    assert first.diagnoses == (
        Diagnosis("cold-start", "its first token took 14.00 s, where 1.00 s is usual", 0.0),
    )
    assert not any(other.diagnoses for other in others)
    assert not any(each.diagnoses for each in diagnose_all(results, frozenset()))


def test_prose_beside_code_is_told_only_where_only_code_was_asked_for() -> None:
    prose = "Here is your program. It stores todos in SQLite.\n" * 5
    evidence = Evidence(
        prompt="Respond with ONLY the Python code, no explanation.",
        answer=f"{prose}```python\nprint()\n```\n",
        files={"todo.py": "print()\n"},
    )
    assert diagnose(make_result(evidence=evidence)) == (
        Diagnosis("extra-prose", "240 characters of prose where only code was asked for", 0.0),
    )
    thought = replace(evidence, answer=f"<think>{prose}</think>\n```python\nprint()\n```\n")
    assert diagnose(make_result(evidence=thought)) == ()
    free = replace(evidence, prompt="Build a todo app and explain it.")
    assert diagnose(make_result(evidence=free)) == ()


def test_waiting_for_the_server_is_told() -> None:
    generation = make_generation(attempts=3, retry_wait_s=12.0, details={"rate_limited": 2})
    assert diagnose(make_result(generation=generation)) == (
        Diagnosis(
            "rate-limited", "3 requests until the server answered, 12.00 s waited between them", 0.0
        ),
    )


def test_an_unscored_result_lost_no_points() -> None:
    assert diagnose(make_unscored()) == ()


messages = st.sampled_from(
    ["assert 1 == 0", CUT_CODE, END_OF_FILE, NO_TABLE, "the answer holds no code: prose", "\x1b["]
) | st.text(max_size=40)
runs = st.builds(
    ProgramRun,
    argv=st.just(("python", "todo.py", "list")),
    returncode=st.none() | st.integers(-15, 3),
    stdout=st.text(max_size=10),
    stderr=messages,
    duration_s=st.just(0.1),
    limit=st.none() | st.sampled_from(["time: 10 s", "memory: 512 MiB", "output: 1 MiB"]),
    check=st.sampled_from(["syntax: syntax 1", "functional: functional 3", "features: features 2"]),
    output_truncated=st.booleans(),
)


@st.composite
def results(draw: st.DrawFn) -> Result:
    counts = draw(st.fixed_dictionaries({name: st.integers(0, 7) for name in TODO_POINTS}))
    failed = {
        name: draw(st.lists(st.tuples(messages, st.none()), max_size=count))
        for name, count in counts.items()
    }
    stop_reason = draw(st.sampled_from(["end", "length", "refused", "unknown"]))
    return make_result(
        model=draw(st.sampled_from(["devstral", "sonnet"])),
        task=draw(st.sampled_from(["todo", "chess"])),
        sample=draw(st.integers(0, 3)),
        checks=make_checks(failed, counts),
        generation=make_generation(stop_reason=stop_reason),
        evidence=Evidence(files={"todo.py": MENU}, runs=tuple(draw(st.lists(runs, max_size=4)))),
    )


@given(results())
def test_points_lost_by_cause_add_up_to_the_points_lost(result: Result) -> None:
    assert result.score is not None
    diagnoses = diagnose(result)
    lost = sum(diagnosis.points_lost for diagnosis in diagnoses)
    assert lost == pytest.approx(100 - result.score, abs=1e-9)
    codes = [diagnosis.code for diagnosis in diagnoses]
    assert len(codes) == len(set(codes))
    assert set(codes) <= set(CODES)


@given(st.lists(results(), min_size=1, max_size=8))
def test_points_lost_by_cause_add_up_for_each_model(many: list[Result]) -> None:
    summary = summarize(make_run(*many))
    scores = {each.model: each.score for each in summary.scoreboard}
    lost = {each.model: each.points_lost for each in summary.troubles}
    for model, score in scores.items():
        assert score is not None
        assert lost.get(model, 0.0) == pytest.approx(100 - score, abs=1e-9)
