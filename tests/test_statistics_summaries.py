"""Times, flicker, the cost of a working program, and the Pareto front."""

from __future__ import annotations

import math

import pytest

from pytest_llmbench.statistics.cost import expected_cost
from pytest_llmbench.statistics.flicker import Flicker, find_flicker
from pytest_llmbench.statistics.pareto import pareto_front
from pytest_llmbench.statistics.times import TimeSummary, summarize_times


def test_times_are_summed_up_by_figures_that_an_outlier_cannot_move() -> None:
    assert summarize_times([1.0, None, 1.25, 0.75, 60.0]) == TimeSummary(
        n=4, median_s=1.125, min_s=0.75, max_s=60.0, spread_s=0.25, median_ci_s=None
    )


def test_one_time_has_no_spread() -> None:
    assert summarize_times([2.0]) == TimeSummary(1, 2.0, 2.0, 2.0, None, None)


def test_unknown_times_are_no_times() -> None:
    assert summarize_times([None, None]) is None
    assert summarize_times([]) is None


@pytest.mark.parametrize("n", [5, 6, 7, 10, 30, 200])
def test_interval_of_the_median_covers_it(n: int) -> None:
    """The exact coverage: the chance that neither too few nor too many of n values lie below."""
    summary = summarize_times([float(index) for index in range(n)])
    assert summary is not None
    assert summary.median_ci_s is not None
    low, high = (int(limit) for limit in summary.median_ci_s)
    assert low == n - 1 - high
    missed = 2 * sum(math.comb(n, below) for below in range(low + 1)) / 2**n
    assert 1 - missed >= (0.9375 if n == 5 else 0.95)
    one_rank_more = 2 * math.comb(n, low + 1) / 2**n
    assert n == 5 or 1 - missed - one_rank_more < 0.95, "a narrower interval would have done"


def test_flicker_is_what_neither_always_passes_nor_always_fails() -> None:
    flicker = find_flicker(
        {"parses": (5, 5), "delete one": (4, 5), "list both": (0, 5), "add first": (2, 5)}
    )
    assert list(flicker.items()) == [
        ("add first", Flicker(2, 5)),
        ("delete one", Flicker(4, 5)),
    ]
    assert flicker["delete one"].rate == 0.8


@pytest.mark.parametrize(
    ("per_attempt", "pass_rate", "cost"),
    [
        ([10.0, 20.0], 0.5, 30.0),
        ([10.0, None, 20.0], 0.5, 30.0),
        ([0.0, 0.0], 1.0, 0.0),
        ([10.0], 0.0, None),
        ([10.0], None, None),
        ([None], 0.5, None),
        ([], 0.5, None),
    ],
)
def test_a_working_program_costs_the_mean_attempt_over_the_pass_rate(
    per_attempt: list[float | None], pass_rate: float | None, cost: float | None
) -> None:
    assert expected_cost(per_attempt, pass_rate) == cost


def test_the_front_holds_what_nothing_beats_on_every_axis() -> None:
    front = pareto_front(
        {
            "best": (100.0, 30.0, 0.50),
            "fast": (80.0, 5.0, 0.10),
            "beaten": (75.0, 6.0, 0.10),
            "cheap": (60.0, 60.0, 0.0),
            "twin of fast": (80.0, 5.0, 0.10),
        },
        ("max", "min", "min"),
    )
    assert front == ("best", "fast", "cheap", "twin of fast")


def test_the_unknown_is_never_the_best() -> None:
    front = pareto_front(
        {
            "known": (80.0, 5.0),
            "no time": (80.0, None),
            "no time, better": (90.0, None),
            "no score": (None, 5.0),
            "nothing": (None, None),
        },
        ("max", "min"),
    )
    assert front == ("known", "no time, better")
    assert pareto_front({"nothing": (None,)}, ("max",)) == ()


def test_an_axis_that_nobody_knows_decides_nothing() -> None:
    assert pareto_front({"a": (90.0, None), "b": (80.0, None)}, ("max", "min")) == ("a",)
