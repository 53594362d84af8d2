"""The candidates that no other one beats on every axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

Goal: TypeAlias = Literal["max", "min"]


def pareto_front(
    candidates: Mapping[str, Sequence[float | None]], goals: Sequence[Goal]
) -> tuple[str, ...]:
    """Names of the candidates that nothing dominates, in the order given.

    Each candidate has one value per goal. Another dominates it that is as good on every axis
    and better on one. None is unknown: it is as good as another None and worse than any value,
    so the unknown is never the best. Candidates with nothing known are never on the front.
    """
    merits = {
        name: tuple(_merit(value, goal) for value, goal in zip(values, goals, strict=True))
        for name, values in candidates.items()
    }
    return tuple(
        name
        for name, merit in merits.items()
        if any(each is not None for each in candidates[name])
        and not any(_dominates(other, merit) for other in merits.values())
    )


def _merit(value: float | None, goal: Goal) -> float:
    if value is None:
        return float("-inf")
    return value if goal == "max" else -value


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(mine >= its for mine, its in zip(one, other, strict=True))
