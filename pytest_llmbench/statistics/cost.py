"""What a working program costs, in time, tokens or money."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean


def expected_cost(per_attempt: Iterable[float | None], pass_rate: float | None) -> float | None:
    """Mean cost of an attempt ÷ pass rate: the expected cost until a program works.

    `per_attempt` holds what each attempt took, failed ones included, in any one unit; None is
    unknown and left out of the mean. None when no cost is known, and when the pass rate is 0
    or unknown: no number of attempts is known to be enough.

    It assumes that one asks again until a program works and can tell when it does, that
    attempts are independent with the same chance, and that attempts of unknown cost cost as
    much as the others. Over several tasks it is the total cost over the number of working
    programs; a task that is never solved makes its own cost infinite, not the sum's.
    """
    known = [each for each in per_attempt if each is not None]
    if not known or not pass_rate:
        return None
    return fmean(known) / pass_rate
