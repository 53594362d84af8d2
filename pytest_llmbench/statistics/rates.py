"""Pass rates: estimates for k answers, and an interval for the rate itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from pytest_llmbench.statistics.binomial import at_least, at_most

ERROR_RATE = 0.05
"""The share of intervals that may miss: one minus the level."""

FEWEST_SAMPLES = 2
"""One sample excludes next to nothing: its exact interval is 95% of the whole scale."""

_HALVINGS = 50


def pass_at_k(runs: int, passes: int, k: int) -> float | None:
    """The chance that at least one of k answers passes, without bias: 1 - C(n-c, k) / C(n, k).

    `passes` of `runs` answers passed. None where k > `runs`: nothing without bias exists there.
    """
    if k > runs:
        return None
    return 1.0 - math.comb(runs - passes, k) / math.comb(runs, k)


def pass_hat_k(runs: int, passes: int, k: int) -> float | None:
    """The chance that all of k answers pass (pass^k), without bias: C(c, k) / C(n, k).

    None where k > `runs`.
    """
    if k > runs:
        return None
    return math.comb(passes, k) / math.comb(runs, k)


def mean_over_tasks(
    tasks: Sequence[Sequence[tuple[int, int]]],
    k: int,
    estimate: Callable[[int, int, int], float | None],
) -> float | None:
    """Mean of `estimate` (pass_at_k or pass_hat_k), each task weighing the same.

    `tasks` holds (runs, passes) of each of a task's prompts, which weigh the same within it. None
    without tasks, and where a prompt has fewer than k runs: a mean over the others would answer
    another question.
    """
    estimates = [[estimate(runs, passes, k) for runs, passes in prompts] for prompts in tasks]
    known = [[each for each in prompts if each is not None] for prompts in estimates]
    return fmean(map(fmean, known)) if known and known == estimates else None


def pass_rate_interval(passes: int, runs: int) -> tuple[float, float] | None:
    """Blaker's exact 95% interval for a pass rate, 0 to 1.

    It covers any rate at least 95% of the time and lies inside the Clopper-Pearson interval.
    None for fewer than FEWEST_SAMPLES runs.
    """
    if runs < FEWEST_SAMPLES:
        return None
    return _lower_limit(passes, runs), 1.0 - _lower_limit(runs - passes, runs)


def _lower_limit(passes: int, runs: int) -> float:
    if passes == 0:
        return 0.0
    clopper_pearson = _first_true(
        lambda rate: at_least(passes, runs, rate) >= ERROR_RATE / 2, 0.0, passes / runs
    )
    # Results as unlikely as this one, on the other side, at the Clopper-Pearson limit.
    opposite = _most_within(runs, clopper_pearson, ERROR_RATE / 2)

    def is_acceptable(rate: float) -> bool:
        tail = at_least(passes, runs, rate)
        if at_most(opposite + 1, runs, rate) <= tail:
            return True  # the other tail gains a result, and both are then above half the error
        return tail + at_most(opposite, runs, rate) >= ERROR_RATE

    return _first_true(is_acceptable, clopper_pearson, passes / runs)


def _most_within(runs: int, rate: float, chance: float) -> int:
    """The largest count y with P(X ≤ y) ≤ chance; -1 when there is none."""
    low, high = -1, runs
    while high - low > 1:
        middle = (low + high) // 2
        if at_most(middle, runs, rate) <= chance:
            low = middle
        else:
            high = middle
    return low


def _first_true(predicate: Callable[[float], bool], low: float, high: float) -> float:
    """Where a predicate turns true on its way from low, where it may be false, to high.

    Rounded down, so that the interval errs on the wide side by less than 1e-15.
    """
    if predicate(low):
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if predicate(middle):
            high = middle
        else:
            low = middle
    return low
