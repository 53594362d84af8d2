"""A run rolled up: every figure that any report shows is computed here, once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_llmbench.diagnosis import diagnose_all
from pytest_llmbench.providers.protocol import Kind
from pytest_llmbench.reports.baseline import Baseline, Changes, find_changes
from pytest_llmbench.reports.comparisons import Comparison, compare_models
from pytest_llmbench.reports.heat_map import HeatMap, build_heat_map
from pytest_llmbench.reports.run import Run
from pytest_llmbench.reports.standings import Standing, rank, stand
from pytest_llmbench.reports.troubles import Trouble, find_troubles
from pytest_llmbench.reports.verdict import Front, find_front, reach_verdict
from pytest_llmbench.results import Result


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything that the run generated, scored or not, replayed answers included."""

    results: int
    scored: int
    output_tokens: int
    """Over the answers whose tokens were counted."""
    generating_s: float
    """Over the answers whose end was seen; no waiting between attempts."""
    cost_usd: float | None
    """Over the answers whose cost is known; None when it is known of none."""
    uncosted: int
    """Answers of models in the cloud whose cost is not known: `cost_usd` is without them."""


@dataclass(frozen=True, slots=True)
class Summary:
    """All that the reports show."""

    run: Run
    scoreboard: tuple[Standing, ...]
    """Best first."""
    comparisons: tuple[Comparison, ...]
    categories: tuple[str, ...]
    """Every category of the run's tasks, in the order in which they first appear."""
    totals: Totals
    troubles: tuple[Trouble, ...]
    """What went wrong, in the order of the scoreboard."""
    heat_map: HeatMap
    front: Front
    """Over everything that can be compared."""
    time_front: Front
    cost_front: Front
    verdict: tuple[str, ...]
    """Sentences for a person who must choose."""
    changes: Changes | None = None
    """Since an earlier run; None when there is none to compare with."""


def summarize(run: Run, baseline: Baseline | None = None) -> Summary:
    """Roll a run up, and set it beside an earlier one.

    Pure; takes time in proportion to the number of results.
    """
    local = frozenset(label for label, model in run.models.items() if model.kind == "local")
    run = replace(run, results=diagnose_all(run.results, local))
    by_model: dict[str, list[Result]] = {label: [] for label in run.models}
    for result in run.results:
        by_model.setdefault(result.model, []).append(result)
    standings = [stand(label, results, run.fail_under) for label, results in by_model.items()]
    scoreboard = tuple(sorted(standings, key=rank))
    kinds = {label: model.kind for label, model in run.models.items()}
    comparisons = compare_models(run.results, [each.model for each in scoreboard])
    front = find_front(scoreboard, kinds)
    return Summary(
        run=run,
        scoreboard=scoreboard,
        comparisons=comparisons,
        categories=_categories(run),
        totals=_add_up(run.results, kinds),
        troubles=find_troubles({each.model: by_model[each.model] for each in scoreboard}),
        heat_map=build_heat_map(run.results, [each.model for each in scoreboard]),
        front=front,
        time_front=find_front(scoreboard, kinds, ("score", "time")),
        cost_front=find_front(scoreboard, kinds, ("score", "cost")),
        verdict=reach_verdict(scoreboard, kinds, comparisons, front),
        changes=None if baseline is None else find_changes(baseline, run),
    )


def _add_up(results: Sequence[Result], kinds: Mapping[str, Kind]) -> Totals:
    generations = [generation for each in results for generation in each.generations]
    costs_usd = [each.cost_usd for each in generations if each.cost_usd is not None]
    return Totals(
        results=len(results),
        scored=sum(each.score is not None for each in results),
        output_tokens=sum(each.output_tokens or 0 for each in generations),
        generating_s=math.fsum(each.total_s or 0.0 for each in generations),
        cost_usd=math.fsum(costs_usd) if costs_usd else None,
        uncosted=sum(
            generation.cost_usd is None
            for each in results
            if kinds.get(each.model) == "cloud"
            for generation in each.generations
        ),
    )


def _categories(run: Run) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for task in run.tasks.values():
        names.update(dict.fromkeys(task.points))
    for result in run.results:
        names.update(dict.fromkeys(result.categories))
    return tuple(names)
