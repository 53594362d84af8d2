"""What went wrong, model by model, and what each cause cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from pytest_llmbench.results import Diagnosis, Result
from pytest_llmbench.safe_text import cut_end

MAX_GAPS = 10
MAX_REASON_WIDTH = 500


@dataclass(frozen=True, slots=True)
class Cause:
    """One kind of thing that went wrong with a model."""

    code: str
    message: str
    """What happened where it cost the most."""
    points_lost: float
    """Of the model's mean score; 0 for what cost only time."""
    results: int
    """In how many results it was found."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Results that could not be scored, all for one reason."""

    reason: str
    results: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """All that went wrong with one model."""

    model: str
    points_lost: float
    """100 less the mean score; the causes' points add up to it."""
    causes: tuple[Cause, ...]
    """The dearest first."""
    gaps: tuple[Gap, ...]
    """The most frequent first; of very many, the rest as one."""


def find_troubles(by_model: Mapping[str, Sequence[Result]]) -> tuple[Trouble, ...]:
    """The models that anything went wrong with, in the order given."""
    troubles = (_trouble(model, results) for model, results in by_model.items())
    return tuple(each for each in troubles if each.causes or each.gaps)


def _trouble(model: str, results: Sequence[Result]) -> Trouble:
    scored = [result for result in results if result.score is not None]
    causes = _causes(scored)
    return Trouble(
        model=model,
        points_lost=fsum(cause.points_lost for cause in causes),
        causes=causes,
        gaps=_gaps(result for result in results if result.score is None),
    )


def _causes(scored: Sequence[Result]) -> tuple[Cause, ...]:
    weights = _weights(scored)
    found: dict[str, list[tuple[float, Diagnosis]]] = {}
    for result, weight in zip(scored, weights, strict=True):
        for diagnosis in result.diagnoses:
            found.setdefault(diagnosis.code, []).append((weight, diagnosis))
    causes = (
        Cause(
            code=code,
            message=max(cases, key=lambda case: case[1].points_lost)[1].message,
            points_lost=fsum(weight * each.points_lost for weight, each in cases),
            results=len(cases),
        )
        for code, cases in found.items()
    )
    return tuple(sorted(causes, key=lambda cause: -cause.points_lost))


def _weights(scored: Sequence[Result]) -> list[float]:
    """What each result weighs in the mean score, where each task weighs the same."""
    per_task: dict[str, int] = {}
    for result in scored:
        per_task[result.task] = per_task.get(result.task, 0) + 1
    return [1 / (len(per_task) * per_task[result.task]) for result in scored]


def _gaps(unscored: Iterable[Result]) -> tuple[Gap, ...]:
    counts: dict[str, int] = {}
    for result in unscored:
        reason = cut_end(result.reason or "no reason given", MAX_REASON_WIDTH)
        counts[reason] = counts.get(reason, 0) + 1
    gaps = sorted((Gap(*each) for each in counts.items()), key=lambda gap: -gap.results)
    others = sum(gap.results for gap in gaps[MAX_GAPS:])
    return (*gaps[:MAX_GAPS], *([Gap("other reasons", others)] if others else []))
