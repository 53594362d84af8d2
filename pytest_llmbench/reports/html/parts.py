"""The part of the page that shows one generation: question, answer, checks, runs, stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_llmbench.reports.figures import show_count, show_rate, show_score, show_seconds
from pytest_llmbench.reports.html.charts import timeline
from pytest_llmbench.reports.html.highlight import highlight
from pytest_llmbench.reports.html.markup import MAX_TEXT_CHARS, element, text
from pytest_llmbench.results import Evidence, ProgramRun, Result

BUDGET_CHARS = 5_000_000
"""Of all parts together, about: what a browser opens without a pause."""
MARKUP_PER_CHAR = 1.8
"""Coloured code takes this much more room than the code itself."""
FIXED_CHARS = 3_000
MAX_RUNS = 12


def choose_parts(results: Sequence[Result]) -> frozenset[int]:
    """Which results get a part of their own: all, or as many as there is room for.

    First samples come first, and among them the ones that lost points.
    """
    order = sorted(
        range(len(results)),
        key=lambda number: (results[number].sample, _is_perfect(results[number])),
    )
    chosen, used = set(), 0.0
    for number in order:
        used += _estimate_size(results[number].evidence)
        if used > BUDGET_CHARS:
            break
        chosen.add(number)
    return frozenset(chosen)


def part(number: int, result: Result, prompt_anchor: str | None) -> str:
    """One generation, folded."""
    return element(
        "details",
        element("summary", *_heading(result)),
        *_outcome(result),
        *_figures(result),
        element("p", element("a", "The prompt", href=f"#{prompt_anchor}")) if prompt_anchor else "",
        *_failed_checks(result),
        *_files(result.evidence),
        *_thinking(result.evidence),
        *_runs(result),
        id=f"result-{number}",
        class_="result",
        data_model=result.model,
        data_lost="no" if _is_perfect(result) else "yes",
        data_name=f"{result.model}, {_name(result)}" if result.evidence.files else None,
    )


def line(result: Result) -> str:
    """One generation that there is no room to show: its heading alone."""
    lost = "no" if _is_perfect(result) else "yes"
    return element("p", *_heading(result), class_="result", data_model=result.model, data_lost=lost)


def _is_perfect(result: Result) -> bool:
    return result.score == 100  # noqa: PLR2004  # all points


def _estimate_size(evidence: Evidence) -> float:
    code = sum(min(len(source), MAX_TEXT_CHARS) for source in evidence.files.values())
    runs = sum(len(run.stdout) + len(run.stderr) for run in evidence.runs[:MAX_RUNS])
    thinking = min(len(evidence.thinking), MAX_TEXT_CHARS)
    return FIXED_CHARS + MARKUP_PER_CHAR * (code + runs + thinking)


def _name(result: Result) -> str:
    prompt = "" if result.prompt == "default" else f", prompt {result.prompt}"
    return f"{result.task}{prompt}, sample {result.sample + 1}"


def _heading(result: Result) -> Iterator[str]:
    yield element("b", text(result.model))
    yield f" {text(_name(result))} "
    if result.score is None:
        yield element("span", "unscored", class_="badge none")
    else:
        style = "badge good" if _is_perfect(result) else "badge bad"
        yield element("span", text(show_score(result.score)), class_=style)


def _outcome(result: Result) -> Iterator[str]:
    if result.reason is not None:
        yield element("p", f"Unscored: {text(result.reason)}")
    if result.diagnoses:
        items = (
            element("li", f"{_lost(each.points_lost)}{text(each.code)}: {text(each.message)}")
            for each in result.diagnoses
        )
        yield element("ul", *items)


def _lost(points: float) -> str:
    return f"−{text(show_score(points))} " if points > 0 else ""


def _figures(result: Result) -> Iterator[str]:
    generation = result.generation
    if generation is None:
        return
    method = f" ({generation.tokens_per_s_method})" if generation.tokens_per_s_method else ""
    figures = {
        "TTFT": show_seconds(generation.ttft_s),
        "first visible": show_seconds(generation.ttfo_s),
        "total": show_seconds(generation.total_s),
        "tokens": show_count(generation.output_tokens),
        "tok/s": show_rate(generation.tokens_per_s) + method,
        "stopped by": generation.provider_stop_reason or generation.stop_reason,
    }
    if generation.replayed:
        figures["replayed"] = "yes"
    yield element(
        "dl",
        *(
            element("div", element("dt", text(name)), element("dd", text(value)))
            for name, value in figures.items()
        ),
    )
    for warning in generation.warnings:
        yield element("p", text(warning), class_="note")
    if len(result.evidence.timeline) > 1:
        yield timeline(result.evidence.timeline)
        yield element("p", "Characters over time; thinking is dashed.", class_="note")


def _failed_checks(result: Result) -> Iterator[str]:
    failed = [check for check in result.checks if not check.passed]
    if not failed:
        return
    yield element("h4", text(f"{len(failed)} of {len(result.checks)} checks failed"))
    for check in failed:
        yield element("p", element("b", text(f"{check.category}: {check.name}")))
        if check.message:
            yield _block(text(check.message), f"message of {check.name}")


def _files(evidence: Evidence) -> Iterator[str]:
    if not evidence.files:
        if evidence.answer:
            yield element("h4", "The answer, in which no file was found")
            yield _block(text(evidence.answer), "answer")
        return
    files = (
        element("h4", text(path)) + _block(highlight(source, path), path, style="code")
        for path, source in evidence.files.items()
    )
    yield element("div", *files, class_="files")


def _thinking(evidence: Evidence) -> Iterator[str]:
    if evidence.thinking:
        summary = element("summary", text(f"Thinking, {len(evidence.thinking):,} characters"))
        yield element("details", summary, _block(text(evidence.thinking), "thinking"))


def _runs(result: Result) -> Iterator[str]:
    """The runs of failed checks first: they are what one looks for."""
    failed = {f"{each.category}: {each.name}" for each in result.checks if not each.passed}
    runs = sorted(result.evidence.runs, key=lambda run: run.check not in failed)
    if not runs:
        return
    summary = element("summary", text(f"Output of {len(runs)} runs"))
    more = len(runs) - MAX_RUNS
    note = element("p", text(f"{more} more runs are not shown."), class_="note") if more > 0 else ""
    yield element("details", summary, *_show_runs(runs[:MAX_RUNS]), note)


def _show_runs(runs: Iterable[ProgramRun]) -> Iterator[str]:
    for run in runs:
        ended = f"stopped: {run.limit}" if run.limit else f"exit code {run.returncode}"
        command = " ".join([run.argv[0].rpartition("/")[2], *run.argv[1:]])
        yield element("h4", text(command))
        told = f"{ended}, {show_seconds(run.duration_s)}"
        yield element("p", text(f"{run.check}; {told}" if run.check else told), class_="note")
        for name, output in (("stdout", run.stdout), ("stderr", run.stderr)):
            if output:
                yield _block(text(output), name)


def _block(markup: str, label: str, style: str | None = None) -> str:
    """A text of its own that scrolls sideways, reachable by keyboard."""
    return element(
        "pre", markup, class_=style, tabindex=0, role="region", aria_label=label, dir="ltr"
    )
