"""The report in the terminal, as lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from pytest_llmbench.reports.baseline import Changes, change_lines
from pytest_llmbench.reports.figures import show_score
from pytest_llmbench.reports.summary import Summary
from pytest_llmbench.reports.tables import (
    Cell,
    Column,
    Table,
    performance_table,
    quality_table,
    working_program_table,
)
from pytest_llmbench.reports.troubles import Gap, Trouble
from pytest_llmbench.results import Check, Result
from pytest_llmbench.safe_text import (
    cut_end,
    cut_middle,
    display_width,
    escape_controls,
    one_line,
    wrap,
)

_BETWEEN = "  "
_LEAST_LABEL = 12
_GAPS_SHOWN = 3
_MESSAGE_CHARS = 4_000
_CI_COMMAND = re.compile(r"^(\s*)(::|##\[)")
_CODES = {"bold": "1", "red": "31", "green": "32", "dim": "2"}


def terminal_lines(
    summary: Summary,
    *,
    width: int,
    verbosity: int,
    colour: bool,
    written: Sequence[str] = (),
) -> Iterator[str]:
    """Yield the report line by line, none wider than `width` where words allow it.

    Verbosity below 0 gives the quality table alone, above 0 every check as well. Colour only
    repeats what the text says. `written` names the report files, to be listed at the end.
    """
    paint = _paint if colour else _leave_plain
    yield from _sandbox_lines(summary, width, paint)
    if verbosity < 0:
        yield from _table_lines(quality_table(summary), width, paint)
        return
    yield from _table_lines(performance_table(summary), width, paint)
    yield ""
    yield from _table_lines(quality_table(summary), width, paint)
    yield from _trouble_lines(summary.troubles, width, paint)
    if summary.verdict:
        yield from ("", paint("Verdict", "bold"))
        for sentence in summary.verdict:
            yield from _wrap(one_line(sentence), width, indent="  ")
    if summary.changes is not None:
        yield from _change_lines(summary.changes, width, paint)
    if verbosity > 0:
        yield ""
        yield from _table_lines(working_program_table(summary), width, paint)
        yield from _check_lines(summary.run.results, width, paint)
    if written:
        yield from ("", paint("Reports", "bold"), *(f"  {one_line(path)}" for path in written))


Paint = Callable[[str, str], str]


def _paint(text: str, style: str) -> str:
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def _leave_plain(text: str, style: str) -> str:  # noqa: ARG001  # the signature of Paint
    return text


def _sandbox_lines(summary: Summary, width: int, paint: Paint) -> Iterator[str]:
    if summary.run.environment.sandbox == "none":
        warning = "WARNING: no sandbox. What the models wrote ran with your own rights."
        yield from (paint(line, "red") for line in _wrap(warning, width))
        yield ""


def _table_lines(table: Table, width: int, paint: Paint) -> Iterator[str]:
    table, left_out = _fit(_escape_table(table), width)
    widths = _column_widths(table)
    yield paint(table.title, "bold")
    heads = [
        _align(column.header, column, column_width - _mark_width(table, position))
        + " " * _mark_width(table, position)
        for position, (column, column_width) in enumerate(zip(table.columns, widths, strict=True))
    ]
    yield _BETWEEN.join(heads).rstrip()
    yield _BETWEEN.join("-" * column_width for column_width in widths)
    for row in table.rows:
        cells = [
            _lay_out(cell, table.columns[position], widths[position], _mark_width(table, position))
            for position, cell in enumerate(row)
        ]
        painted = [
            paint(text, "green" if cell.passed else "red") if cell.passed is not None else text
            for text, cell in zip(cells, row, strict=True)
        ]
        yield _BETWEEN.join(painted).rstrip()
    for mark, note in table.footnotes:
        yield from _wrap(f"{mark} {note}".strip(), width)
    if left_out:
        yield from _wrap(f"Too narrow to show: {', '.join(left_out)}.", width)


def _escape_table(table: Table) -> Table:
    return replace(
        table,
        columns=tuple(replace(each, header=one_line(each.header)) for each in table.columns),
        rows=tuple(
            tuple(replace(cell, text=one_line(cell.text)) for cell in row) for row in table.rows
        ),
    )


def _fit(table: Table, width: int) -> tuple[Table, list[str]]:
    """Cut the labels and, if that does not suffice, leave out category columns from the right."""
    left_out: list[str] = []
    while True:
        excess = sum(_column_widths(table)) + len(_BETWEEN) * (len(table.columns) - 1) - width
        longest = _column_widths(table)[0]
        categories = [at for at, column in enumerate(table.columns) if column.category]
        if longest - max(excess, 0) >= min(longest, _LEAST_LABEL) or not categories:
            label = max(longest - max(excess, 0), min(longest, _LEAST_LABEL))
            return _cut_labels(table, label), left_out
        left_out.insert(0, table.columns[categories[-1]].header)
        table = _without_column(table, categories[-1])


def _cut_labels(table: Table, width: int) -> Table:
    rows = ((replace(row[0], text=cut_middle(row[0].text, width)), *row[1:]) for row in table.rows)
    return replace(table, rows=tuple(rows))


def _without_column(table: Table, position: int) -> Table:
    return replace(
        table,
        columns=table.columns[:position] + table.columns[position + 1 :],
        rows=tuple(row[:position] + row[position + 1 :] for row in table.rows),
    )


def _column_widths(table: Table) -> list[int]:
    return [
        max(
            display_width(column.header),
            *(display_width(row[position].text) for row in table.rows),
            0,
        )
        + _mark_width(table, position)
        for position, column in enumerate(table.columns)
    ]


def _mark_width(table: Table, position: int) -> int:
    """The room kept for marks, so that figures stay aligned beside them."""
    return max((len(row[position].mark) for row in table.rows), default=0)


def _lay_out(cell: Cell, column: Column, width: int, mark_width: int) -> str:
    return _align(cell.text, column, width - mark_width) + cell.mark.ljust(mark_width)


def _align(text: str, column: Column, width: int) -> str:
    padding = " " * (width - display_width(text))
    return padding + text if column.align == "right" else text + padding


def _trouble_lines(troubles: Sequence[Trouble], width: int, paint: Paint) -> Iterator[str]:
    if not troubles:
        return
    yield from ("", paint("What went wrong", "bold"))
    label_width = min(
        max(display_width(one_line(each.model)) for each in troubles), max(width // 4, _LEAST_LABEL)
    )
    for trouble in troubles:
        label = cut_middle(one_line(trouble.model), label_width)
        head = "  " + label + " " * (label_width - display_width(label)) + _BETWEEN
        for text in _explain(trouble):
            yield from _wrap(text, width, indent=" " * len(head), first=head)
            head = " " * len(head)


def _explain(trouble: Trouble) -> Iterator[str]:
    """One text for the points lost, one for what cost none, one for each reason of a gap."""
    costly = [cause for cause in trouble.causes if cause.points_lost > 0]
    free = [cause for cause in trouble.causes if cause.points_lost <= 0]
    if costly:
        yield "; ".join(
            f"−{show_score(cause.points_lost)} {cause.code}: {one_line(cause.message)}"
            for cause in costly
        )
    if free:
        yield "; ".join(f"{cause.code}: {one_line(cause.message)}" for cause in free)
    for gap in trouble.gaps[:_GAPS_SHOWN]:
        yield _explain_gap(gap)
    more = sum(gap.results for gap in trouble.gaps[_GAPS_SHOWN:])
    if more:
        yield f"{more} more unscored for other reasons"


def _explain_gap(gap: Gap) -> str:
    count = "" if gap.results == 1 else f"{gap.results:,} "
    return f"{count}unscored: {one_line(gap.reason[:_MESSAGE_CHARS])}"


def _change_lines(changes: Changes, width: int, paint: Paint) -> Iterator[str]:
    yield from ("", paint("Since the earlier run", "bold"))
    yield f"  {one_line(changes.source)}"
    for comparison in changes.comparisons:
        text = one_line(comparison.text)
        yield from _wrap(f"! {text}" if comparison.regression else text, width, indent="  ")
        for line in change_lines(comparison):
            yield from _wrap(one_line(line), width, indent="      ", first="    ")
    for remark in changes.remarks:
        yield from _wrap(one_line(remark), width, indent="  ")


def _check_lines(results: Iterable[Result], width: int, paint: Paint) -> Iterator[str]:
    yield from ("", paint("Checks", "bold"))
    for result in results:
        score = "unscored" if result.score is None else show_score(result.score)
        yield from _wrap(f"{one_line(result.nodeid)}  {score}", width, indent="    ", first="  ")
        for check in result.checks:
            yield from _check_line(check, width, paint)


def _check_line(check: Check, width: int, paint: Paint) -> Iterator[str]:
    verdict = paint("passed", "green") if check.passed else paint("FAILED", "red")
    name = one_line(f"{check.category}: {check.name}")
    yield f"    {verdict}  {cut_end(name, max(width - 12, _LEAST_LABEL))}"
    for line in (check.message or "")[:_MESSAGE_CHARS].splitlines():
        yield from _wrap(escape_controls(line), width, indent=" " * 12 + "| ")


def _wrap(text: str, width: int, indent: str = "", first: str | None = None) -> list[str]:
    lines = wrap(
        text,
        max(width, len(indent) + _LEAST_LABEL),
        first=indent if first is None else first,
        rest=indent,
    )
    return [_disarm(line) for line in lines]


def _disarm(line: str) -> str:
    """Keep a CI server from taking a model's words for its own commands."""
    return _CI_COMMAND.sub(r"\1\\\2", line)
