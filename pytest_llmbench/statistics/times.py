"""Times of several generations, summed up so that one outlier changes little."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from pytest_llmbench.statistics.binomial import at_most
from pytest_llmbench.statistics.rates import ERROR_RATE

FEWEST_FOR_INTERVAL = 5
"""The range of five values holds the median in 93.75% of all samples; that of four in 87.5%."""


@dataclass(frozen=True, slots=True)
class TimeSummary:
    """Robust figures over the times that are known, in seconds."""

    n: int
    """How many times are known."""
    median_s: float
    min_s: float
    max_s: float
    spread_s: float | None
    """Median absolute deviation from the median; None for one time."""
    median_ci_s: tuple[float, float] | None
    """Interval of the median; None for fewer than FEWEST_FOR_INTERVAL times."""


def summarize_times(times_s: Iterable[float | None]) -> TimeSummary | None:
    """Sum up times; those that are None are unknown and left out. None when none is known."""
    known = sorted(each for each in times_s if each is not None)
    if not known:
        return None
    middle = median(known)
    return TimeSummary(
        n=len(known),
        median_s=middle,
        min_s=known[0],
        max_s=known[-1],
        spread_s=median(abs(each - middle) for each in known) if len(known) > 1 else None,
        median_ci_s=_median_interval(known),
    )


def _median_interval(ordered: list[float]) -> tuple[float, float] | None:
    """Between the r-th least and the r-th greatest value.

    The number of values below the true median is binomial with chance 1/2, whatever the
    distribution, so the coverage is exact: at least 95%, and 93.75% for five values.
    """
    n = len(ordered)
    if n < FEWEST_FOR_INTERVAL:
        return None
    low, high = 0, n // 2
    while high - low > 1:
        middle = (low + high) // 2
        if at_most(middle, n, 0.5) <= ERROR_RATE / 2:
            low = middle
        else:
            high = middle
    return ordered[low], ordered[n - 1 - low]
