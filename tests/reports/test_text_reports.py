"""Markdown, CSV, and what GitHub shows."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

from pytest_llmbench.reports.csv_report import check_csv_lines, result_csv_lines
from pytest_llmbench.reports.github import annotation_lines, step_summary_lines
from pytest_llmbench.reports.markdown import NO_SANDBOX, escape_markdown, markdown_lines
from pytest_llmbench.reports.run import Run
from pytest_llmbench.reports.summary import summarize
from pytest_llmbench.reports.writing import write_report
from pytest_llmbench.results import Diagnosis, Evidence, Result
from report_builders import make_checks, make_generation, make_result, make_run, make_unscored

CODE = "import sqlite3\n\nclass Todo:\n    def add(self):\n        pass\n"
MENU_LOSS = Diagnosis("interactive-program", "it asks with input()", 40.0)


def menu(model: str, **changes: object) -> Result:
    checks = make_checks({"functional": [("EOFError", None)] * 7})
    return make_result(model, checks=checks, diagnoses=(MENU_LOSS,), **changes)


def post_run() -> Run:
    evidence = Evidence(files={"todo.py": CODE})
    return make_run(
        make_result("devstral", evidence=evidence),
        menu("qwen", generation=make_generation(total_s=22.0)),
        make_unscored("opus"),
    )


def test_markdown_is_the_whole_post() -> None:
    """Two tables, what went wrong and right, the verdict, the code, the time, the figures."""
    assert "".join(markdown_lines(summarize(post_run()))) == (
        "# Language models compared\n"
        "\n"
        "## Performance\n"
        "\n"
        "| Model | Type | TTFT | Total | Tokens | tok/s |\n"
        "| :-- | :-- | --: | --: | --: | --: |\n"
        "| devstral | local | 1.00 s | 11.00 s | 1,001 | 100.0 |\n"
        "| qwen | local | 1.00 s | 22.00 s | 1,001 | 100.0 |\n"
        "| opus | local | – | – | – | – |\n"
        "\n"
        "## Quality\n"
        "\n"
        "| Model | Syntax | Features | Functional | Score |\n"
        "| :-- | --: | --: | --: | --: |\n"
        "| devstral | 1/1 | 10/10 | 7/7 | 100 |\n"
        "| qwen | 1/1 | 10/10 | 0/7 | 60 |\n"
        "| opus | – | – | – | – |\n"
        "\n"
        "## What went wrong\n"
        "\n"
        "- **qwen**: −40 `interactive-program`: it asks with input()\n"
        "- **opus**: unscored: no server at http://localhost:11434: start it with "
        "\\`ollama serve\\`\n"
        "\n"
        "## What went right\n"
        "\n"
        "Every check passed: **devstral**.\n"
        "\n"
        "## Verdict\n"
        "\n"
        "- devstral scored best: 100 of 100.\n"
        "- devstral and qwen: +40 points, but one answer each can't tell.\n"
        "- Taking score and time together, nothing beats devstral.\n"
        "- Can't tell anything of opus: not one answer could be scored.\n"
        "\n"
        "## Code\n"
        "\n"
        "| Model | Files | Lines | Functions | Classes |\n"
        "| :-- | --: | --: | --: | --: |\n"
        "| devstral | 1 | 4 | 1 | 1 |\n"
        "| qwen | – | – | – | – |\n"
        "| opus | – | – | – | – |\n"
        "\n"
        "Lines that are not blank; medians where there are several answers.\n"
        "\n"
        "## Where the time went\n"
        "\n"
        "| Model | Load | Wait | Thinking | Answer | First visible | e2e tok/s | chars/s |\n"
        "| :-- | --: | --: | --: | --: | --: | --: | --: |\n"
        "| devstral | – | 1.00 s | 0.00 s | 10.00 s | 1.00 s | 91.0 | 390.0 |\n"
        "| qwen | – | 1.00 s | 0.00 s | 21.00 s | 1.00 s | 91.0 | 390.0 |\n"
        "| opus | – | – | – | – | – | – | – |\n"
        "\n"
        "Load, wait, thinking and answer are those of the generation with the median total.\n"
        "\n"
        "## A working program\n"
        "\n"
        "| Model | pass&#64;1 | Time | Tokens | Cost |\n"
        "| :-- | --: | --: | --: | --: |\n"
        "| devstral | 1.00 | 11.00 s | 1,001 | – |\n"
        "| qwen | 0.00 | – | – | – |\n"
        "| opus | – | – | – | – |\n"
        "\n"
        "The mean of an answer divided by the share of answers that reach the threshold.\n"
        "\n"
        "## At a glance\n"
        "\n"
        "| Figure | Value |\n"
        "| :-- | --: |\n"
        "| Models | 3 |\n"
        "| Tasks | 1 |\n"
        "| Scored results | 2 of 3 |\n"
        "| Tokens generated | 2,002 |\n"
        "| Time spent generating | 33.00 s |\n"
        "| Cost | – |\n"
        "\n"
        "## How it was measured\n"
        "\n"
        "pytest-llmbench 0.1.0, Python 3.11.7, Linux-x86\\_64, sandbox: bubblewrap\n"
        "\n"
        "- **devstral**: ollama/devstral\n"
        "- **qwen**: ollama/qwen\n"
        "- **opus**: ollama/opus\n"
    )


def test_markdown_shows_the_effect_of_the_wording() -> None:
    run = make_run(menu("qwen", prompt="published"), make_result("qwen", prompt="explicit"))
    text = "".join(markdown_lines(summarize(run)))
    assert ("| Model | published | explicit |\n| :-- | --: | --: |\n| qwen | 60 | 100 |\n") in text


def test_nothing_of_a_model_is_markup() -> None:
    hostile = "# a|b `c` *d* _e_ [f](g) <script> @here ~~h~~ $x$ \\ &amp;\n- next\x1b"
    assert escape_markdown(hostile) == (
        r"\# a\|b \`c\` \*d\* \_e\_ \[f\](g) &lt;script&gt; &#64;here \~\~h\~\~ \$x\$ "
        r"\\ &amp;amp; - next\\x1b"
    )


def test_no_sandbox_stands_at_the_top() -> None:
    run = post_run()
    run = replace(run, environment=replace(run.environment, sandbox="none"))
    text = "".join(markdown_lines(summarize(run)))
    assert text.startswith(f"# Language models compared\n\n> {NO_SANDBOX}\n\n## Performance")


def test_csv_comes_as_two_files(tmp_path: Path) -> None:
    written = write_report(tmp_path / "run.csv", summarize(post_run()))
    assert written == (tmp_path / "run.csv", tmp_path / "run.checks.csv")
    assert [len(path.read_text().splitlines()) for path in written] == [4, 37]


def test_a_text_cell_is_no_formula_and_keeps_its_lines() -> None:
    checks = make_checks({"syntax": [('=HYPERLINK("http://x")\nsecond, "line"\x1b', None)]})
    text = "".join(check_csv_lines(summarize(make_run(make_result(checks=checks)))))
    row = next(csv.DictReader(io.StringIO(text)))
    assert row["message"] == '\'=HYPERLINK("http://x")\nsecond, "line"\\x1b'


def test_unknown_figures_are_empty_cells() -> None:
    text = "".join(result_csv_lines(summarize(make_run(make_unscored()))))
    row = next(csv.DictReader(io.StringIO(text)))
    assert (row["score"], row["ttft_s"], row["syntax.passed"]) == ("", "", "")
    assert row["reason"].startswith("no server at")


def test_github_gets_an_error_for_each_score_below_the_threshold() -> None:
    run = make_run(menu("ollama/qwen,3:4b"), make_unscored("opus", reason="50% of\n::error::x"))
    assert list(annotation_lines(summarize(run))) == [
        "::error file=test_round1.py,title=ollama/qwen%2C3%3A4b%3A todo"
        "::60 of 100, below 100. −40 interactive-program: it asks with input()",
        "::warning file=test_round1.py,title=opus%3A todo::unscored: 50%25 of ::error::x",
    ]


def test_github_annotates_nothing_that_reached_the_threshold() -> None:
    assert list(annotation_lines(summarize(make_run(menu("qwen"), fail_under=60.0)))) == []


def test_github_is_told_how_many_more_it_would_not_show() -> None:
    run = make_run(*(menu("qwen", sample=number) for number in range(25)))
    lines = list(annotation_lines(summarize(run)))
    assert len(lines) == 10
    assert lines[-1] == "::error title=llmbench::16 more like these"


def test_the_step_summary_is_the_beginning_of_the_post() -> None:
    summary = summarize(post_run())
    short = "".join(step_summary_lines(summary))
    assert "".join(markdown_lines(summary)).startswith(short)
    assert short.endswith("not one answer could be scored.\n\n")


def test_many_outages_do_not_overflow_the_step_summary() -> None:
    """GitHub refuses a summary of more than a megabyte."""
    results = [
        make_unscored(sample=number, reason=f"{number}: {'x' * 5_000}") for number in range(1_000)
    ]
    text = "".join(step_summary_lines(summarize(make_run(*results))))
    assert "- **devstral**: 990 unscored: other reasons\n" in text
    assert len(text) < 10_000
