"""Two models, or two runs, over the same tasks: whether they differ, and by how much."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import add
from statistics import NormalDist, fmean, variance
from typing import TypeAlias

from pytest_llmbench.statistics.rates import ERROR_RATE, FEWEST_SAMPLES
from pytest_llmbench.statistics.scores import (
    FULL_SCORE,
    Interval,
    random_weights_interval,
    unbiased_deviations,
)

TaskPair: TypeAlias = tuple[Sequence[float], Sequence[float]]
"""The scores of one task's samples, from either model."""

_POWER = 0.80
_MOST_DIVISIONS = 1_000
_FEWEST_DIVISIONS = 100
_MOST_ENUMERATED = 20_000
_MOST_DRAWS = 4_000
_FEWEST_DRAWS = 1_000
_WORK = 200_000
"""Random numbers drawn for one comparison, about; the more scores, the fewer divisions."""
_DIGITS = 7
_ROUNDING = 10**-_DIGITS
_MID_P_LIMIT = 0.04
"""Below ERROR_RATE, so that the rate stays under it with random divisions too; halved ties
give back to coarse scores what the exact test takes from them."""


@dataclass(frozen=True, slots=True)
class ScoreComparison:
    """The scores of models a and b, in points on the scale of 0 to 100."""

    pairs: int
    """Samples of a that have a counterpart of b, over all tasks."""
    difference: float
    """Mean score of a minus mean score of b, each task weighing the same."""
    ci: Interval | None
    """95% interval of the difference; it leaves out 0 exactly when `different`.
    None for one task with one sample."""
    different: bool
    """Whether two equal models would show as great a difference at most 5% of the time."""
    samples_needed: int | None
    """Further samples of each model, over all tasks, until a true difference of
    `settle_points` would be found 80% of the time. None when the question is settled, and
    when the samples do not tell how much scores vary."""


def compare_scores(
    a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], *, settle_points: float = 5.0
) -> ScoreComparison | None:
    """Compare two models by the scores of their samples, task by task.

    a[t] and b[t] hold the scores of task t (where prompts vary: of a task's prompt), in any
    number. Tasks that one of the two lacks are left out; None when no task is left.
    """
    tasks = [(ours, theirs) for ours, theirs in zip(a, b, strict=True) if ours and theirs]
    if not tasks:
        return None
    difference = fmean(fmean(ours) - fmean(theirs) for ours, theirs in tasks)
    critical = _critical_difference(tasks, abs(difference))
    different = abs(difference) > critical + _ROUNDING
    interval = _interval(tasks, difference)
    if interval is not None:
        interval = _agreeing(interval, difference, critical, different=different)
    pairs = sum(min(len(ours), len(theirs)) for ours, theirs in tasks)
    settled = different or (interval is not None and _within(interval, settle_points))
    return ScoreComparison(
        pairs=pairs,
        difference=difference,
        ci=interval,
        different=different,
        samples_needed=None if settled else _samples_needed(tasks, pairs, settle_points),
    )


def _critical_difference(tasks: Sequence[TaskPair], observed: float) -> float:
    """The greatest difference that equal models show too often to call it one.

    Where models are equal, a task's scores could as well have come in any other division
    between the two: a permutation test, stratified by task. `observed` counts as one of the
    divisions where they are drawn, which keeps the level.
    """
    varied = [(ours, theirs) for ours, theirs in tasks if min(*ours, *theirs) < max(*ours, *theirs)]
    totals = _enumerated(varied)
    if not totals:
        rng = random.Random(0)  # noqa: S311 - the same samples must give the same answer
        totals = [*_drawn(varied, rng), observed * len(tasks)]
    sizes = Counter(round(abs(total) / len(tasks), _DIGITS) for total in totals)
    greater = 0
    for size in sorted(sizes, reverse=True):
        p_value = (greater + sizes[size]) / len(totals)
        mid_p_value = (greater + sizes[size] / 2) / len(totals)
        if p_value > ERROR_RATE or mid_p_value > _MID_P_LIMIT:
            break
        greater += sizes[size]
    return size


def _enumerated(tasks: Sequence[TaskPair]) -> list[float]:
    """The sum of the tasks' differences for each division of their scores; empty if too many."""
    divisions = math.prod(_count_divisions(*task) for task in tasks)
    if divisions > _MOST_ENUMERATED:
        return []
    totals = [0.0]
    for task in tasks:
        totals = [total + each for total in totals for each in _all_differences(*task)]
    return totals


def _drawn(tasks: Sequence[TaskPair], rng: random.Random) -> list[float]:
    """The same for random divisions."""
    samples = sum(len(ours) + len(theirs) for ours, theirs in tasks)
    divisions = min(max(_WORK // samples, _FEWEST_DIVISIONS), _MOST_DIVISIONS)
    draws = min(max(_WORK // len(tasks), _FEWEST_DRAWS), _MOST_DRAWS)
    totals = [0.0] * draws
    for task in tasks:
        if _count_divisions(*task) <= _MOST_DIVISIONS:
            table = _all_differences(*task)
        else:
            table = _random_differences(*task, divisions, rng)
        totals = list(map(add, totals, rng.choices(table, k=draws)))
    return totals


def _count_divisions(ours: Sequence[float], theirs: Sequence[float]) -> int:
    return math.comb(len(ours) + len(theirs), len(ours))


def _all_differences(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """The difference of means for each division of a task's scores between the models."""
    pool = [*ours, *theirs]
    parts = itertools.combinations(pool, len(ours))
    return _differences(map(sum, parts), len(ours), pool)


def _random_differences(
    ours: Sequence[float], theirs: Sequence[float], count: int, rng: random.Random
) -> list[float]:
    pool = [*ours, *theirs]
    size = len(ours)
    return _differences((sum(rng.sample(pool, size)) for _ in range(count)), size, pool)


def _differences(sums: Iterable[float], size: int, pool: Sequence[float]) -> list[float]:
    rest, total = len(pool) - size, math.fsum(pool)
    return [each / size - (total - each) / rest for each in sums]


def _interval(tasks: Sequence[TaskPair], difference: float) -> Interval | None:
    """From the samples within each task where there are two, else from the tasks' differences."""
    if all(min(len(ours), len(theirs)) >= FEWEST_SAMPLES for ours, theirs in tasks):
        low, high = _stratified_interval(tasks, difference)
    elif len(tasks) > 1:
        differences = [fmean(ours) - fmean(theirs) for ours, theirs in tasks]
        low, high = random_weights_interval(
            [(each, 1.0) for each in differences], worst=-FULL_SCORE, best=FULL_SCORE
        )
    else:
        return None
    return max(low, -FULL_SCORE), min(high, FULL_SCORE)


def _stratified_interval(tasks: Sequence[TaskPair], difference: float) -> Interval:
    """The interval of `scores`, with the samples of both models as independent terms."""
    samples = sum(len(ours) + len(theirs) for ours, theirs in tasks)
    atoms: list[tuple[float, float]] = []
    worst = best = difference
    for ours, theirs in tasks:
        for scores, sign in ((ours, 1.0), (theirs, -1.0)):
            lever = samples / (len(tasks) * len(scores))
            atoms += [
                (difference + sign * lever * deviation, 1.0)
                for deviation in unbiased_deviations(scores)
            ]
            fall, rise = fmean(scores) * lever, (FULL_SCORE - fmean(scores)) * lever
            worst = min(worst, difference - (fall if sign > 0 else rise))
            best = max(best, difference + (rise if sign > 0 else fall))
    return random_weights_interval(atoms, worst=worst, best=best)


def _agreeing(
    interval: Interval, difference: float, critical: float, *, different: bool
) -> Interval:
    """The interval, with 0 in or out as the test decided.

    An interval holds the differences that were not rejected, and 0 has a sharper test than
    the others. Where the two disagree on 0, the end on its side is the test's own margin.
    """
    low, high = interval
    if (low <= 0.0 <= high) == (not different):
        return interval
    margin = critical if different else max(critical, abs(difference))
    if difference > 0:
        return difference - margin, high
    return low, difference + margin


def _within(interval: Interval, points: float) -> bool:
    return -points < interval[0] and interval[1] < points


def _samples_needed(tasks: Sequence[TaskPair], pairs: int, points: float) -> int | None:
    spread = _variance_of_a_pair(tasks)
    if spread is None:
        return None
    normal = NormalDist()
    reach = normal.inv_cdf(1.0 - ERROR_RATE / 2) + normal.inv_cdf(_POWER)
    by_spread = reach**2 * spread / points**2
    # However alike the scores so far: an event never seen in n samples may have a chance of
    # -log(error) / n, and it may cost the full score.
    by_unseen_events = -math.log(ERROR_RATE / 2) * FULL_SCORE / points
    more = max(by_spread, by_unseen_events) - pairs
    return math.ceil(more / len(tasks)) * len(tasks) if more > 0 else None


def _variance_of_a_pair(tasks: Sequence[TaskPair]) -> float | None:
    """Variance of one sample of a minus one of b; None when nothing tells."""
    within = [
        variance(ours) + variance(theirs)
        for ours, theirs in tasks
        if min(len(ours), len(theirs)) >= FEWEST_SAMPLES
    ]
    if within:
        return fmean(within)
    if len(tasks) > 1:
        return variance(fmean(ours) - fmean(theirs) for ours, theirs in tasks)
    return None
