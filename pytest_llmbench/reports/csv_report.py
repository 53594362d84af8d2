"""The report as tables for pandas and spreadsheets: one row a result, and one row a check."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import fields

from pytest_llmbench.reports.summary import Summary
from pytest_llmbench.results import CategoryScore, GenerationRecord, Result
from pytest_llmbench.safe_text import escape_controls

_KEY = ("nodeid", "model", "task", "prompt", "sample")
_OUTCOME = ("status", "reason", "fault", "score")
_FIGURES = tuple(
    each.name for each in fields(GenerationRecord) if each.name not in {"warnings", "details"}
)
_CATEGORY = tuple(each.name for each in fields(CategoryScore))
_CHECK = ("category", "name", "passed", "message", "duration_s")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t")


def result_csv_lines(summary: Summary) -> Iterator[str]:
    """Yield one row a result: its key, outcome, categories, figures, and points lost by cause.

    An unknown figure is an empty cell. Texts are made safe for spreadsheets.
    """
    categories = summary.categories
    codes = sorted({each.code for result in summary.run.results for each in result.diagnoses})
    yield _line(
        [
            *_KEY,
            *_OUTCOME,
            *(f"{category}.{name}" for category in categories for name in _CATEGORY),
            *_FIGURES,
            *(f"lost.{code}" for code in codes),
        ]
    )
    for result in summary.run.results:
        yield _line(
            [
                *(getattr(result, name) for name in (*_KEY, *_OUTCOME)),
                *_category_cells(result, categories),
                *(getattr(result.generation, name, None) for name in _FIGURES),
                *_loss_cells(result, codes),
            ]
        )


def check_csv_lines(summary: Summary) -> Iterator[str]:
    """Yield one row a check, with the key of its result."""
    yield _line([*_KEY, *_CHECK])
    for result in summary.run.results:
        key = [getattr(result, name) for name in _KEY]
        for check in result.checks:
            yield _line([*key, *(getattr(check, name) for name in _CHECK)])


def _category_cells(result: Result, categories: Iterable[str]) -> Iterator[object]:
    for category in categories:
        score = result.categories.get(category)
        yield from (getattr(score, name, None) for name in _CATEGORY)


def _loss_cells(result: Result, codes: Iterable[str]) -> Iterator[float | None]:
    lost = {each.code: each.points_lost for each in result.diagnoses}
    yield from (lost.get(code) for code in codes)


class _Echo:
    """A file for `csv.writer` that hands each row back instead of keeping it."""

    def write(self, text: str) -> str:
        return text


_WRITER = csv.writer(_Echo(), lineterminator="\n")


def _line(cells: Iterable[object]) -> str:
    line: str = _WRITER.writerow([_safe(cell) for cell in cells])
    return line


def _safe(cell: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if not isinstance(cell, str):
        return cell
    text = escape_controls(cell)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
