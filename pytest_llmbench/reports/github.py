"""What GitHub Actions shows: a summary of the job, and annotations for what failed."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmbench.reports.figures import show_score
from pytest_llmbench.reports.markdown import short_markdown_lines
from pytest_llmbench.reports.summary import Summary
from pytest_llmbench.results import Result
from pytest_llmbench.safe_text import one_line

MAX_ANNOTATIONS = 10
"""GitHub shows no more of a kind for one step."""


def step_summary_lines(summary: Summary) -> Iterator[str]:
    """Yield the Markdown for the file that `$GITHUB_STEP_SUMMARY` names."""
    yield "# Language models compared\n\n"
    yield from short_markdown_lines(summary)


def annotation_lines(summary: Summary) -> Iterator[str]:
    """Yield workflow commands: errors for scores below the threshold, warnings for no score."""
    threshold = summary.run.fail_under
    failed = [
        _error(result, result.score, threshold)
        for result in summary.run.results
        if result.score is not None and result.score < threshold
    ]
    unscored = [_warning(result) for result in summary.run.results if result.score is None]
    yield from _limit(failed, "error")
    yield from _limit(unscored, "warning")


def _limit(commands: list[str], level: str) -> Iterator[str]:
    if len(commands) <= MAX_ANNOTATIONS:
        yield from commands
        return
    yield from commands[: MAX_ANNOTATIONS - 1]
    yield f"::{level} title=llmbench::{len(commands) - MAX_ANNOTATIONS + 1:,} more like these"


def _error(result: Result, score: float, threshold: float) -> str:
    causes = "; ".join(
        f"−{show_score(each.points_lost)} {each.code}: {each.message}"
        for each in result.diagnoses
        if each.points_lost > 0
    )
    text = f"{show_score(score)} of 100, below {show_score(threshold)}. {causes}".strip()
    return _command("error", result, text)


def _warning(result: Result) -> str:
    return _command("warning", result, f"unscored: {result.reason}")


def _command(level: str, result: Result, text: str) -> str:
    file = _escape_property(result.nodeid.partition("::")[0])
    title = _escape_property(f"{result.model}: {result.task}")
    return f"::{level} file={file},title={title}::{_escape(text)}"


def _escape(text: str) -> str:
    return one_line(text).replace("%", "%25")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
