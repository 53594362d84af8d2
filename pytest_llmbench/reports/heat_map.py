"""Which checks which models pass: the checks of a run against its models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pytest_llmbench.reports.standings import Tally
from pytest_llmbench.results import Check, Result

MAX_ROWS = 150

Name = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """How often each model passed each check."""

    kind: str
    """What a row is, in words."""
    models: tuple[str, ...]
    rows: tuple[tuple[Name, tuple[Tally | None, ...]], ...]
    """(name, passed and total by model); None where a model has no result."""
    left_out: int
    """Rows that are not shown: the ones that most models pass."""


_LEVELS: tuple[tuple[str, Callable[[Result, Check], Name]], ...] = (
    ("check of a task", lambda result, check: (result.task, check.category, check.name)),
    ("check, over all tasks", lambda _, check: (check.category, check.name)),
    ("task, over all checks", lambda result, _: (result.task,)),
)


def build_heat_map(results: Iterable[Result], models: Sequence[str]) -> HeatMap:
    """Count per check of each task; where that is too much to look at, per check or per task.

    Rows stand in the order in which the checks ran; where some must be left out, those that
    are passed least often stay.
    """
    scored = [result for result in results if result.score is not None]
    levels = ((kind, _count(scored, name_of)) for kind, name_of in _LEVELS)
    kind, counts = next(
        (each for each in levels if len(each[1]) <= MAX_ROWS),
        (_LEVELS[-1][0], _count(scored, _LEVELS[-1][1])),
    )
    shown = list(counts)
    if len(shown) > MAX_ROWS:
        shown = sorted(shown, key=lambda name: _share(counts[name].values()))[:MAX_ROWS]
    return HeatMap(
        kind=kind,
        models=tuple(models),
        rows=tuple((name, tuple(counts[name].get(model) for model in models)) for name in shown),
        left_out=len(counts) - len(shown),
    )


def _count(
    scored: Iterable[Result], name_of: Callable[[Result, Check], Name]
) -> dict[Name, dict[str, Tally]]:
    counts: dict[Name, dict[str, Tally]] = {}
    for result in scored:
        for check in result.checks:
            by_model = counts.setdefault(name_of(result, check), {})
            so_far = by_model.get(result.model, Tally(0, 0))
            by_model[result.model] = Tally(so_far.passed + check.passed, so_far.total + 1)
    return counts


def _share(tallies: Iterable[Tally]) -> float:
    counted = list(tallies)
    return sum(each.passed for each in counted) / sum(each.total for each in counted)
