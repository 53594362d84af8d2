"""Thoughts told apart from the answer, where a server leaves both in one text."""

from __future__ import annotations

from typing import TypeAlias

from pytest_llmbench.generation.chunks import ThinkingStart, ThinkingText, VisibleText

OPENING = "<think>"
CLOSING = "</think>"

Part: TypeAlias = ThinkingStart | ThinkingText | VisibleText


class ThinkingTags:
    """Splits a text that may begin with a `<think>` block, piece by piece.

    Only a block at the very start counts: an answer may well speak of such tags. Blank lines
    between the block and the answer belong to neither. How the text is cut into pieces makes
    no difference to what comes out.
    """

    def __init__(self) -> None:
        self._read = self._read_start
        self._held = ""
        self.found = False
        """Whether the text began with a block of thoughts."""

    def feed(self, text: str) -> list[Part]:
        """What `text` adds, as far as it can be told apart yet."""
        self._held += text
        return self._read()

    def finish(self) -> list[Part]:
        """What was held back, now that the text is over."""
        held, self._held = self._held, ""
        if not held or self._read == self._read_gap:
            return []
        return [ThinkingText(held) if self._read == self._read_thoughts else VisibleText(held)]

    def _read_start(self) -> list[Part]:
        text = self._held.lstrip()
        if text.startswith(OPENING):
            self.found = True
            self._held = text.removeprefix(OPENING)
            self._read = self._read_thoughts
            return [ThinkingStart(), *self._read()]
        if OPENING.startswith(text):
            return []
        self._read = self._read_answer
        return self._read()

    def _read_thoughts(self) -> list[Part]:
        thoughts, tag, rest = self._held.partition(CLOSING)
        if tag:
            self._held = rest
            self._read = self._read_gap
        else:
            self._held = _begun_tag(thoughts)
            thoughts = thoughts[: len(thoughts) - len(self._held)]
        shown: list[Part] = [ThinkingText(thoughts)] if thoughts else []
        return shown + self._read() if tag else shown

    def _read_gap(self) -> list[Part]:
        answer = self._held.lstrip()
        if not answer:
            return []
        gap = self._held[: len(self._held) - len(answer)]
        self._held = gap.rpartition("\n")[2] + answer
        self._read = self._read_answer
        return self._read()

    def _read_answer(self) -> list[Part]:
        held, self._held = self._held, ""
        return [VisibleText(held)] if held else []


def _begun_tag(text: str) -> str:
    """The end of `text` that may be the beginning of the closing tag."""
    lengths = range(min(len(CLOSING) - 1, len(text)), 0, -1)
    return next((CLOSING[:n] for n in lengths if text.endswith(CLOSING[:n])), "")
