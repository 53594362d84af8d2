"""The mean score of a model over a fixed set of tasks, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TypeAlias

from pytest_llmbench.statistics.rates import ERROR_RATE, FEWEST_SAMPLES, pass_rate_interval
from pytest_llmbench.statistics.weighting import Atom, quantile_of_weighted_mean

FULL_SCORE = 100.0

Interval: TypeAlias = tuple[float, float]


def mean_score(tasks: Sequence[Sequence[float]]) -> float | None:
    """Mean of the tasks' means, each task weighing the same.

    `tasks` holds the scores of each task's samples. Tasks without one are left out; None when
    no task has one.
    """
    means = [fmean(scores) for scores in tasks if scores]
    return fmean(means) if means else None


def mean_score_interval(tasks: Sequence[Sequence[float]]) -> Interval | None:
    """The 95% interval of `mean_score`, on the scale of 0 to 100.

    It holds what the mean would come to if the same model answered the same tasks for ever: it
    speaks of the model's dice, and not of tasks that were not asked. Samples are independent;
    their distribution may be any between 0 and 100.

    None for fewer than FEWEST_SAMPLES samples in all.
    """
    tasks = [scores for scores in tasks if scores]
    if sum(map(len, tasks)) < FEWEST_SAMPLES:
        return None
    low, high = _all_or_nothing_interval(tasks) or _pooled_interval(tasks)
    if len(tasks) > 1 and all(len(scores) >= FEWEST_SAMPLES for scores in tasks):
        stratified_low, stratified_high = _stratified_interval(tasks)
        low, high = max(low, stratified_low), min(high, stratified_high)
    return low, high


def random_weights_interval(atoms: Sequence[Atom], *, worst: float, best: float) -> Interval:
    """Gaffke's bounds: quantiles of the mean when random weights fall on the observed values
    and on one more, which is the worst possible for the lower bound, the best for the upper.
    """
    return (
        quantile_of_weighted_mean([*atoms, (worst, 1.0)], ERROR_RATE / 2),
        quantile_of_weighted_mean([*atoms, (best, 1.0)], 1.0 - ERROR_RATE / 2),
    )


def _all_or_nothing_interval(tasks: Sequence[Sequence[float]]) -> Interval | None:
    """The exact interval for a pass rate, where that is what the scores are; else None."""
    scores = [score for scores in tasks for score in scores]
    if len({len(each) for each in tasks}) > 1 or not set(scores) <= {0.0, FULL_SCORE}:
        return None
    interval = pass_rate_interval(scores.count(FULL_SCORE), len(scores))
    return interval and (interval[0] * FULL_SCORE, interval[1] * FULL_SCORE)


def _pooled_interval(tasks: Sequence[Sequence[float]]) -> Interval:
    """All samples as if drawn from one urn, which can only make the mean less certain.

    Tasks weigh the same whatever their number of samples; the sum of the shapes is the number
    of samples that would tell as much if all tasks had equally many.
    """
    effective = _effective_samples(tasks)
    atoms = [
        (score, effective / (len(tasks) * len(scores))) for scores in tasks for score in scores
    ]
    return random_weights_interval(atoms, worst=0.0, best=FULL_SCORE)


def _stratified_interval(tasks: Sequence[Sequence[float]]) -> Interval:
    """The same with each task's own level taken out of its scores.

    The one more value stands in the task where it moves the mean most.
    """
    effective = _effective_samples(tasks)
    mean = fmean(map(fmean, tasks))
    atoms: list[Atom] = []
    worst = best = mean
    for scores in tasks:
        share = effective / (len(tasks) * len(scores))
        level = fmean(scores)
        atoms += [(mean + deviation, share) for deviation in unbiased_deviations(scores)]
        worst = min(worst, mean - level * share)
        best = max(best, mean + (FULL_SCORE - level) * share)
    return random_weights_interval(atoms, worst=worst, best=best)


def unbiased_deviations(scores: Sequence[float]) -> list[float]:
    """Deviations from the mean, widened so that their mean square is the unbiased variance."""
    level = fmean(scores)
    widening = math.sqrt(len(scores) / (len(scores) - 1))
    return [(score - level) * widening for score in scores]


def _effective_samples(tasks: Sequence[Sequence[float]]) -> float:
    return len(tasks) ** 2 / sum(1 / len(scores) for scores in tasks)
