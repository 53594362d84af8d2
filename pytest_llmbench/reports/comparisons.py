"""Models side by side, paired by task and sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from pytest_llmbench.reports.figures import show_score
from pytest_llmbench.results import Result
from pytest_llmbench.statistics.comparison import ScoreComparison, compare_scores

SCORE_DIGITS = 6
"""Two sums of the same thirds, added up in another order, are no difference."""
MAX_MODELS_IN_ALL_PAIRS = 12
SETTLE_POINTS = 5.0
"""`samples_needed` speaks of a true difference of this many points."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models, paired by task and sample."""

    a: str
    b: str
    pairs: int
    difference: float
    """Mean score of `a` minus that of `b`, in points, each task weighing the same."""
    ci: tuple[float, float] | None
    """95% interval of the difference; None where none can be defended."""
    different: bool
    """Whether two equal models would show as great a difference at most 5% of the time."""
    samples_needed: int | None
    """Further samples of each until a true difference of 5 points would be found; None when the
    question is settled and when nothing tells."""
    text: str


def compare_models(results: Iterable[Result], labels: Sequence[str]) -> tuple[Comparison, ...]:
    """Pairs of these models that have a task in common; `labels` has the best first.

    All pairs of up to MAX_MODELS_IN_ALL_PAIRS models; of more, each model with the best one and
    with the next one, since the time that all pairs take grows with the square of their number.
    """
    by_model: dict[str, list[Result]] = {label: [] for label in labels}
    for result in results:
        by_model[result.model].append(result)
    scores = {label: _scores_by_question(some) for label, some in by_model.items()}
    found = (_compare(a, b, scores[a], scores[b]) for a, b in _choose_pairs(labels))
    return tuple(each for each in found if each is not None)


def compare_results(
    a: str, b: str, ours: Iterable[Result], theirs: Iterable[Result]
) -> Comparison | None:
    """Two models, or two runs of one, by their results; None when no task is in both."""
    return _compare(a, b, _scores_by_question(ours), _scores_by_question(theirs))


def _scores_by_question(results: Iterable[Result]) -> dict[tuple[str, str], list[float]]:
    scores: dict[tuple[str, str], list[float]] = {}
    for result in results:
        if result.score is not None:
            asked = (result.task, result.prompt)
            scores.setdefault(asked, []).append(round(result.score, SCORE_DIGITS))
    return scores


def _choose_pairs(labels: Sequence[str]) -> list[tuple[str, str]]:
    if len(labels) <= MAX_MODELS_IN_ALL_PAIRS:
        return list(combinations(labels, 2))
    best, *others = labels
    return [(best, other) for other in others] + list(pairwise(others))


def _compare(
    a: str,
    b: str,
    ours: Mapping[tuple[str, str], list[float]],
    theirs: Mapping[tuple[str, str], list[float]],
) -> Comparison | None:
    asked = [each for each in ours if each in theirs]
    prompts = Counter(task for task, _ in asked)
    found = compare_scores(
        [ours[each] for each in asked],
        [theirs[each] for each in asked],
        weights=[1.0 / prompts[task] for task, _ in asked],
        settle_points=SETTLE_POINTS,
    )
    if found is None:
        return None
    return Comparison(
        a=a,
        b=b,
        pairs=found.pairs,
        difference=round(found.difference, SCORE_DIGITS) + 0.0,  # and never −0
        ci=found.ci,
        different=found.different,
        samples_needed=found.samples_needed,
        text=_tell(a, b, found),
    )


def _tell(a: str, b: str, found: ScoreComparison) -> str:
    interval = ""
    if found.ci is not None:
        interval = f" (95%: {show_points(found.ci[0])} to {show_points(found.ci[1])})"
    if found.different:
        better, worse = (a, b) if found.difference > 0 else (b, a)
        points = show_score(abs(found.difference))
        return f"{better} scores {points} points more than {worse}{interval}."
    told = f"{a} and {b}: no difference found, {show_points(found.difference)} points{interval}"
    if found.samples_needed is not None:
        return f"{told}; about {found.samples_needed:,} more samples would settle 5 points."
    if found.ci is None:
        points = show_points(found.difference)
        return f"{a} and {b}: {points} points, but one answer each can't tell."
    return f"{told}."


def show_points(points: float) -> str:
    """A difference, with its sign."""
    text = show_score(abs(points))
    if text in {"0", "0.0"}:
        return "0"
    return f"+{text}" if points > 0 else f"−{text}"
