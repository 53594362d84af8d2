"""A run rolled up: every figure that any report shows is computed here, once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from pytest_llmbench.diagnosis import diagnose_all
from pytest_llmbench.reports.run import Run
from pytest_llmbench.reports.troubles import Trouble, find_troubles
from pytest_llmbench.results import GenerationRecord, Result

_ALL_K_UP_TO = 10
_SELECTED_K = (20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class Tally:
    """The checks of one category over all scored results of a model."""

    passed: int
    total: int


@dataclass(frozen=True, slots=True)
class Standing:
    """One model's line of the scoreboard.

    Scores are 0 to 100. Times are seconds; they, tokens, rates and cost are medians over the
    scored results in which they are known. None: known of none.
    """

    model: str
    score: float | None
    """Mean over the scored results, each task weighing the same; None when none is scored."""
    score_ci: tuple[float, float] | None
    """The 95% interval of `score`; None where none can be defended."""
    score_by_prompt: Mapping[str, float]
    """Prompt variant → mean score, each task weighing the same."""
    pass_at: Mapping[int, float]
    """k → pass@k: the chance that at least one of k answers passes."""
    pass_all: Mapping[int, float]
    """k → pass^k: the chance that all of k answers pass."""
    scored: int
    unscored: int
    syntax_valid: bool | None
    """Whether every scored answer passed its `syntax` checks; None when there were none."""
    categories: Mapping[str, Tally]
    ttft_s: float | None
    ttft_range_s: tuple[float, float] | None
    """The least and the greatest; None for fewer than two."""
    total_s: float | None
    total_range_s: tuple[float, float] | None
    output_tokens: float | None
    tokens_per_s: float | None
    tokens_per_s_method: str | None
    """How `tokens_per_s` was measured; `mixed` when not all alike."""
    cost_usd: float | None
    replayed: int
    """Scored results whose answer was recorded earlier."""
    truncated: int
    """Scored results whose answer the token limit cut off."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models, paired by task and sample."""

    a: str
    b: str
    pairs: int
    difference: float | None
    """Mean score of `a` minus that of `b`, in points."""
    ci: tuple[float, float] | None
    different: bool | None
    samples_needed: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """All that the reports show."""

    run: Run
    scoreboard: tuple[Standing, ...]
    """Best first."""
    comparisons: tuple[Comparison, ...]
    categories: tuple[str, ...]
    """Every category of the run's tasks, in the order in which they first appear."""
    troubles: tuple[Trouble, ...]
    """What went wrong, in the order of the scoreboard."""
    verdict: tuple[str, ...]
    """Sentences for a person who must choose."""


def summarize(run: Run) -> Summary:
    """Roll a run up. Pure; takes time in proportion to the number of results."""
    local = frozenset(label for label, model in run.models.items() if model.kind == "local")
    run = replace(run, results=diagnose_all(run.results, local))
    by_model: dict[str, list[Result]] = {label: [] for label in run.models}
    for result in run.results:
        by_model.setdefault(result.model, []).append(result)
    standings = [_stand(label, results, run) for label, results in by_model.items()]
    scoreboard = tuple(sorted(standings, key=_rank))
    return Summary(
        run=run,
        scoreboard=scoreboard,
        comparisons=(),
        categories=_categories(run),
        troubles=find_troubles({each.model: by_model[each.model] for each in scoreboard}),
        verdict=(),
    )


def _rank(standing: Standing) -> tuple[bool, float, float]:
    total_s = math.inf if standing.total_s is None else standing.total_s
    return (standing.score is None, -(standing.score or 0.0), total_s)


def _stand(label: str, results: Sequence[Result], run: Run) -> Standing:
    scored = [result for result in results if result.score is not None]
    generations = [each.generation for each in scored if each.generation is not None]
    ttfts_s = _known(generations, lambda each: each.ttft_s)
    totals_s = _known(generations, lambda each: each.total_s)
    tallies = _tally(scored)
    return Standing(
        model=label,
        score=_mean_over_tasks(scored),
        score_ci=None,
        score_by_prompt=_score_by_prompt(scored),
        pass_at=_chances(scored, run.fail_under, _chance_of_any),
        pass_all=_chances(scored, run.fail_under, _chance_of_all),
        scored=len(scored),
        unscored=len(results) - len(scored),
        syntax_valid=_all_passed(tallies.get("syntax")),
        categories=tallies,
        ttft_s=_median(ttfts_s),
        ttft_range_s=_range(ttfts_s),
        total_s=_median(totals_s),
        total_range_s=_range(totals_s),
        output_tokens=_median(_known(generations, lambda each: each.output_tokens)),
        tokens_per_s=_median(_known(generations, lambda each: each.tokens_per_s)),
        tokens_per_s_method=_method(generations),
        cost_usd=_median(_known(generations, lambda each: each.cost_usd)),
        replayed=sum(each.replayed for each in generations),
        truncated=sum(each.truncated is True for each in generations),
    )


def _known(
    generations: Iterable[GenerationRecord], figure: Callable[[GenerationRecord], float | None]
) -> list[float]:
    return [value for value in map(figure, generations) if value is not None]


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _range(values: Sequence[float]) -> tuple[float, float] | None:
    return (min(values), max(values)) if len(values) > 1 else None


def _method(generations: Iterable[GenerationRecord]) -> str | None:
    methods = {each.tokens_per_s_method for each in generations if each.tokens_per_s is not None}
    if len(methods) > 1:
        return "mixed"
    return methods.pop() if methods else None


def _all_passed(tally: Tally | None) -> bool | None:
    if tally is None or tally.total == 0:
        return None
    return tally.passed == tally.total


def _tally(scored: Iterable[Result]) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    for result in scored:
        for name, category in result.categories.items():
            so_far = tallies.get(name, Tally(0, 0))
            tallies[name] = Tally(so_far.passed + category.passed, so_far.total + category.total)
    return tallies


def _mean_over_tasks(scored: Iterable[Result]) -> float | None:
    by_task: dict[str, list[float]] = {}
    for result in scored:
        if result.score is not None:
            by_task.setdefault(result.task, []).append(result.score)
    return fmean(fmean(scores) for scores in by_task.values()) if by_task else None


def _score_by_prompt(scored: Iterable[Result]) -> dict[str, float]:
    by_prompt: dict[str, list[Result]] = {}
    for result in scored:
        by_prompt.setdefault(result.prompt, []).append(result)
    means = {prompt: _mean_over_tasks(results) for prompt, results in by_prompt.items()}
    return {prompt: mean for prompt, mean in means.items() if mean is not None}


def _chances(
    scored: Iterable[Result], fail_under: float, chance: Callable[[int, int, int], float]
) -> dict[int, float]:
    """The mean chance over tasks, by k; only for k that every task has samples enough for."""
    by_task: dict[str, dict[str, list[bool]]] = {}
    for result in scored:
        if result.score is not None:
            passes = by_task.setdefault(result.task, {}).setdefault(result.prompt, [])
            passes.append(result.score >= fail_under)
    if not by_task:
        return {}
    most = min(len(passes) for prompts in by_task.values() for passes in prompts.values())
    return {
        k: fmean(
            fmean(chance(len(passes), sum(passes), k) for passes in prompts.values())
            for prompts in by_task.values()
        )
        for k in _ks(most)
    }


def _ks(most: int) -> list[int]:
    chosen = {*range(1, min(most, _ALL_K_UP_TO) + 1), most}
    return sorted(chosen | {k for k in _SELECTED_K if k <= most})


def _chance_of_any(n: int, passed: int, k: int) -> float:
    return 1.0 - math.comb(n - passed, k) / math.comb(n, k)


def _chance_of_all(n: int, passed: int, k: int) -> float:
    return math.comb(passed, k) / math.comb(n, k)


def _categories(run: Run) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for task in run.tasks.values():
        names.update(dict.fromkeys(task.points))
    for result in run.results:
        names.update(dict.fromkeys(result.categories))
    return tuple(names)
