"""One line on a terminal that tells what a test is waiting for."""

from __future__ import annotations

import os
from typing import Any

import pytest

from pytest_llmbench.generation.ask import WAITING_FOR_THE_CAP
from pytest_llmbench.generation.clock import Clock
from pytest_llmbench.generation.lanes import Pending
from pytest_llmbench.safe_text import escape_controls

CHARS_PER_TOKEN = 4
"""About what a token holds; good enough for a line that shows that something moves."""


class LiveLine:
    """Stands below pytest's own line while a test waits, and leaves no trace."""

    def __init__(self, config: pytest.Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._shown = ""

    def show(self, pending: Pending) -> None:
        """Draw the line for an answer that is being made."""
        text = describe_progress(pending, self._clock.now())
        if text != self._shown:
            self._draw(text)
            self._shown = text

    def wipe(self) -> None:
        """Leave the terminal as it was."""
        if self._shown:
            self._draw("")
            self._shown = ""

    def _draw(self, text: str) -> None:
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        capture = self._config.pluginmanager.getplugin("capturemanager")
        if reporter is None or capture is None or not _is_terminal(reporter):
            return
        writer = reporter._tw  # noqa: SLF001  # pytest offers no other way to a terminal's next line
        column = writer.width_of_current_line
        line = escape_controls(text)[: max(writer.fullwidth - 1, 20)]
        back = f"\x1b[A\r\x1b[{column}C" if column else "\x1b[A\r"
        with capture.global_and_fixture_disabled():
            writer._file.write(f"\n\r{line}\x1b[K{back}")  # noqa: SLF001
            writer._file.flush()  # noqa: SLF001


def _is_terminal(reporter: Any) -> bool:
    return bool(reporter.isatty) and os.environ.get("TERM") != "dumb"


def describe_progress(pending: Pending, now_s: float) -> str:
    """What the model is doing, for how long, and how much has come."""
    progress, label = pending.progress, pending.job.model.label
    if progress.stage == "queued":
        return f"{label}: waiting for its turn"
    seconds = f"{max(0.0, now_s - progress.since):.0f} s"
    if progress.stage == "opening":
        return f"{label}: opening, {seconds}"
    if progress.stage == WAITING_FOR_THE_CAP:
        return f"{label}: waiting to know what other answers cost, {seconds}"
    if progress.stage == "preparing":
        return f"{label}: getting ready, {seconds}"
    if progress.stage == "waiting to retry":
        return f"{label}: {progress.fault}; trying again, {seconds}"
    tokens = (progress.visible_chars + progress.thinking_chars) // CHARS_PER_TOKEN
    if progress.visible_chars:
        return f"{label}: writing, {seconds}, about {tokens:,} tokens so far"
    if progress.thinking_chars:
        return f"{label}: thinking, {seconds}, about {tokens:,} tokens so far"
    return f"{label}: waiting for the first token, {seconds}"
