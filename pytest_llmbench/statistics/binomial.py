"""Binomial tails, for any size of sample."""

from __future__ import annotations

import math

_MOST_TERMS = 10_000
_PRECISION = 1e-15
_TINY = 1e-300


def at_least(passes: int, runs: int, rate: float) -> float:
    """P(X ≥ passes) for X binomial with `runs` trials of chance `rate`."""
    if passes <= 0:
        return 1.0
    if passes > runs:
        return 0.0
    return incomplete_beta(rate, passes, runs - passes + 1)


def at_most(passes: int, runs: int, rate: float) -> float:
    """P(X ≤ passes) for X binomial with `runs` trials of chance `rate`."""
    return at_least(runs - passes, runs, 1.0 - rate)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for 0 ≤ x ≤ 1 and a, b > 0."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    front = math.exp(log_front)
    # The fraction converges fast on this side of the mean only.
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _continued_fraction(x, a, b) / a
    return 1.0 - front * _continued_fraction(1.0 - x, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of DLMF 8.17.22, by Lentz's method."""
    c = 1.0
    d = _reciprocal(1.0 - (a + b) * x / (a + 1.0))
    fraction = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = _reciprocal(1.0 + term * d)
            c = 1.0 + term / c or _TINY
            fraction *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return fraction


def _reciprocal(value: float) -> float:
    return 1.0 / (value or _TINY)
