"""A run beside an earlier one: the index of runs, what changed, and the gate for CI."""

import json
from typing import Any

import jsonschema
import pytest

from pytest_llmbench.reports.json_report import load_schema
from small_projects import COUNTING_PROVIDER, RunBench, asked, one_of, read_report

MODEL = "--llm-models=counting/m"
SUITE = """
from pathlib import Path
import pytest

BROKEN = (Path(__file__).parent / "broken").exists()
TASKS = [
    pytest.param(name, marks=pytest.mark.llm_task(name=name, prompt=f"Print {name}."), id=name)
    for name in ("t0", "t1", "t2")
]

@pytest.mark.parametrize("name", TASKS)
def test_echo(name, generation, rubric):
    with rubric.check("works", "answers"):
        assert generation.text
    with rubric.check("works", "is liked"):
        assert not BROKEN
"""
"""Three tasks whose second check fails while there is a file `broken`."""


@pytest.fixture
def echo(project: pytest.Pytester) -> pytest.Pytester:
    """A project with an earlier run of a model that loses no points."""
    project.makeconftest(COUNTING_PROVIDER)
    project.makepyfile(test_echo=SUITE)
    return project


def runs(project: pytest.Pytester) -> list[str]:
    return sorted(path.stem for path in (project.path / ".llmbench" / "runs").glob("*"))


def changes(project: pytest.Pytester) -> dict[str, Any]:
    """The only comparison of out.json, which is checked against the schema."""
    report = read_report(project.path / "out.json")
    jsonschema.Draft202012Validator(load_schema()).validate(report)
    return one_of(report["comparisons"])


def test_a_loss_is_found_named_and_fails_the_run_when_that_is_asked_for(
    echo: pytest.Pytester, run_bench: RunBench
) -> None:
    """Three tasks of four samples each fall from 100 to 50 points."""
    run_bench(MODEL, "--llm-samples=4").assert_outcomes(passed=12)
    (echo.path / "broken").touch()
    options = (MODEL, "--llm-samples=4", "--llm-compare=latest", "--llm-fail-under=0")
    result = run_bench(*options, "--llm-report=out.json", "--llm-report=out.md")
    result.assert_outcomes(passed=12)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "Since the earlier run",
            f"  *{runs(echo)[0]}.json",
            "  ! counting/m scores 50 points less than before (95%: −* to −*).",
            "    lost: t0: works: is liked (4/4 → 0/4); t1: works: is liked (4/4 → 0/4); t2:*",
        ]
    )
    found = changes(echo)
    assert (found["a"], found["b"], found["pairs"]) == ("counting/m", "counting/m", 12)
    assert (found["difference"], found["different"], found["regression"]) == (50.0, True, True)
    assert found["checks_won"] == []
    assert found["checks_lost"][0] == {
        "task": "t0",
        "prompt": "default",
        "category": "works",
        "name": "is liked",
        "passed_before": 4,
        "runs_before": 4,
        "passed_now": 0,
        "runs_now": 4,
    }
    assert read_report(echo.path / "out.json")["baseline"].endswith(f"{runs(echo)[0]}.json")
    markdown = (echo.path / "out.md").read_text()
    assert "## Since the earlier run" in markdown
    assert "- **counting/m scores 50 points less than before" in markdown

    first = f"--llm-compare={runs(echo)[0]}"
    gated = run_bench(MODEL, "--llm-samples=4", first, "--llm-fail-under=0",
                      "--llm-fail-on-regression")  # fmt: skip
    assert gated.ret == pytest.ExitCode.TESTS_FAILED
    gated.stdout.fnmatch_lines(
        ["ERROR: llm_fail_on_regression: counting/m scores 50 points less than before *"]
    )


def test_the_gate_lets_a_run_pass_that_is_no_worse(echo: pytest.Pytester) -> None:
    """As an ini setting, with a report of pytest-json-report as the earlier run."""
    (echo.path / "broken").touch()
    echo.runpytest_inprocess(MODEL, "--llm-samples=4", "--json-report", "--json-report-file=a.json")
    (echo.path / "broken").unlink()
    echo.makeini("[pytest]\nllm_fail_on_regression = true\nllm_compare = a.json\n")
    result = echo.runpytest_inprocess(MODEL, "--llm-samples=4", "--llm-report=out.json")
    assert result.ret == pytest.ExitCode.OK
    found = changes(echo)
    assert (found["difference"], found["different"], found["regression"]) == (-50.0, True, False)
    assert [each["task"] for each in found["checks_won"]] == ["t0", "t1", "t2"]
    assert found["text"].startswith("counting/m scores 50 points more than before (95%: +")


@pytest.mark.parametrize(
    ("model", "old", "new", "reason"),
    [
        (
            "--llm-models=counting/other,counting/another",
            "",
            "",
            "No model is in both runs: then counting/m, now counting/other, counting/another.",
        ),
        (
            MODEL,
            "Print {name}.",
            "Print {name}!",
            "No question has a score in both runs. "
            "Left out, as the prompt has changed since: t0, t1, t2.",
        ),
        (
            MODEL,
            "prompt=",
            "points={'works': 50, 'style': 50}, prompt=",
            "No question has a score in both runs. "
            "Left out, as the points have changed since: t0, t1, t2.",
        ),
    ],
    ids=["other models", "other prompts", "other points"],
)
def test_a_gate_that_can_compare_nothing_is_a_mistake(
    echo: pytest.Pytester, model: str, old: str, new: str, reason: str
) -> None:
    """Else a renamed model or a changed suite would switch the gate off unseen."""
    echo.runpytest_inprocess(MODEL, "--llm-samples=4")
    suite = echo.path / "test_echo.py"
    suite.write_text(suite.read_text().replace(old, new))
    options = (model, "--llm-samples=4", "--llm-fail-under=0", "--llm-compare=latest")
    assert echo.runpytest_inprocess(*options).ret == pytest.ExitCode.OK
    first = f"--llm-compare={runs(echo)[0]}"
    result = echo.runpytest_inprocess(*options[:-1], first, "--llm-fail-on-regression")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines([f"ERROR: llm_fail_on_regression: nothing was compared: {reason}"])


def test_the_gate_judges_by_the_questions_that_are_still_the_same(echo: pytest.Pytester) -> None:
    """Two of three tasks are worth other points, or ask something else, and lose them all."""
    echo.runpytest_inprocess(MODEL, "--llm-samples=4")
    suite = echo.path / "test_echo.py"
    changed = suite.read_text().replace('f"Print {name}."', "PROMPTS[name]")
    changed = changed.replace("name=name", "name=name, points=POINTS[name]")
    changed = changed.replace(
        "TASKS",
        "PROMPTS = {'t0': 'Print t0.', 't1': 'Print another.', 't2': 'Print t2.'}\n"
        "POINTS = {'t0': {}, 't1': {}, 't2': {'works': 60}}\nTASKS",
        1,
    )
    suite.write_text(changed.replace("not BROKEN", "name == 't0'"))
    result = echo.runpytest_inprocess(
        MODEL, "--llm-samples=4", "--llm-fail-under=0", "--llm-compare=latest",
        "--llm-fail-on-regression", "--llm-report=out.json",
    )  # fmt: skip
    assert result.ret == pytest.ExitCode.OK
    found = changes(echo)
    assert (found["pairs"], found["difference"], found["checks_lost"]) == (4, 0.0, [])
    result.stdout.fnmatch_lines(
        [
            "  Left out, as the points have changed since: t2.",
            "  Left out, as the prompt has changed since: t1.",
        ]
    )


def test_only_runs_in_which_a_model_was_heard_are_kept(echo: pytest.Pytester) -> None:
    echo.runpytest_inprocess("--llm-models=junk")
    echo.runpytest_inprocess(MODEL, "--collect-only")
    echo.runpytest_inprocess(MODEL, "--llm-record-mode=none")
    assert runs(echo) == []
    echo.runpytest_inprocess(MODEL, "-k", "t0")
    echo.runpytest_inprocess(MODEL, "-k", "t0", "--llm-record-mode=none")
    assert len(runs(echo)) == 2
    kept = read_report(echo.path / ".llmbench" / "runs" / f"{runs(echo)[1]}.json")
    details = one_of(kept["results"])["generation"]["details"]
    assert (echo.path / ".llmbench" / details["recording"]).is_file()


def test_speed_is_compared_only_where_it_compares(echo: pytest.Pytester) -> None:
    """Fresh answers of a local model with the same weights compare; replayed ones do not."""
    local = f"{MODEL}?kind=local"
    (echo.path / "digest").write_text("sha256:one")
    options = ("-k", "t0", "--llm-compare=latest", "--llm-report=out.json")
    echo.runpytest_inprocess(local, "-k", "t0")
    echo.runpytest_inprocess(local, *options)
    fresh = changes(echo)["speed"]
    assert fresh["reason"] is None
    assert len(fresh["total_s"]) == 2
    echo.runpytest_inprocess(local, *options, "--llm-record-mode=none")
    replayed = changes(echo)["speed"]
    assert replayed["reason"] == "this run's answers were recorded earlier"
    assert replayed["total_s"] is None
    (echo.path / "digest").write_text("sha256:two")
    echo.runpytest_inprocess(local, *options[:2], f"--llm-compare={runs(echo)[1]}", options[3])
    assert changes(echo)["speed"]["reason"] == "other weights (sha256:one, now sha256:two)"


def test_two_models_with_other_names_are_compared_when_there_is_no_doubt(
    echo: pytest.Pytester,
) -> None:
    """One model each: these two. Several, and none of the same label: none, and it is said."""
    echo.runpytest_inprocess(MODEL, "-k", "t0")
    result = echo.runpytest_inprocess(
        "--llm-models=counting/n", "-k", "t0", "--llm-compare=latest", "--llm-report=out.json"
    )
    found = changes(echo)
    assert (found["a"], found["b"]) == ("counting/m", "counting/n")
    result.stdout.fnmatch_lines(
        ["  counting/n (before: counting/m): 0 points, but one answer each can't tell."]
    )
    suite = echo.path / "test_echo.py"
    suite.write_text(suite.read_text().replace("Print {name}.", "Print {name}!"))
    result = echo.runpytest_inprocess(
        "--llm-models=counting/o,counting/p", "-k", "t0", "--llm-compare=latest"
    )
    result.stdout.fnmatch_lines(
        [
            "  No model is in both runs: then counting/n, now counting/o, counting/p.",
            "  Left out, as the prompt has changed since: t0.",
        ]
    )


@pytest.mark.parametrize(
    ("arguments", "file", "line"),
    [
        (
            ["--llm-compare=latest"],
            None,
            "ERROR: --llm-compare: there is no run in */.llmbench/runs yet; "
            "run once without this option",
        ),
        (
            ["--llm-compare=nowhere.json"],
            None,
            "ERROR: --llm-compare: 'nowhere.json' is neither a file nor a run in "
            "*/.llmbench/runs; there is no run",
        ),
        (["--llm-compare=old.json"], "{", "ERROR: --llm-compare: *old.json cannot be read: *"),
        (
            ["--llm-compare=old.json"],
            "[]",
            "ERROR: --llm-compare: *old.json cannot be read: "
            "it is no report of pytest-llmbench: it has no schema_version",
        ),
        (
            ["--llm-compare=old.json"],
            json.dumps({"llmbench": {"schema_version": 2}}),
            "ERROR: --llm-compare: *old.json cannot be read: it has schema version 2, "
            "this pytest-llmbench reads up to 1; upgrade pytest-llmbench",
        ),
        (
            ["--llm-fail-on-regression"],
            None,
            "ERROR: --llm-fail-on-regression: than which run? Add --llm-compare=RUN",
        ),
    ],
)
def test_an_earlier_run_that_cannot_be_had_is_one_line_before_anything_is_asked(
    echo: pytest.Pytester, arguments: list[str], file: str | None, line: str
) -> None:
    if file is not None:
        (echo.path / "old.json").write_text(file)
    result = echo.runpytest_inprocess(MODEL, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([line])
    assert asked(echo.path) == []
