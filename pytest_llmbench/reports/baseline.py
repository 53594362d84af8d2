"""A run beside an earlier one: what each model gained, lost, and how its speed changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_llmbench.reports.comparisons import Comparison, compare_results, show_points
from pytest_llmbench.reports.figures import show_rate, show_score, show_seconds
from pytest_llmbench.reports.run import ModelRecord, Run
from pytest_llmbench.reports.standings import Standing, stand
from pytest_llmbench.results import Result

CHECKS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Baseline:
    """An earlier run."""

    source: str
    """Where its report lies."""
    run: Run


@dataclass(frozen=True, slots=True)
class ChangedCheck:
    """A check that most samples passed in one of two runs, and not in the other."""

    task: str
    prompt: str
    category: str
    name: str
    passed_before: int
    runs_before: int
    passed_now: int
    runs_now: int


@dataclass(frozen=True, slots=True)
class SpeedChange:
    """The medians (before, now). None where one is not known, and where they do not compare."""

    reason: str | None
    """Why they do not compare; None when they do."""
    ttft_s: tuple[float, float] | None = None
    total_s: tuple[float, float] | None = None
    tokens_per_s: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """One model before (`a`) and now (`b`); the figures are those of a `Comparison`."""

    a: str
    b: str
    pairs: int
    difference: float
    """Mean score before minus now, in points."""
    ci: tuple[float, float] | None
    different: bool
    samples_needed: int | None
    text: str
    regression: bool
    """The score is lower than before, by more than chance explains."""
    checks_lost: tuple[ChangedCheck, ...]
    checks_won: tuple[ChangedCheck, ...]
    speed: SpeedChange


@dataclass(frozen=True, slots=True)
class Changes:
    """All that changed since an earlier run."""

    source: str
    comparisons: tuple[BaselineComparison, ...]
    remarks: tuple[str, ...]
    """What a reader should know: no model in common, tasks left out since they were changed."""

    @property
    def regressions(self) -> tuple[BaselineComparison, ...]:
        """The models that score less than before."""
        return tuple(each for each in self.comparisons if each.regression)


def find_changes(baseline: Baseline, run: Run) -> Changes:
    """Compare each model with its earlier self, over the questions that are still the same.

    Models are paired by label. Where no label occurs in both runs and each has one model, these
    two are compared. A task whose points have changed, and a prompt that has, is left out.
    """
    before = baseline.run
    pairs = _pair_models(before, run)
    repointed = _find_changed_points(before, run)
    reworded = _find_changed_prompts(before, run)
    same_before = _leave_out(before, repointed, reworded)
    same_now = _leave_out(run, repointed, reworded)
    found = (_compare(same_before, same_now, a, b) for a, b in pairs)
    comparisons = tuple(each for each in found if each is not None)
    remarks = []
    if not pairs:
        remarks.append(
            f"No model is in both runs: then {_join(before.models)}, now {_join(run.models)}."
        )
    elif not comparisons:
        remarks.append("No question has a score in both runs.")
    if repointed:
        remarks.append(f"Left out, as the points have changed since: {_join(repointed)}.")
    if reworded:
        asked = [
            task if len(run.tasks[task].prompts) == 1 else f"{task} ({prompt})"
            for task, prompt in reworded
        ]
        remarks.append(f"Left out, as the prompt has changed since: {_join(asked)}.")
    return Changes(baseline.source, comparisons, tuple(remarks))


def change_lines(comparison: BaselineComparison) -> Iterator[str]:
    """The checks lost and won, and the speed, each as one line."""
    for word, checks in (("lost", comparison.checks_lost), ("won", comparison.checks_won)):
        if checks:
            told = [_tell_check(each) for each in checks[:CHECKS_SHOWN]]
            more = len(checks) - len(told)
            yield f"{word}: {'; '.join(told)}{f' and {more:,} more' if more else ''}"
    yield f"speed: {_tell_speed(comparison.speed)}"


def _pair_models(before: Run, now: Run) -> list[tuple[str, str]]:
    common = [label for label in now.models if label in before.models]
    if common:
        return [(label, label) for label in common]
    if len(before.models) == len(now.models) == 1:
        return [(next(iter(before.models)), next(iter(now.models)))]
    return []


def _find_changed_points(before: Run, now: Run) -> list[str]:
    return [
        task
        for task, record in now.tasks.items()
        if task in before.tasks and before.tasks[task].points != record.points
    ]


def _find_changed_prompts(before: Run, now: Run) -> list[tuple[str, str]]:
    """(task, name of the prompt)."""
    return [
        (task, prompt)
        for task, record in now.tasks.items()
        for prompt, digest in record.prompts.items()
        if task in before.tasks and before.tasks[task].prompts.get(prompt, digest) != digest
    ]


def _leave_out(run: Run, tasks: Sequence[str], prompts: Sequence[tuple[str, str]]) -> Run:
    results = (
        result
        for result in run.results
        if result.task not in tasks and (result.task, result.prompt) not in prompts
    )
    return replace(run, results=tuple(results))


def _compare(before: Run, now: Run, a: str, b: str) -> BaselineComparison | None:
    earlier = [result for result in before.results if result.model == a]
    later = [result for result in now.results if result.model == b]
    found = compare_results(a, b, earlier, later)
    if found is None:
        return None
    changed = _find_changed_checks(earlier, later)
    return BaselineComparison(
        a=a,
        b=b,
        pairs=found.pairs,
        difference=found.difference,
        ci=found.ci,
        different=found.different,
        samples_needed=found.samples_needed,
        text=_tell(a, b, found),
        regression=found.different and found.difference > 0,
        checks_lost=tuple(each for each in changed if _mostly_before(each)),
        checks_won=tuple(each for each in changed if not _mostly_before(each)),
        speed=_compare_speed(
            _Side(before, before.models[a], stand(a, earlier, before.fail_under)),
            _Side(now, now.models[b], stand(b, later, now.fail_under)),
        ),
    )


def _find_changed_checks(
    earlier: Sequence[Result], later: Sequence[Result]
) -> tuple[ChangedCheck, ...]:
    counts = _count_checks(later)
    both = (
        ChangedCheck(*name, *before, *counts[name])
        for name, before in _count_checks(earlier).items()
        if name in counts
    )
    return tuple(each for each in both if _mostly_before(each) != _mostly_now(each))


def _count_checks(
    results: Sequence[Result],
) -> Mapping[tuple[str, str, str, str], tuple[int, int]]:
    counts: dict[tuple[str, str, str, str], tuple[int, int]] = {}
    for result in results:
        if result.score is None:
            continue
        for check in result.checks:
            name = (result.task, result.prompt, check.category, check.name)
            passed, runs = counts.get(name, (0, 0))
            counts[name] = (passed + check.passed, runs + 1)
    return counts


def _mostly_before(check: ChangedCheck) -> bool:
    return 2 * check.passed_before > check.runs_before


def _mostly_now(check: ChangedCheck) -> bool:
    return 2 * check.passed_now > check.runs_now


@dataclass(frozen=True, slots=True)
class _Side:
    """One model in one of the two runs."""

    run: Run
    model: ModelRecord
    standing: Standing


def _compare_speed(before: _Side, now: _Side) -> SpeedChange:
    reason = _why_not_comparable(before, now)
    if reason is not None:
        return SpeedChange(reason)
    return SpeedChange(
        reason=None,
        ttft_s=_both(before.standing.ttft_s, now.standing.ttft_s),
        total_s=_both(before.standing.total_s, now.standing.total_s),
        tokens_per_s=_both(before.standing.tokens_per_s, now.standing.tokens_per_s),
    )


def _why_not_comparable(before: _Side, now: _Side) -> str | None:
    if before.standing.replayed:
        return "the earlier run's answers were recorded before it"
    if now.standing.replayed:
        return "this run's answers were recorded earlier"
    if before.run.environment.platform != now.run.environment.platform:
        platforms = (before.run.environment.platform, now.run.environment.platform)
        return f"another machine ({platforms[0]}, now {platforms[1]})"
    if before.model.spec != now.model.spec:
        return f"another spec ({before.model.spec}, now {now.model.spec})"
    if before.model.served_model != now.model.served_model:
        return f"another model served ({before.model.served_model}, now {now.model.served_model})"
    if now.model.kind == "cloud":
        return None if now.model.served_model else "the server does not say which model it used"
    if before.model.digest is None or now.model.digest is None:
        return "the server does not say which weights it used"
    if before.model.digest != now.model.digest:
        return f"other weights ({before.model.digest}, now {now.model.digest})"
    return None


def _both(before: float | None, now: float | None) -> tuple[float, float] | None:
    return None if before is None or now is None else (before, now)


def _tell(a: str, b: str, found: Comparison) -> str:
    """The change from before to now: the difference with its sign turned round."""
    name = b if a == b else f"{b} (before: {a})"
    points = -found.difference
    interval = ""
    if found.ci is not None:
        interval = f" (95%: {show_points(-found.ci[1])} to {show_points(-found.ci[0])})"
    if found.different:
        word = "more" if points > 0 else "less"
        return f"{name} scores {show_score(abs(points))} points {word} than before{interval}."
    told = f"{name}: no difference found, {show_points(points)} points{interval}"
    if found.samples_needed is not None:
        return f"{told}; about {found.samples_needed:,} more samples would settle 5 points."
    if found.ci is None:
        return f"{name}: {show_points(points)} points, but one answer each can't tell."
    return f"{told}."


def _tell_check(check: ChangedCheck) -> str:
    asked = check.task if check.prompt == "default" else f"{check.task} ({check.prompt})"
    name = f"{asked}: {check.category}: {check.name}"
    if check.runs_before == check.runs_now == 1:
        return name
    before = f"{check.passed_before}/{check.runs_before}"
    return f"{name} ({before} → {check.passed_now}/{check.runs_now})"


def _tell_speed(speed: SpeedChange) -> str:
    if speed.reason is not None:
        return f"not comparable: {speed.reason}"
    figures = (
        ("TTFT", speed.ttft_s, show_seconds),
        ("total", speed.total_s, show_seconds),
        ("tok/s", speed.tokens_per_s, show_rate),
    )
    told = [f"{name} {show(both[0])} → {show(both[1])}" for name, both, show in figures if both]
    return ", ".join(told) or "not known"


def _join(names: Mapping[str, object] | Sequence[str]) -> str:
    shown = list(names)[:CHECKS_SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
