"""Checks that pass sometimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Flicker:
    """How often a check passed that neither always passes nor always fails."""

    passed: int
    runs: int

    @property
    def rate(self) -> float:
        """Share of the runs that passed; above 0, below 1."""
        return self.passed / self.runs


def find_flicker(counts: Mapping[Name, tuple[int, int]]) -> dict[Name, Flicker]:
    """The checks that flicker, least steady first.

    `counts` maps a check to (passed, runs), over samples of one task by one model.
    """
    found = {
        name: Flicker(passed, runs) for name, (passed, runs) in counts.items() if 0 < passed < runs
    }
    return dict(sorted(found.items(), key=lambda item: abs(item[1].rate - 0.5)))
