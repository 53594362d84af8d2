"""The two tables of every report: how fast the models were, and how good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmbench.reports.figures import (
    UNKNOWN,
    show_cost,
    show_count,
    show_interval,
    show_rate,
    show_score,
    show_seconds,
    show_share,
)
from pytest_llmbench.reports.standings import Standing, Tally
from pytest_llmbench.reports.summary import Summary, Totals

_METHOD_MARKS = {"e2e": "*", "visible": "†", "mixed": "‡"}
_CUT_MARK = "§"

_NOTES = {
    "*": "tok/s end to end: all tokens over the whole time, waiting included",
    "†": "tok/s of the visible tokens alone: the start of thinking was not seen",
    "‡": "tok/s measured in different ways from result to result",
    _CUT_MARK: "cut off at the token limit: its times and tokens do not compare",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure as it is shown."""

    text: str
    mark: str = ""
    """Refers to a footnote of the table."""
    passed: bool | None = None
    """Whether this reaches what was asked; None where nothing was."""


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column."""

    header: str
    align: Literal["left", "right"] = "right"
    category: bool = False
    """One of the categories of the tasks: left out first where room is short."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with everything in it formatted and nothing yet laid out."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    footnotes: tuple[tuple[str, str], ...] = ()
    """(mark, note), only for marks that occur; an empty mark speaks of the whole table."""


@dataclass(frozen=True, slots=True)
class _Figure:
    """A column and how a model's cell in it is made."""

    column: Column
    cell: Callable[[Standing], Cell]


def performance_table(summary: Summary) -> Table:
    """Model, type, TTFT, total, output tokens, tokens per second; cost where one is known."""
    figures = [
        _model_figure(),
        _Figure(Column("Type", "left"), lambda each: Cell(_kind(summary, each))),
        _Figure(Column("TTFT"), lambda each: Cell(show_seconds(each.ttft_s))),
        _Figure(Column("Total"), lambda each: Cell(show_seconds(each.total_s), _cut_mark(each))),
        _Figure(Column("Tokens"), lambda each: Cell(show_count(each.output_tokens))),
        _Figure(Column("tok/s"), _rate_cell),
    ]
    if any(each.cost_usd is not None for each in summary.scoreboard):
        figures.append(_Figure(Column("Cost"), lambda each: Cell(show_cost(each.cost_usd))))
    notes: tuple[tuple[str, str], ...] = ()
    if any(each.scored > 1 for each in summary.scoreboard):
        notes = (("", "Times, tokens, rates and cost are medians over a model's scored results."),)
    return _fill("Performance", figures, summary.scoreboard, notes)


def quality_table(summary: Summary) -> Table:
    """Model, checks passed by category, score; interval and pass@1 where there are samples."""
    standings = summary.scoreboard
    figures = [_model_figure()]
    figures += [_category_figure(name) for name in summary.categories]
    if any(each.scored + each.unscored > 1 for each in standings):
        figures.append(_Figure(Column("Scored"), _scored_cell))
    if any(each.scored > 1 for each in standings):
        figures.append(_Figure(Column("pass@1"), lambda each: Cell(_pass_at_1(each))))
    figures.append(_Figure(Column("Score"), lambda each: _score_cell(each, summary)))
    if any(each.score_ci is not None for each in standings):
        figures.append(_Figure(Column("95%"), lambda each: Cell(show_interval(each.score_ci))))
    notes: tuple[tuple[str, str], ...] = ()
    if any(len(each.attempt_scores) > 1 for each in summary.run.results):
        notes = (("", "Score: of the first attempts → of the last."),)
    return _fill("Quality", figures, standings, notes)


def speed_table(summary: Summary) -> Table:
    """Where the time went, and the speed that tokenizers do not touch."""
    figures = [
        _model_figure(),
        _Figure(Column("Load"), lambda each: _phase_cell(each, "load_s")),
        _Figure(Column("Wait"), lambda each: _phase_cell(each, "wait_s")),
        _Figure(Column("Thinking"), lambda each: _phase_cell(each, "thinking_s")),
        _Figure(Column("Answer"), lambda each: _phase_cell(each, "answer_s")),
        _Figure(Column("First visible"), lambda each: Cell(show_seconds(each.ttfo_s))),
        _Figure(Column("e2e tok/s"), lambda each: Cell(show_rate(each.e2e_tokens_per_s))),
        _Figure(Column("chars/s"), lambda each: Cell(show_rate(each.chars_per_s))),
    ]
    note = "Load, wait, thinking and answer are those of the generation with the median total."
    return _fill("Where the time went", figures, summary.scoreboard, (("", note),))


def working_program_table(summary: Summary) -> Table:
    """What one program that works is expected to take."""
    figures = [
        _model_figure(),
        _Figure(Column("pass@1"), lambda each: Cell(_pass_at_1(each))),
        _Figure(Column("Time"), lambda each: Cell(show_seconds(each.working_program.time_s))),
        _Figure(Column("Tokens"), lambda each: Cell(show_count(each.working_program.tokens))),
        _Figure(Column("Cost"), lambda each: Cell(show_cost(each.working_program.cost_usd))),
    ]
    note = "The mean of an answer divided by the share of answers that reach the threshold."
    return _fill("A working program", figures, summary.scoreboard, (("", note),))


def code_table(summary: Summary) -> Table:
    """How much code the models wrote."""
    figures = [
        _model_figure(),
        _Figure(Column("Files"), lambda each: _size_cell(each, "files")),
        _Figure(Column("Lines"), lambda each: _size_cell(each, "lines")),
        _Figure(Column("Functions"), lambda each: _size_cell(each, "functions")),
        _Figure(Column("Classes"), lambda each: _size_cell(each, "classes")),
    ]
    notes = (("", "Lines that are not blank; medians where there are several answers."),)
    return _fill("Code", figures, summary.scoreboard, notes)


def prompt_table(summary: Summary) -> Table | None:
    """The mean score for each wording of the prompt; None when there was only one."""
    prompts = dict.fromkeys(name for each in summary.scoreboard for name in each.score_by_prompt)
    if len(prompts) < 2:  # noqa: PLR2004  # an effect needs two to be seen between
        return None
    figures = [_model_figure(), *(_prompt_figure(name) for name in prompts)]
    return _fill("Prompts", figures, summary.scoreboard)


def glance_table(summary: Summary) -> Table:
    """The run in a few figures."""
    totals = summary.totals
    rows = [
        ("Models", f"{len(summary.scoreboard):,}"),
        ("Tasks", f"{len(summary.run.tasks):,}"),
        ("Scored results", f"{totals.scored:,} of {totals.results:,}"),
        ("Tokens generated", show_count(totals.output_tokens)),
        ("Time spent generating", show_seconds(totals.generating_s)),
        ("Cost", _show_whole_cost(totals)),
    ]
    columns = (Column("Figure", "left"), Column("Value"))
    return Table("At a glance", columns, tuple((Cell(name), Cell(value)) for name, value in rows))


def _show_whole_cost(totals: Totals) -> str:
    cost = show_cost(totals.cost_usd)
    if totals.cost_usd is None or not totals.uncosted:
        return cost
    return f"{cost}, and {totals.uncosted:,} of unknown cost"


def _phase_cell(standing: Standing, name: str) -> Cell:
    return Cell(
        UNKNOWN if standing.phases is None else show_seconds(getattr(standing.phases, name))
    )


def _size_cell(standing: Standing, name: str) -> Cell:
    return Cell(UNKNOWN if standing.code is None else show_count(getattr(standing.code, name)))


def _prompt_figure(name: str) -> _Figure:
    return _Figure(Column(name), lambda each: Cell(show_score(each.score_by_prompt.get(name))))


def _fill(
    title: str,
    figures: Sequence[_Figure],
    standings: Iterable[Standing],
    notes: tuple[tuple[str, str], ...] = (),
) -> Table:
    rows = tuple(tuple(figure.cell(each) for figure in figures) for each in standings)
    marks = {cell.mark for row in rows for cell in row}
    footnotes = tuple((mark, note) for mark, note in _NOTES.items() if mark in marks)
    return Table(title, tuple(figure.column for figure in figures), rows, footnotes + notes)


def _model_figure() -> _Figure:
    return _Figure(Column("Model", "left"), lambda each: Cell(each.model))


def _category_figure(name: str) -> _Figure:
    column = Column(name[:1].upper() + name[1:], category=True)
    return _Figure(column, lambda each: _tally_cell(each.categories.get(name)))


def _tally_cell(tally: Tally | None) -> Cell:
    if tally is None:
        return Cell(UNKNOWN)
    passed = tally.passed == tally.total and tally.total > 0
    return Cell(f"{tally.passed:,}/{tally.total:,}", passed=passed)


def _kind(summary: Summary, standing: Standing) -> str:
    model = summary.run.models.get(standing.model)
    kind = UNKNOWN if model is None else model.kind
    if standing.replayed == 0:
        return kind
    if standing.replayed == standing.scored:
        return f"{kind}, replayed"
    return f"{kind}, {standing.replayed} replayed"


def _rate_cell(standing: Standing) -> Cell:
    mark = _METHOD_MARKS.get(standing.tokens_per_s_method or "", "")
    return Cell(show_rate(standing.tokens_per_s), mark)


def _cut_mark(standing: Standing) -> str:
    return _CUT_MARK if standing.truncated else ""


def _scored_cell(standing: Standing) -> Cell:
    return Cell(f"{standing.scored:,}/{standing.scored + standing.unscored:,}")


def _pass_at_1(standing: Standing) -> str:
    return show_share(standing.pass_at.get(1))


def _score_cell(standing: Standing, summary: Summary) -> Cell:
    if standing.score is None:
        return Cell(UNKNOWN)
    text = show_score(standing.score)
    if any(len(each.attempt_scores) > 1 for each in summary.run.results):
        text = f"{show_score(standing.first_score)} → {text}"
    return Cell(text, passed=standing.score >= summary.run.fail_under)
