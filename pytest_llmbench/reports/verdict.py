"""Which model to use, in sentences that are built from the numbers and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pytest_llmbench.providers.protocol import Kind
from pytest_llmbench.reports.comparisons import Comparison
from pytest_llmbench.reports.figures import show_cost, show_score, show_seconds
from pytest_llmbench.reports.standings import Standing
from pytest_llmbench.statistics.pareto import Goal, pareto_front

MAX_NAMES = 6
PAIR = 2
EQUAL_SCORES = 1e-6
EQUAL_TIMES = 0.05
"""Ratios this close to 1 are told as the same time."""


Measure: TypeAlias = Literal["score", "time", "cost"]


@dataclass(frozen=True, slots=True)
class Front:
    """The models that no other beats in everything at once."""

    models: tuple[str, ...]
    measures: tuple[Measure, ...]
    """What was compared: `score`, and `time` and `cost` where they are known of all."""


def find_front(
    standings: Sequence[Standing],
    kinds: Mapping[str, Kind],
    measures: Sequence[Measure] = ("score", "time", "cost"),
) -> Front:
    """The Pareto front over these measures, in the order of the scoreboard.

    What is not known of every scored model, or is not comparable, is left out. A local model
    costs nothing that is paid per answer; an answer that was cut off took for ever.
    """
    scored = [each for each in standings if each.score is not None]
    known = {name: axis for name, axis in _axes(scored, kinds).items() if name in measures}
    merits = zip(*(values for _, values in known.values()), strict=True)
    candidates = dict(zip((each.model for each in scored), merits, strict=True))
    front = pareto_front(candidates, [goal for goal, _ in known.values()])
    return Front(front, tuple(known))


def _axes(
    scored: Sequence[Standing], kinds: Mapping[str, Kind]
) -> dict[Measure, tuple[Goal, list[float | None]]]:
    axes: dict[Measure, tuple[Goal, list[float | None]]] = {
        "score": ("max", [each.score for each in scored])
    }
    if _times_compare([each for each in scored if not each.truncated]):
        axes["time"] = ("min", [None if each.truncated else each.total_s for each in scored])
    costs_usd = [paid_usd(each, kinds) for each in scored]
    if any(costs_usd) and None not in costs_usd:
        axes["cost"] = ("min", costs_usd)
    return axes


def reach_verdict(
    standings: Sequence[Standing],
    kinds: Mapping[str, Kind],
    comparisons: Sequence[Comparison],
    front: Front,
) -> tuple[str, ...]:
    """The sentences, most important first; `standings` has the best first."""
    scored = [each for each in standings if each.score is not None]
    if not scored:
        return ("Can't tell yet: no answer could be scored.",) if standings else ()
    sentences = [
        _tell_best(scored),
        _tell_confidence(scored, comparisons),
        _tell_local_and_cloud(scored, kinds, comparisons),
        _tell_front(scored, front),
        _tell_unscored(standings),
    ]
    return tuple(sentence for sentence in sentences if sentence is not None)


def _tell_best(scored: Sequence[Standing]) -> str:
    best = [each for each in scored if _equal(each, scored[0])]
    score = show_score(scored[0].score)
    if len(scored) == 1:
        return f"{best[0].model} scored {score} of 100."
    if len(best) == len(scored):
        together = "both" if len(best) == PAIR else "all"
        return f"{_join(best)} {together} scored {score} of 100."
    return f"{_join(best)} scored best: {score} of 100."


def _tell_confidence(scored: Sequence[Standing], comparisons: Sequence[Comparison]) -> str | None:
    """How sure it is that the best is better than the next."""
    if len(scored) == 1:
        return None
    best = scored[0]
    rival = next((each for each in scored[1:] if not _equal(each, best)), scored[1])
    comparison = _find(comparisons, best.model, rival.model)
    if comparison is not None:
        return comparison.text
    if _equal(best, rival):
        return f"Can't tell yet which is better, {best.model} or {rival.model}: too few answers."
    return (
        f"Can't tell yet whether {best.model} is really better than {rival.model} "
        f"({show_score(rival.score)}): too few answers."
    )


def _tell_local_and_cloud(
    scored: Sequence[Standing], kinds: Mapping[str, Kind], comparisons: Sequence[Comparison]
) -> str | None:
    """The best local model beside the best cloud model."""
    local = next((each for each in scored if kinds.get(each.model) == "local"), None)
    cloud = next((each for each in scored if kinds.get(each.model) == "cloud"), None)
    if local is None or cloud is None:
        return None
    parts = [
        _compare_scores(local, cloud, comparisons),
        _compare_times(local, cloud),
        _compare_costs(local, cloud),
    ]
    told = ", ".join(part for part in parts if part is not None)
    return f"{local.model} (local) beside {cloud.model} (cloud): {told}."


def _compare_scores(a: Standing, b: Standing, comparisons: Sequence[Comparison]) -> str:
    if _equal(a, b):
        return f"as correct here ({show_score(a.score)})"
    points = (a.score or 0.0) - (b.score or 0.0)
    word = "more" if points > 0 else "fewer"
    told = f"{show_score(abs(points))} points {word} ({show_score(a.score)}, {show_score(b.score)})"
    comparison = _find(comparisons, a.model, b.model)
    if comparison is None or not comparison.different:
        return f"{told}, which may be chance"
    return told


def _compare_times(a: Standing, b: Standing) -> str | None:
    if a.total_s is None or not b.total_s:
        return None
    if not _times_compare((a, b)):
        return "times that do not compare"
    ratio = a.total_s / b.total_s
    told = f"{show_seconds(a.total_s)} and {show_seconds(b.total_s)}"
    if abs(ratio - 1) < EQUAL_TIMES:
        return f"the same time ({told})"
    return f"{ratio:.1f} × its time ({told})" if ratio >= EQUAL_TIMES else f"far faster ({told})"


def _compare_costs(local: Standing, cloud: Standing) -> str | None:
    """What is paid for an answer; a local model's electricity is not in it."""
    if cloud.cost_usd is None:
        return None
    if local.cost_usd:
        return f"{show_cost(local.cost_usd)} and {show_cost(cloud.cost_usd)} an answer"
    return f"nothing paid, where {cloud.model} costs {show_cost(cloud.cost_usd)} an answer"


def _tell_front(scored: Sequence[Standing], front: Front) -> str | None:
    beaten = [each for each in scored if each.model not in front.models]
    if len(front.measures) == 1 or len(scored) == 1:
        return None
    measures = _join_words(front.measures)
    if not beaten:
        return f"Taking {measures} together, no model is beaten by another."
    chosen = [each for each in scored if each.model in front.models]
    return f"Taking {measures} together, nothing beats {_join(chosen)}."


def _tell_unscored(standings: Iterable[Standing]) -> str | None:
    unheard = [each for each in standings if each.score is None]
    if not unheard:
        return None
    return f"Can't tell anything of {_join(unheard)}: not one answer could be scored."


def _times_compare(standings: Sequence[Standing]) -> bool:
    """Whether all times are known, of whole answers, and all fresh or all replayed."""
    whole = all(each.total_s is not None and not each.truncated for each in standings)
    whole = whole and len(standings) > 0
    kinds_of_time = {each.replayed == each.scored for each in standings}
    mixed = any(0 < each.replayed < each.scored for each in standings)
    return whole and not mixed and len(kinds_of_time) == 1


def paid_usd(standing: Standing, kinds: Mapping[str, Kind]) -> float | None:
    """What is paid for an answer; nothing for a local model, None when no price is known."""
    if standing.cost_usd is None and kinds.get(standing.model) == "local":
        return 0.0
    return standing.cost_usd


def _equal(a: Standing, b: Standing) -> bool:
    return abs((a.score or 0.0) - (b.score or 0.0)) < EQUAL_SCORES


def _find(comparisons: Iterable[Comparison], a: str, b: str) -> Comparison | None:
    return next((each for each in comparisons if {each.a, each.b} == {a, b}), None)


def _join(standings: Sequence[Standing]) -> str:
    return _join_words([each.model for each in standings])


def _join_words(words: Sequence[str]) -> str:
    if len(words) > MAX_NAMES:
        words = [*words[: MAX_NAMES - 1], f"{len(words) - MAX_NAMES + 1} more"]
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"
