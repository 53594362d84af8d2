"""The distribution of a mean under random weights, computed and not drawn.

The weights are a Dirichlet's: independent gamma variables over their sum. So the mean is below
t exactly where Σ gamma × (value - t) is below 0, whose chance is one integral over the
characteristic function (Gil-Pelaez 1951, Imhof 1961).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import TypeAlias

Atom: TypeAlias = tuple[float, float]
"""(value, shape of the gamma variable that weighs it)."""

_MOST_ATOMS = 64
_STEP = 1 / 12
_FIRST_NODE = -2.6
_NEGLIGIBLE = math.log(1e-9)
_LEAST_CHANCE = 1e-9
_FAR_OUT = 6.0
_PRECISION = 1e-7
_MOST_ROUNDS = 60


def quantile_of_weighted_mean(atoms: Sequence[Atom], level: float) -> float:
    """The `level` quantile of Σ gamma × value / Σ gamma, for shapes that are above 0."""
    atoms = _merged(atoms)
    low, high = atoms[0][0], atoms[-1][0]
    if low == high:
        return low
    normal = NormalDist()
    target = normal.inv_cdf(level)

    def error_at(value: float) -> float:
        # On the normal scale the curve is nearly straight, so a few secants find the root.
        chance = min(max(_chance_below(atoms, value), _LEAST_CHANCE), 1.0 - _LEAST_CHANCE)
        return normal.inv_cdf(chance) - target

    edge = normal.inv_cdf(_LEAST_CHANCE)
    return _root(error_at, (low, edge - target), (high, -edge - target))


def _root(
    error_at: Callable[[float], float], low: tuple[float, float], high: tuple[float, float]
) -> float:
    """Where a rising function is 0, between two points (value, error): the Illinois method."""
    (below, error_below), (above, error_above) = low, high
    tolerance = (above - below) * _PRECISION
    last_side = 0
    for _ in range(_MOST_ROUNDS):
        middle = (below * error_above - above * error_below) / (error_above - error_below)
        error = error_at(middle)
        if abs(error) < _PRECISION or above - below < tolerance:
            break
        side = 1 if error > 0 else -1
        if side > 0:
            above, error_above = middle, error
            error_below /= 2 if side == last_side else 1
        else:
            below, error_below = middle, error
            error_above /= 2 if side == last_side else 1
        last_side = side
    return middle


def _chance_below(atoms: Sequence[Atom], value: float) -> float:
    """P(Σ gamma × (atom - value) ≤ 0) = 1/2 - 1/π ∫ sin(phase(u)) × modulus(u) / u du.

    With u = exp(v - exp(-v)) the trapezoidal rule over v converges exponentially, as long as
    the integrand does not turn too fast; farther out than any quantile that is asked for, the
    chance is given as 0 or 1.
    """
    offsets = [(atom - value, shape) for atom, shape in atoms]
    unit = 1.0 / math.sqrt(sum(shape * offset * offset for offset, shape in offsets))
    offsets = [(offset * unit, shape) for offset, shape in offsets]
    center = sum(shape * offset for offset, shape in offsets)
    if abs(center) > _FAR_OUT:
        return 0.0 if center > 0 else 1.0
    total = 0.0
    v = _FIRST_NODE
    while True:
        u = math.exp(v - math.exp(-v))
        phase = log_modulus = 0.0
        for offset, shape in offsets:
            phase += shape * math.atan(u * offset)
            log_modulus -= 0.5 * shape * math.log1p((u * offset) ** 2)
        total += math.sin(phase) * math.exp(log_modulus) * (1.0 + math.exp(-v))
        if log_modulus < _NEGLIGIBLE:
            return 0.5 - total * _STEP / math.pi
        v += _STEP


def _merged(atoms: Sequence[Atom]) -> list[Atom]:
    """Atoms by value, equal ones as one; of very many, neighbours become one at their mean."""
    exact: dict[float, float] = {}
    for value, shape in atoms:
        exact[value] = exact.get(value, 0.0) + shape
    ordered = sorted(exact.items())
    if len(ordered) <= _MOST_ATOMS:
        return ordered
    low, high = ordered[0][0], ordered[-1][0]
    cells: dict[int, tuple[float, float]] = {}
    for value, shape in ordered:
        cell = int((value - low) / (high - low) * (_MOST_ATOMS - 1))
        moment, weight = cells.get(cell, (0.0, 0.0))
        cells[cell] = (moment + value * shape, weight + shape)
    return [(moment / weight, weight) for moment, weight in cells.values()]
