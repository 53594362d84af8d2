"""Pass rates: pass@k, pass^k and the exact interval, checked by enumeration."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import pytest

from pytest_llmbench.statistics.rates import (
    mean_over_tasks,
    pass_at_k,
    pass_hat_k,
    pass_rate_interval,
)


@pytest.mark.parametrize("runs", [1, 2, 5, 7])
def test_chances_for_k_answers_are_shares_of_all_ways_to_pick_them(runs: int) -> None:
    """Both estimators equal the share among all k-subsets of the samples."""
    for passes in range(runs + 1):
        answers = [index < passes for index in range(runs)]
        for k in range(1, runs + 1):
            picks = list(itertools.combinations(answers, k))
            assert pass_at_k(runs, passes, k) == pytest.approx(
                sum(map(any, picks)) / len(picks), abs=1e-12
            )
            assert pass_hat_k(runs, passes, k) == pytest.approx(
                sum(map(all, picks)) / len(picks), abs=1e-12
            )


@pytest.mark.parametrize("rate", [Fraction(1, 10), Fraction(1, 2), Fraction(9, 10)])
def test_chances_for_k_answers_are_without_bias(rate: Fraction) -> None:
    """Over all outcomes, their means are 1 - (1 - p)^k and p^k."""
    runs, k = 6, 3
    chances = [
        math.comb(runs, passes) * rate**passes * (1 - rate) ** (runs - passes)
        for passes in range(runs + 1)
    ]
    any_of_k = sum(float(each) * (pass_at_k(runs, c, k) or 0) for c, each in enumerate(chances))
    all_of_k = sum(float(each) * (pass_hat_k(runs, c, k) or 0) for c, each in enumerate(chances))
    assert any_of_k == pytest.approx(float(1 - (1 - rate) ** k))
    assert all_of_k == pytest.approx(float(rate**k))


def test_more_answers_than_samples_cannot_be_estimated() -> None:
    assert pass_at_k(5, 5, 6) is None
    assert pass_hat_k(5, 5, 6) is None


def test_each_task_weighs_the_same_whatever_its_number_of_samples() -> None:
    assert mean_over_tasks([[(10, 10)], [(2, 0)]], 1, pass_at_k) == 0.5
    assert mean_over_tasks([[(4, 2)], [(4, 4)]], 2, pass_hat_k) == pytest.approx((1 / 6 + 1) / 2)


def test_each_task_weighs_the_same_whatever_its_number_of_prompts() -> None:
    assert mean_over_tasks([[(1, 1), (1, 1), (1, 1)], [(1, 0)]], 1, pass_at_k) == 0.5


def test_a_task_with_too_few_samples_leaves_no_mean() -> None:
    assert mean_over_tasks([[(10, 10)], [(2, 0)]], 3, pass_at_k) is None
    assert mean_over_tasks([], 1, pass_at_k) is None


@pytest.mark.parametrize("runs", [5, 10, 30])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_interval_covers_the_rate_at_least_95_percent_of_the_time(runs: int, rate: float) -> None:
    """The exact coverage, by enumeration of all outcomes."""
    assert coverage(runs, [rate])[0] >= 0.95


@pytest.mark.parametrize("runs", [2, 3, 4, 6, 8, 15, 20, 50])
def test_interval_covers_every_rate_at_least_95_percent_of_the_time(runs: int) -> None:
    """Blaker's guarantee holds for all rates, of which 399 are tried."""
    assert min(coverage(runs, [step / 400 for step in range(1, 400)])) >= 0.95


def test_interval_lies_inside_the_clopper_pearson_one() -> None:
    """For every outcome of 2 to 50 runs."""
    for runs in range(2, 51):
        for passes in range(runs + 1):
            low, high = interval_of(passes, runs)
            exact_low, exact_high = clopper_pearson(passes, runs)
            assert exact_low - 1e-12 <= low <= passes / runs <= high <= exact_high + 1e-12
            assert high - low <= exact_high - exact_low + 1e-12


def test_interval_is_narrower_than_the_clopper_pearson_one_on_average() -> None:
    def mean_width(limits: Callable[[int, int], tuple[float, float]], runs: int) -> float:
        return sum(high - low for low, high in (limits(c, runs) for c in range(runs + 1)))

    assert mean_width(interval_of, 5) < 0.93 * mean_width(clopper_pearson, 5)
    assert mean_width(interval_of, 30) < 0.96 * mean_width(clopper_pearson, 30)


@pytest.mark.parametrize("runs", [2, 5, 10, 17])
def test_interval_spans_the_rates_that_blakers_test_accepts(runs: int) -> None:
    """The definition itself, over 1,999 rates: those under which outcomes with as small a tail
    as the observed one have a chance of 5% or more."""
    rates = [step / 2000 for step in range(1, 2000)]
    accepted: list[list[float]] = [[] for _ in range(runs + 1)]
    for rate in rates:
        chances = [chance_of(passes, runs, rate) for passes in range(runs + 1)]
        tails = [min(sum(chances[: c + 1]), sum(chances[c:])) for c in range(runs + 1)]
        for passes, tail in enumerate(tails):
            as_extreme = (each <= tail * (1 + 1e-9) for each in tails)
            if sum(itertools.compress(chances, as_extreme)) >= 0.05:
                accepted[passes].append(rate)
    for passes, each in enumerate(accepted):
        low, high = interval_of(passes, runs)
        assert low <= each[0] < low + 1.001 / 2000
        assert high >= each[-1] > high - 1.001 / 2000


def test_interval_for_failures_mirrors_that_for_passes() -> None:
    for passes in range(13):
        low, high = interval_of(passes, 12)
        assert interval_of(12 - passes, 12) == pytest.approx((1 - high, 1 - low))


def test_one_run_has_no_interval() -> None:
    assert pass_rate_interval(1, 1) is None
    assert pass_rate_interval(0, 0) is None


def test_interval_of_many_runs_is_that_of_the_normal_distribution() -> None:
    """0.7 ± 1.96 standard errors, to a tenth of one."""
    error = math.sqrt(0.7 * 0.3 / 100_000)
    low, high = interval_of(70_000, 100_000)
    assert low == pytest.approx(0.7 - 1.96 * error, abs=error / 10)
    assert high == pytest.approx(0.7 + 1.96 * error, abs=error / 10)


def interval_of(passes: int, runs: int) -> tuple[float, float]:
    interval = pass_rate_interval(passes, runs)
    assert interval is not None
    return interval


def coverage(runs: int, rates: list[float]) -> list[float]:
    """The exact chance that the interval holds the rate."""
    intervals = [interval_of(passes, runs) for passes in range(runs + 1)]
    return [
        sum(
            chance_of(passes, runs, rate)
            for passes, (low, high) in enumerate(intervals)
            if low <= rate <= high
        )
        for rate in rates
    ]


def chance_of(passes: int, runs: int, rate: float) -> float:
    return math.comb(runs, passes) * rate**passes * (1 - rate) ** (runs - passes)


def clopper_pearson(passes: int, runs: int) -> tuple[float, float]:
    """Both limits from sums of binomial chances, by bisection."""
    return lower_clopper_pearson(passes, runs), 1 - lower_clopper_pearson(runs - passes, runs)


@functools.cache
def lower_clopper_pearson(passes: int, runs: int) -> float:
    if passes == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if sum(chance_of(c, runs, middle) for c in range(passes, runs + 1)) < 0.025:
            low = middle
        else:
            high = middle
    return low
