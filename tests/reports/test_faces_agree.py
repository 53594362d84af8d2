"""Every report that a person reads agrees with the JSON to the last digit that it shows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmbench.reports.csv_report import check_csv_lines, result_csv_lines
from pytest_llmbench.reports.json_report import summary_document
from pytest_llmbench.reports.markdown import markdown_lines
from pytest_llmbench.reports.run import ModelRecord, Run
from pytest_llmbench.reports.summary import Summary, summarize
from pytest_llmbench.reports.terminal import terminal_lines
from report_builders import TODO_CHECKS, make_checks, make_generation, make_result, make_run

amounts = st.none() | st.floats(0.001, 5000)
generations = st.builds(
    make_generation,
    ttft_s=st.none() | st.floats(0.001, 5),
    total_s=st.none() | st.floats(5, 5000),
    output_tokens=st.none() | st.integers(1, 500_000),
    tokens_per_s=amounts,
    tokens_per_s_method=st.sampled_from(["server", "stream", "visible", "e2e"]),
    cost_usd=st.none() | st.floats(0.0001, 50),
    truncated=st.booleans(),
    replayed=st.booleans(),
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    results = []
    for model in ("devstral", "sonnet", "opus")[: draw(st.integers(1, 3))]:
        for sample in range(draw(st.integers(1, 3))):
            failures = draw(st.integers(0, 7))
            checks = make_checks({"functional": [("no", None)] * failures})
            generation = draw(generations)
            results.append(make_result(model, sample=sample, checks=checks, generation=generation))
    run = make_run(*results)
    kinds = {label: ModelRecord(f"x/{label}", "x", "cloud") for label in run.models}
    return Run(run.environment, kinds, run.tasks, run.results)


def read_terminal(summary: Summary) -> dict[str, list[list[str]]]:
    """Title → rows of cells, header first, from the text alone."""
    lines = list(terminal_lines(summary, width=200, verbosity=0, colour=False))
    tables = {}
    for number, line in enumerate(lines):
        if re.fullmatch(r"-+(  -+)*", line):
            ends = [match.end() for match in re.finditer("-+", line)]
            starts = [0, *(end + 2 for end in ends[:-1])]
            rows = [lines[number - 1]]
            for row in lines[number + 1 :]:
                if not row.startswith(("devstral", "sonnet", "opus")):
                    break
                rows.append(row)
            tables[lines[number - 2]] = [
                [row[start:end].strip() for start, end in zip(starts, ends, strict=True)]
                for row in rows
            ]
    return tables


def read_markdown(summary: Summary) -> dict[str, list[list[str]]]:
    tables: dict[str, list[list[str]]] = {}
    title = ""
    for line in "".join(markdown_lines(summary)).splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith("| :"):
            cells = [cell.strip().replace("\\", "") for cell in line.strip("|").split(" | ")]
            tables.setdefault(title, []).append(cells)
    return tables


def assert_shows(text: str, value: float | None) -> None:
    """The text is the value, rounded to as many digits as it shows."""
    digits = re.sub(r"[$,s*†‡§ ]", "", text)
    if value is None:
        assert digits == "–"
        return
    decimals = len(digits.partition(".")[2])
    assert digits == f"{value:.{decimals}f}"


@pytest.mark.parametrize("read", [read_terminal, read_markdown])
@given(run=runs())
@settings(max_examples=40)
def test_tables_read_back_are_the_scoreboard(
    read: Callable[[Summary], dict[str, list[list[str]]]], run: Run
) -> None:
    summary = summarize(run)
    document = summary_document(summary)
    tables = read(summary)
    columns = {
        "Performance": {
            "TTFT": "ttft_s",
            "Total": "total_s",
            "Tokens": "output_tokens",
            "tok/s": "tokens_per_s",
            "Cost": "cost_usd",
        },
        "Quality": {"Score": "score"},
    }
    for title, keys in columns.items():
        header, *rows = tables[title]
        assert [row[0] for row in rows] == [each["model"] for each in document["scoreboard"]]
        for row, standing in zip(rows, document["scoreboard"], strict=True):
            shown = dict(zip(header, row, strict=True))
            for column, key in keys.items():
                if column == "Cost" and "Cost" not in shown:
                    assert standing["cost_usd"] is None
                else:
                    assert_shows(shown[column], standing[key])
            if title == "Quality":
                assert_categories(shown, standing)


def assert_categories(shown: dict[str, str], standing: dict[str, Any]) -> None:
    for name in TODO_CHECKS:
        tally = standing["categories"][name]
        assert shown[name.capitalize()] == f"{tally['passed']}/{tally['total']}"


@given(run=runs())
@settings(max_examples=20)
def test_csv_rows_are_the_results_of_the_json(run: Run) -> None:
    summary = summarize(run)
    document = summary_document(summary)
    rows = read_csv(list(result_csv_lines(summary)))
    for row, result in zip(rows, document["results"], strict=True):
        assert row["nodeid"] == result["nodeid"]
        assert float(row["score"]) == result["score"]
        assert int(row["functional.passed"]) == result["categories"]["functional"]["passed"]
        for name in ("ttft_s", "total_s", "output_tokens", "tokens_per_s", "cost_usd"):
            value = result["generation"][name]
            assert row[name] == ("" if value is None else repr(value))
        lost = {each["code"]: each["points_lost"] for each in result["diagnoses"]}
        shown = {name: value for name, value in row.items() if name.startswith("lost.") and value}
        assert {name: float(value) for name, value in shown.items()} == {
            f"lost.{code}": points for code, points in lost.items()
        }
    checks = read_csv(list(check_csv_lines(summary)))
    assert [(row["nodeid"], row["sample"], row["name"], row["passed"]) for row in checks] == [
        (result["nodeid"], str(result["sample"]), check["name"], str(check["passed"]))
        for result in document["results"]
        for check in result["checks"]
    ]


def read_csv(lines: Sequence[str]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(lines))))
