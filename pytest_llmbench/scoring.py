"""Checks become points; what never ran is not forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pytest_llmbench.results import CategoryScore, Check

FULL_SCORE = 100.0


def score_categories(
    points: Mapping[str, float], checks: Sequence[Check]
) -> dict[str, CategoryScore]:
    """Each category's share: earned = points × passed ÷ total.

    A category that `points` names and no check ran in earns 0 of its points. Without `points`
    all checks share the full score evenly.
    """
    names = list(dict.fromkeys([*points, *(check.category for check in checks)]))
    scores = {}
    for name in names:
        passed = [check.passed for check in checks if check.category == name]
        worth = points.get(name, 0.0) if points else FULL_SCORE * len(passed) / len(checks)
        earned = worth * sum(passed) / len(passed) if passed else 0.0
        scores[name] = CategoryScore(sum(passed), len(passed), earned, worth)
    return scores


def total_score(categories: Mapping[str, CategoryScore]) -> float:
    """Σ points × passed ÷ total, rounded so that thirds add up."""
    return round(sum(category.earned for category in categories.values()), 6)


def share_of_score(points: Mapping[str, float], checks: Sequence[Check]) -> float:
    """The score of one test function among several of a task, 0 to 100.

    It is judged by the categories that it checked itself; the others are the others' business.
    """
    own = {name: worth for name, worth in points.items() if name in _names(checks)}
    worth = sum(own.values()) if points else FULL_SCORE
    if not worth:
        return 0.0
    return round(FULL_SCORE * total_score(score_categories(own, checks)) / worth, 6)


def tell_failed_checks(
    score: float, fail_under: float, points: Mapping[str, float], checks: Sequence[Check]
) -> str:
    """The failure text of one item: its score, each failed check, each category without any."""
    failed = [check for check in checks if not check.passed]
    unchecked = [name for name in points if name not in _names(checks)]
    why = f"{len(failed)} of {len(checks)} checks failed"
    if unchecked and not failed:
        number = len(unchecked)
        why = f"{number} {'category' if number == 1 else 'categories'} ran no check"
    lines = [f"score {score:g} of 100, below {fail_under:g}: {why}"]
    for check in failed:
        first, *rest = (check.message or "failed").splitlines() or ["failed"]
        lines.append(f"  {check.category}: {check.name}: {first}")
        lines.extend(f"      {line}" for line in rest)
    lines.extend(f"  {name}: no check ran" for name in unchecked)
    return "\n".join(lines)


def _names(checks: Iterable[Check]) -> set[str]:
    return {check.category for check in checks}
