"""Two models, or two runs, over the same tasks: whether they differ, and by how much."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import add
from statistics import NormalDist, fmean
from typing import TypeAlias

from pytest_llmbench.statistics.rates import ERROR_RATE, FEWEST_SAMPLES
from pytest_llmbench.statistics.scores import (
    FULL_SCORE,
    Interval,
    random_weights_interval,
    unbiased_deviations,
)

TaskPair: TypeAlias = tuple[Sequence[float], Sequence[float], float]
"""The scores of one task's samples, from either model, and what the task weighs: 1 on average."""

_POWER = 0.80
_MOST_DIVISIONS = 1_000
_FEWEST_DIVISIONS = 100
_MOST_ENUMERATED = 20_000
_MOST_DRAWS = 4_000
_FEWEST_DRAWS = 400
_WORK = 200_000
"""Random numbers drawn for one comparison, about; the more scores, the fewer divisions."""
_DIGITS = 7
_ROUNDING = 1e-7
_SHARE_LEFT_OUT = 0.9
_LEVEL_OF_TEST = 0.045
"""Below ERROR_RATE, to stay under it where divisions are drawn and not enumerated."""


@dataclass(frozen=True, slots=True)
class ScoreComparison:
    """The scores of models a and b, in points on the scale of 0 to 100."""

    pairs: int
    """Samples of a that have a counterpart of b, over all tasks."""
    difference: float
    """Mean score of a minus mean score of b, over all tasks by their weights."""
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
    a: Sequence[Sequence[float]],
    b: Sequence[Sequence[float]],
    *,
    weights: Sequence[float] | None = None,
    settle_points: float = 5.0,
) -> ScoreComparison | None:
    """Compare two models by the scores of their samples, task by task.

    a[t] and b[t] hold the scores of task t (where prompts vary: of a task's prompt), in any
    number; weights[t] is what it weighs beside the others, the same for all when None. Tasks that
    one of the two lacks are left out; None when no task is left.
    """
    weights = [1.0] * len(a) if weights is None else weights
    both = [each for each in zip(a, b, weights, strict=True) if each[0] and each[1]]
    if not both:
        return None
    average = fmean(weight for _, _, weight in both)
    tasks = [(ours, theirs, weight / average) for ours, theirs, weight in both]
    difference = fmean(weight * (fmean(ours) - fmean(theirs)) for ours, theirs, weight in tasks)
    margin = _critical_margin(tasks)
    different = abs(difference) > margin
    interval = _interval(tasks, difference)
    if interval is not None:
        interval = _agreeing(interval, difference, margin, different=different)
    pairs = sum(min(len(ours), len(theirs)) for ours, theirs, _ in tasks)
    settled = different or (interval is not None and _within(interval, settle_points))
    return ScoreComparison(
        pairs=pairs,
        difference=difference,
        ci=interval,
        different=different,
        samples_needed=None if settled else _samples_needed(tasks, pairs, settle_points),
    )


def _critical_margin(tasks: Sequence[TaskPair]) -> float:
    """The greatest difference that equal models show too often to call it one.

    Where models are equal, a task's scores could as well have come in any other division
    between the two: a permutation test, stratified by task. Divisions are ranked by their
    difference in standard errors; by the difference alone, coarse scores would tie.
    """
    # Scores that differ by rounding alone have no variance that could be told from 0.
    varied = [
        task for task in tasks if max(*task[0], *task[1]) - min(*task[0], *task[1]) > _ROUNDING
    ]
    if not varied:
        return _ROUNDING
    observed = sum((_divisions([sum(task[0])], task)[0] for task in varied), 0j)
    totals = _enumerated(varied)
    if not totals:
        rng = random.Random(0)  # noqa: S311 - the same samples must give the same answer
        totals = [*_drawn(varied, rng), observed]
    ratios = Counter(round(abs(total.real) / math.sqrt(total.imag), _DIGITS) for total in totals)
    greater = 0
    for ratio in sorted(ratios, reverse=True):
        greater += ratios[ratio]
        if greater > _LEVEL_OF_TEST * len(totals):
            break
    standard_error = math.sqrt(observed.imag)
    return max(_ROUNDING, (ratio + _ROUNDING) * standard_error / len(tasks))


def _enumerated(tasks: Sequence[TaskPair]) -> list[complex]:
    """The sum over tasks, for each division of their scores; empty if there are too many."""
    divisions = math.prod(map(_count_divisions, tasks))
    if divisions > _MOST_ENUMERATED:
        return []
    totals = [0j]
    for task in tasks:
        totals = [total + each for total in totals for each in _all_divisions(task)]
    return totals


def _drawn(tasks: Sequence[TaskPair], rng: random.Random) -> list[complex]:
    """The same for random divisions."""
    samples = sum(len(ours) + len(theirs) for ours, theirs, _ in tasks)
    divisions = min(max(_WORK // samples, _FEWEST_DIVISIONS), _MOST_DIVISIONS)
    draws = min(max(_WORK // len(tasks), _FEWEST_DRAWS), _MOST_DRAWS)
    totals = [0j] * draws
    for task in tasks:
        if _count_divisions(task) <= _MOST_DIVISIONS:
            table = _all_divisions(task)
        else:
            table = _random_divisions(task, divisions, rng)
        totals = list(map(add, totals, rng.choices(table, k=draws)))
    return totals


def _count_divisions(task: TaskPair) -> int:
    ours, theirs, _ = task
    return math.comb(len(ours) + len(theirs), len(ours))


def _all_divisions(task: TaskPair) -> list[complex]:
    ours, theirs, _ = task
    return _divisions(map(sum, itertools.combinations([*ours, *theirs], len(ours))), task)


def _random_divisions(task: TaskPair, count: int, rng: random.Random) -> list[complex]:
    ours, theirs, _ = task
    pool = [*ours, *theirs]
    return _divisions((sum(rng.sample(pool, len(ours))) for _ in range(count)), task)


def _divisions(sums: Iterable[float], task: TaskPair) -> list[complex]:
    """For divisions of a task's scores in which those of one model have these sums: the weighted
    difference of means as real part and its variance as imaginary part, as both add up.

    The variance leaves out most of what the difference explains, as a t test does. Without all
    of it, nothing would be left where the scores fall apart in two.
    """
    ours, theirs, weight = task
    pool, size, rest = [*ours, *theirs], len(ours), len(theirs)
    total = math.fsum(pool)
    explained = _SHARE_LEFT_OUT / (len(pool) - 1)
    null_variance = _variance(pool) * (1 / size + 1 / rest) * weight * weight
    differences = (weight * (each / size - (total - each) / rest) for each in sums)
    return [complex(each, null_variance - explained * each * each) for each in differences]


def _interval(tasks: Sequence[TaskPair], difference: float) -> Interval | None:
    """From the samples within each task where there are two, else from the tasks' differences."""
    if all(min(len(ours), len(theirs)) >= FEWEST_SAMPLES for ours, theirs, _ in tasks):
        low, high = _stratified_interval(tasks, difference)
    elif len(tasks) > 1:
        evenness = 1.0 / fmean(weight * weight for _, _, weight in tasks)
        low, high = random_weights_interval(
            [(fmean(ours) - fmean(theirs), weight * evenness) for ours, theirs, weight in tasks],
            worst=-FULL_SCORE,
            best=FULL_SCORE,
        )
    else:
        return None
    return max(low, -FULL_SCORE), min(high, FULL_SCORE)


def _stratified_interval(tasks: Sequence[TaskPair], difference: float) -> Interval:
    """The interval of `scores`, with the samples of both models as independent terms."""
    samples = sum(len(ours) + len(theirs) for ours, theirs, _ in tasks)
    atoms: list[tuple[float, float]] = []
    worst = best = difference
    for ours, theirs, weight in tasks:
        for scores, sign in ((ours, 1.0), (theirs, -1.0)):
            lever = weight * samples / (len(tasks) * len(scores))
            atoms += [
                (difference + sign * lever * deviation, 1.0)
                for deviation in unbiased_deviations(scores)
            ]
            fall, rise = fmean(scores) * lever, (FULL_SCORE - fmean(scores)) * lever
            worst = min(worst, difference - (fall if sign > 0 else rise))
            best = max(best, difference + (rise if sign > 0 else fall))
    return random_weights_interval(atoms, worst=worst, best=best)


def _agreeing(interval: Interval, difference: float, margin: float, *, different: bool) -> Interval:
    """The interval, with 0 in or out as the test decided.

    An interval holds the differences that were not rejected, and 0 has a sharper test than
    the others. Where the two disagree on 0, the end on its side is the test's own margin.
    """
    low, high = interval
    if (low <= 0.0 <= high) == (not different):
        return interval
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
        weight * weight * (_variance(ours) + _variance(theirs))
        for ours, theirs, weight in tasks
        if min(len(ours), len(theirs)) >= FEWEST_SAMPLES
    ]
    if within:
        return fmean(within)
    if len(tasks) > 1:
        unevenness = fmean(weight * weight for _, _, weight in tasks)
        return unevenness * _variance([fmean(ours) - fmean(theirs) for ours, theirs, _ in tasks])
    return None


def _variance(values: Sequence[float]) -> float:
    """The unbiased one. That of the standard library is exact, and takes some 60 times as long."""
    mean = fmean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
