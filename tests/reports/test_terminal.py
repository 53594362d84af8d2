"""The report in the terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmbench.reports.run import Run
from pytest_llmbench.reports.summary import summarize
from pytest_llmbench.reports.terminal import terminal_lines
from pytest_llmbench.results import Diagnosis
from pytest_llmbench.safe_text import display_width
from report_builders import make_checks, make_generation, make_result, make_run, make_unscored

MENU = make_checks({"functional": [("EOFError: EOF when reading a line", None)] * 7})
INTERACTIVE = Diagnosis("interactive-program", "it asks with input()", 40.0)


def render(run: Run, *, width: int = 80, verbosity: int = 0, **options: Any) -> str:
    options = {"colour": False, **options}
    lines = terminal_lines(summarize(run), width=width, verbosity=verbosity, **options)
    return "\n".join(lines)


def mixed_run() -> Run:
    return make_run(
        make_result(
            "qwen",
            checks=MENU,
            diagnoses=(INTERACTIVE,),
            generation=make_generation(
                ttft_s=28.2,
                total_s=30.91,
                output_tokens=4096,
                tokens_per_s=132.5137,
                tokens_per_s_method="e2e",
                replayed=True,
            ),
        ),
        make_result("devstral", generation=make_generation(cost_usd=0.0112)),
        make_unscored("sonnet"),
    )


def test_both_tables_and_what_went_wrong_best_first() -> None:
    assert render(mixed_run()).split("\n\nVerdict\n")[0] == (
        "Performance\n"
        "Model     Type                TTFT    Total  Tokens  tok/s      Cost\n"
        "--------  ---------------  -------  -------  ------  ------  -------\n"
        "devstral  local             1.00 s  11.00 s   1,001  100.0   $0.0112\n"
        "qwen      local, replayed  28.20 s  30.91 s   4,096  132.5*        –\n"
        "sonnet    local                  –        –       –      –         –\n"
        "* tok/s end to end: all tokens over the whole time, waiting included\n"
        "\n"
        "Quality\n"
        "Model     Syntax  Features  Functional  Score\n"
        "--------  ------  --------  ----------  -----\n"
        "devstral     1/1     10/10         7/7    100\n"
        "qwen         1/1     10/10         0/7     60\n"
        "sonnet         –         –           –      –\n"
        "\n"
        "What went wrong\n"
        "  qwen    −40 interactive-program: it asks with input()\n"
        "  sonnet  unscored: no server at http://localhost:11434: start it with `ollama\n"
        "          serve`"
    )


def test_the_report_ends_with_where_the_files_lie() -> None:
    report = render(mixed_run(), written=["out.json", "out.html"])
    assert report.endswith("\n\nReports\n  out.json\n  out.html")


def test_quiet_is_the_quality_table_alone() -> None:
    report = render(mixed_run(), verbosity=-1)
    assert report.splitlines()[0] == "Quality"
    assert len(report.splitlines()) == 6


def test_verbose_adds_every_check_with_its_message() -> None:
    report = render(mixed_run(), verbosity=1)
    assert "    passed  features: features 10\n" in report
    assert (
        "    FAILED  functional: functional 7\n            | EOFError: EOF when reading a line\n"
    ) in report


def test_no_sandbox_is_said_first_even_when_quiet() -> None:
    run = mixed_run()
    run = replace(run, environment=replace(run.environment, sandbox="none"))
    for verbosity in (-1, 0):
        assert render(run, verbosity=verbosity).startswith(
            "WARNING: no sandbox. What the models wrote ran with your own rights.\n"
        )


def test_colour_adds_no_text() -> None:
    coloured = render(mixed_run(), colour=True)
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == render(mixed_run())


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    label = "ollama/a-coder-with-a-very-long-name:480b-instruct?num_ctx=16384&think=high"
    report = render(make_run(make_result(label), make_result("短い名前", checks=MENU)), width=width)
    assert max(map(display_width, report.splitlines())) <= width
    assert "ollama/" in report
    assert "high" in report


def test_categories_that_do_not_fit_are_named_and_the_score_stays() -> None:
    names = [f"category {number}" for number in range(12)]
    checks = make_checks(counts=dict.fromkeys(names, 1))
    result = make_result(checks=checks, points=dict.fromkeys(names, 100 / 12))
    lines = render(make_run(result), verbosity=-1).splitlines()
    assert lines[1].endswith("Score")
    assert max(map(len, lines)) <= 80
    assert " ".join(lines[4:]).startswith("Too narrow to show: Category")
    assert " ".join(lines[4:]).endswith("Category 11.")


def test_control_characters_of_a_model_never_reach_the_terminal() -> None:
    hostile = "\x1b[2Jgone\r\x07\x9b31m\u202eesrever\u200b\n\ttabbed"
    checks = make_checks({"syntax": [(hostile, None)]})
    run = make_run(
        make_result("evil\x1b[31m", checks=checks, diagnoses=(Diagnosis("x", hostile, 20.0),)),
        make_unscored("other", reason=hostile),
    )
    report = render(run, verbosity=1)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200b]", report)
    assert r"\x1b[2Jgone" in report


def test_reasons_are_grouped_and_many_are_not_all_listed() -> None:
    same = [make_unscored(sample=number, reason="outage") for number in range(500)]
    other = [make_unscored(sample=500 + number, reason=f"fault {number}") for number in range(9)]
    lines = [line.strip() for line in render(make_run(*same, *other)).splitlines()]
    start = lines.index("devstral  500 unscored: outage")
    assert lines[start + 3] == "7 more unscored for other reasons"


def test_words_of_a_model_are_no_commands_to_a_ci_server() -> None:
    hostile = "::error::gone\n  ##[command]x"
    checks = make_checks({"syntax": [(hostile, None)]})
    cause = Diagnosis("x", "::add-mask::secret " * 10, 20.0)
    report = render(make_run(make_result(checks=checks, diagnoses=(cause,))), verbosity=1)
    assert not re.search(r"^\s*(::|##\[)", report, re.MULTILINE)
    assert "| ::error::gone" in report
    assert r"\::add-mask::secret" in report


def test_a_line_of_a_megabyte_is_cut_and_costs_no_time() -> None:
    huge = "x" * 1_000_000
    cause = Diagnosis("program-crash", huge[:200], 20.0)
    checks = make_checks({"syntax": [(huge, None)]})
    run = make_run(make_result(checks=checks, diagnoses=(cause,)), make_unscored("b", reason=huge))
    report = render(run, verbosity=1)
    assert max(map(len, report.splitlines())) <= 80
    assert len(report) < 15_000
