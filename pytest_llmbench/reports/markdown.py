"""The report in Markdown, ready to be pasted into a post or an issue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pytest_llmbench.reports.baseline import Changes, change_lines
from pytest_llmbench.reports.figures import show_score
from pytest_llmbench.reports.summary import Summary
from pytest_llmbench.reports.tables import (
    Cell,
    Table,
    code_table,
    glance_table,
    performance_table,
    prompt_table,
    quality_table,
    speed_table,
    working_program_table,
)
from pytest_llmbench.reports.troubles import Trouble
from pytest_llmbench.safe_text import one_line

_SPECIAL = re.compile(r"[\\`*_\[\]|~$]|^[#+=-]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
NO_SANDBOX = "**No sandbox**: what the models wrote ran with the rights of the user."


def markdown_lines(summary: Summary) -> Iterator[str]:
    """Yield the report as pieces of Markdown text."""
    yield "# Language models compared\n\n"
    yield from short_markdown_lines(summary)
    prompts = prompt_table(summary)
    if prompts is not None:
        yield from _section(prompts)
    if any(standing.code for standing in summary.scoreboard):
        yield from _section(code_table(summary))
    yield from _section(speed_table(summary))
    yield from _section(working_program_table(summary))
    yield from _section(glance_table(summary))
    yield from _origin(summary)


def short_markdown_lines(summary: Summary) -> Iterator[str]:
    """Yield the two tables, what went wrong and right, and the verdict."""
    if summary.run.environment.sandbox == "none":
        yield f"> {NO_SANDBOX}\n\n"
    yield from _section(performance_table(summary))
    yield from _section(quality_table(summary))
    if summary.troubles:
        yield "## What went wrong\n\n"
        yield from (f"- {line}\n" for trouble in summary.troubles for line in _explain(trouble))
        yield "\n"
    yield from _praise(summary)
    if summary.changes is not None:
        yield from _changes(summary.changes)
    if summary.verdict:
        yield "## Verdict\n\n"
        yield from (f"- {escape_markdown(sentence)}\n" for sentence in summary.verdict)
        yield "\n"


def escape_markdown(text: str) -> str:
    """Put a text on one line in which nothing is markup, and nobody is mentioned."""
    escaped = _SPECIAL.sub(r"\\\g<0>", one_line(text))
    return re.sub("[&<>@]", lambda match: _ENTITIES[match[0]], escaped)


def _section(table: Table) -> Iterator[str]:
    yield f"## {table.title}\n\n"
    yield _row(escape_markdown(column.header) for column in table.columns)
    yield _row(":--" if column.align == "left" else "--:" for column in table.columns)
    for row in table.rows:
        yield _row(map(_show, row))
    yield "\n"
    if table.footnotes:
        yield "  \n".join(
            escape_markdown(f"{mark} {note}".strip()) for mark, note in table.footnotes
        )
        yield "\n\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _show(cell: Cell) -> str:
    return escape_markdown(cell.text) + escape_markdown(cell.mark)


def _explain(trouble: Trouble) -> Iterator[str]:
    model = escape_markdown(trouble.model)
    for cause in trouble.causes:
        lost = f"−{show_score(cause.points_lost)} " if cause.points_lost > 0 else ""
        yield f"**{model}**: {lost}`{cause.code}`: {escape_markdown(cause.message)}"
    for gap in trouble.gaps:
        count = "" if gap.results == 1 else f"{gap.results:,} "
        yield f"**{model}**: {count}unscored: {escape_markdown(gap.reason)}"


def _changes(changes: Changes) -> Iterator[str]:
    yield "## Since the earlier run\n\n"
    yield f"{escape_markdown(changes.source)}\n\n"
    for comparison in changes.comparisons:
        text = escape_markdown(comparison.text)
        yield f"- {f'**{text}**' if comparison.regression else text}\n"
        yield from (f"  - {escape_markdown(line)}\n" for line in change_lines(comparison))
    yield from (f"- {escape_markdown(remark)}\n" for remark in changes.remarks)
    yield "\n"


def _praise(summary: Summary) -> Iterator[str]:
    faultless = [each.model for each in summary.scoreboard if each.score == 100]  # noqa: PLR2004  # all points
    if faultless:
        yield "## What went right\n\n"
        names = ", ".join(f"**{escape_markdown(model)}**" for model in faultless)
        yield f"Every check passed: {names}.\n\n"


def _origin(summary: Summary) -> Iterator[str]:
    environment = summary.run.environment
    yield "## How it was measured\n\n"
    facts = [
        f"pytest-llmbench {environment.plugin}",
        f"Python {environment.python}",
        environment.platform,
        f"sandbox: {environment.sandbox or 'not used'}",
    ]
    yield f"{escape_markdown(', '.join(facts))}\n\n"
    for label, model in summary.run.models.items():
        known = [model.spec, model.served_model, model.quantization, model.digest]
        told = ", ".join(dict.fromkeys(each for each in known if each))
        yield f"- **{escape_markdown(label)}**: {escape_markdown(told)}\n"
