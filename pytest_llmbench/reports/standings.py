"""One model's results rolled up to its line of the scoreboard."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from pytest_llmbench.reports.code_size import CodeSize, measure_code
from pytest_llmbench.reports.phases import Phases, find_typical
from pytest_llmbench.results import GenerationRecord, Result
from pytest_llmbench.statistics.cost import expected_cost
from pytest_llmbench.statistics.flicker import find_flicker
from pytest_llmbench.statistics.rates import mean_over_tasks, pass_at_k, pass_hat_k
from pytest_llmbench.statistics.scores import mean_score, mean_score_interval
from pytest_llmbench.statistics.times import TimeSummary, summarize_times

_ALL_K_UP_TO = 10
_SELECTED_K = (20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class Tally:
    """The checks of one category over all scored results of a model."""

    passed: int
    total: int


@dataclass(frozen=True, slots=True)
class FlickeringCheck:
    """A check that passed for some samples of one question and failed for others."""

    task: str
    prompt: str
    category: str
    name: str
    passed: int
    runs: int


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """What a working program is expected to take: the mean of an attempt ÷ the pass rate.

    None: not known, or nothing passed.
    """

    time_s: float | None
    tokens: float | None
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """One model's line of the scoreboard.

    Scores are 0 to 100. Times are seconds; they, tokens, rates and cost are medians over the
    scored results in which they are known. None: known of none. Where there were several
    attempts, times, tokens and rates are those of the first, which all models are asked alike;
    cost and `working_program` hold all attempts.
    """

    model: str
    score: float | None
    """Mean over the scored results, each task weighing the same; None when none is scored."""
    first_score: float | None
    """The same for the first attempt of each; equal to `score` when there was one attempt."""
    score_ci: tuple[float, float] | None
    """The 95% interval of `score`; None where none can be defended."""
    score_by_prompt: Mapping[str, float]
    """Prompt variant → mean score, each task weighing the same."""
    pass_at: Mapping[int, float]
    """k → pass@k: the chance that at least one of k answers passes."""
    pass_all: Mapping[int, float]
    """k → pass^k: the chance that all of k answers pass."""
    flickering: tuple[FlickeringCheck, ...]
    """Least steady first."""
    working_program: ExpectedCost
    scored: int
    unscored: int
    syntax_valid: bool | None
    """Whether every scored answer passed its `syntax` checks; None when there were none."""
    categories: Mapping[str, Tally]
    ttft_s: float | None
    ttft_times: TimeSummary | None
    """Spread of the times to the first token."""
    total_s: float | None
    total_times: TimeSummary | None
    output_tokens: float | None
    tokens_per_s: float | None
    tokens_per_s_method: str | None
    """How `tokens_per_s` was measured; `mixed` when not all alike."""
    cost_usd: float | None
    replayed: int
    """Scored results whose answer was recorded earlier."""
    truncated: int
    """Scored results whose answer the token limit cut off."""
    phases: Phases | None
    """Where the time of the generation with the median total went."""
    ttfo_s: float | None
    chars_per_s: float | None
    e2e_tokens_per_s: float | None
    code: CodeSize | None
    """Of scored and unscored answers; None when there is no file."""


def rank(standing: Standing) -> tuple[bool, float, float]:
    """Sort the best first, of equals the faster, and last what has no score."""
    total_s = math.inf if standing.total_s is None else standing.total_s
    return (standing.score is None, -(standing.score or 0.0), total_s)


def stand(label: str, results: Sequence[Result], fail_under: float) -> Standing:
    """Roll up one model's results; one passes when it reaches `fail_under`."""
    scored = [result for result in results if result.score is not None]
    first = [replace(each, generation=next(iter(each.generations), None)) for each in scored]
    generations = [each.generation for each in first if each.generation is not None]
    ttfts_s = _known(generations, lambda each: each.ttft_s)
    totals_s = _known(generations, lambda each: each.total_s)
    tallies = _tally(scored)
    passes = _count_passes(scored, fail_under)
    pass_at = _estimate(passes, pass_at_k)
    return Standing(
        model=label,
        score=mean_score(_scores_by_task(scored)),
        first_score=mean_score(_first_scores_by_task(scored)),
        score_ci=mean_score_interval(_scores_by_task(scored)),
        score_by_prompt=_score_by_prompt(scored),
        pass_at=pass_at,
        pass_all=_estimate(passes, pass_hat_k),
        flickering=_find_flickering(scored),
        working_program=_expect(scored, pass_at.get(1)),
        scored=len(scored),
        unscored=len(results) - len(scored),
        syntax_valid=_all_passed(tallies.get("syntax")),
        categories=tallies,
        ttft_s=_median(ttfts_s),
        ttft_times=summarize_times(ttfts_s),
        total_s=_median(totals_s),
        total_times=summarize_times(totals_s),
        output_tokens=_median(_known(generations, lambda each: each.output_tokens)),
        tokens_per_s=_median(_known(generations, lambda each: each.tokens_per_s)),
        tokens_per_s_method=_method(generations),
        cost_usd=_median([usd for usd in _add_up(scored, "cost_usd") if usd is not None]),
        replayed=sum(each.replayed for each in generations),
        truncated=sum(each.truncated is True for each in generations),
        phases=find_typical(first),
        ttfo_s=_median(_known(generations, lambda each: each.ttfo_s)),
        chars_per_s=_median(_known(generations, lambda each: each.chars_per_s)),
        e2e_tokens_per_s=_median(_known(generations, lambda each: each.e2e_tokens_per_s)),
        code=measure_code(results),
    )


def _known(
    generations: Iterable[GenerationRecord], figure: Callable[[GenerationRecord], float | None]
) -> list[float]:
    return [value for value in map(figure, generations) if value is not None]


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


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


def _scores_by_task(scored: Iterable[Result]) -> list[list[float]]:
    by_task: dict[str, list[float]] = {}
    for result in scored:
        if result.score is not None:
            by_task.setdefault(result.task, []).append(result.score)
    return list(by_task.values())


def _first_scores_by_task(scored: Iterable[Result]) -> list[list[float]]:
    by_task: dict[str, list[float]] = {}
    for result in scored:
        if result.score is not None:
            first = result.attempt_scores[0] if result.attempt_scores else result.score
            by_task.setdefault(result.task, []).append(first)
    return list(by_task.values())


def _score_by_prompt(scored: Iterable[Result]) -> dict[str, float]:
    by_prompt: dict[str, list[Result]] = {}
    for result in scored:
        by_prompt.setdefault(result.prompt, []).append(result)
    means = {name: mean_score(_scores_by_task(results)) for name, results in by_prompt.items()}
    return {name: mean for name, mean in means.items() if mean is not None}


def _count_passes(scored: Iterable[Result], fail_under: float) -> list[list[tuple[int, int]]]:
    """For each task, (answers, passes) of each of its prompts."""
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    for result in scored:
        if result.score is not None:
            prompts = counts.setdefault(result.task, {})
            answers, passes = prompts.get(result.prompt, (0, 0))
            passed = result.score >= fail_under
            prompts[result.prompt] = (answers + 1, passes + passed)
    return [list(prompts.values()) for prompts in counts.values()]


def _estimate(
    passes: Sequence[Sequence[tuple[int, int]]], estimate: Callable[[int, int, int], float | None]
) -> dict[int, float]:
    """The mean of an estimate by k, for each k that every task's prompt has answers enough for."""
    fewest = min((answers for prompts in passes for answers, _ in prompts), default=0)
    means = {k: mean_over_tasks(passes, k, estimate) for k in _choose_ks(fewest)}
    return {k: mean for k, mean in means.items() if mean is not None}


def _choose_ks(fewest: int) -> list[int]:
    chosen = {*range(1, min(fewest, _ALL_K_UP_TO) + 1), fewest}
    chosen |= {k for k in _SELECTED_K if k <= fewest}
    return sorted(chosen - {0})


def _find_flickering(scored: Iterable[Result]) -> tuple[FlickeringCheck, ...]:
    counts: dict[tuple[str, str, str, str], tuple[int, int]] = {}
    for result in scored:
        for check in result.checks:
            name = (result.task, result.prompt, check.category, check.name)
            passed, runs = counts.get(name, (0, 0))
            counts[name] = (passed + check.passed, runs + 1)
    return tuple(
        FlickeringCheck(*name, passed=flicker.passed, runs=flicker.runs)
        for name, flicker in find_flicker(counts).items()
    )


def _expect(scored: Sequence[Result], pass_rate: float | None) -> ExpectedCost:
    return ExpectedCost(
        time_s=expected_cost(_add_up(scored, "total_s"), pass_rate),
        tokens=expected_cost(_add_up(scored, "output_tokens"), pass_rate),
        cost_usd=expected_cost(_add_up(scored, "cost_usd"), pass_rate),
    )


def _add_up(results: Iterable[Result], figure: str) -> list[float | None]:
    """Each result's figure over all its attempts; None where one of them is not known."""
    parts = [[getattr(each, figure) for each in result.generations] for result in results]
    return [math.fsum(some) if some and None not in some else None for some in parts]
