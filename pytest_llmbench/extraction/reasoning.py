"""Reasoning that a model wrote into its answer: found, and left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_llmbench.extraction.fences import Fence, read_fence
from pytest_llmbench.extraction.text import is_quoted

_NAMES = "think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratchpad|seed:think|antml:thinking"
_OPENER = re.compile(
    rf"\s*(?:<(?:{_NAMES})(?:\s[^<>]*)?>|\[THINK\]|◁think▷|<\|begin_of_thought\|>"
    r"|<\|START_THINKING\|>|<\|channel\|>(?:analysis|commentary)<\|message\|>|<\|channel>thought)",
    re.IGNORECASE,
)
_CLOSER = re.compile(
    rf"</(?:{_NAMES})\s*>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<\|END_THINKING\|>"
    r"|<\|channel\|>final<\|message\|>|<channel\|>|\bassistantfinal(?![a-z])",
    re.IGNORECASE,
)
_MENTION_GOES_ON = re.compile(r"\s*(?:[a-z]|[,.;:)])")

# Weighing whether a tag inside an open block is text takes a look at the rest of the answer.
_MAX_WEIGHED_TAGS = 20


@dataclass(frozen=True, slots=True)
class Visible:
    """An answer without its reasoning."""

    text: str
    is_cut: bool = False
    """It ends in the middle of its reasoning."""


@dataclass(frozen=True, slots=True)
class _CloseTag:
    line: int
    end: int


def drop_reasoning(text: str) -> Visible:
    """Leave out reasoning sections, and all that stands before a close tag without an opener.

    An opener without a close tag drops the rest: drafts are never taken for the answer.
    """
    if not _CLOSER.search(text) and not any(map(_OPENER.match, text.split("\n"))):
        return Visible(text)
    return _Sieve(text.split("\n")).run()


class _Sieve:
    """One walk down the lines of an answer."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._fences = [
            (number, fence)
            for number, line in enumerate(lines)
            if ("```" in line or "~~~" in line) and (fence := read_fence(line))
        ]
        self._fence_at = dict(self._fences)
        self._kept: list[str] = []
        self._weighed = 0
        self._closed_one = False

    def run(self) -> Visible:
        at = 0
        open_fence: Fence | None = None
        while at < len(self._lines):
            line = self._lines[at]
            fence = self._fence_at.get(at)
            if fence is None and open_fence is None and (opener := _OPENER.match(line)):
                tag = self._find_close(at, opener.end())
                if tag is None:
                    return Visible("\n".join(self._kept), is_cut=True)
                at = self._resume_after(tag)
                continue
            tag = self._tag_behind(at, fence, open_fence) if fence else self._close_tag_in(at)
            if fence and tag and self._is_last(tag):
                tag = None  # the block before it is the answer
            if tag and (open_fence is None or self._is_closed_here(tag, open_fence)):
                if not (self._closed_one and self._is_last(tag)):
                    self._kept.clear()
                at, open_fence = self._resume_after(tag), None
                continue
            if fence:
                open_fence = _fence_state(open_fence, fence)
            self._kept.append(line)
            at += 1
        return Visible("\n".join(self._kept))

    def _resume_after(self, tag: _CloseTag) -> int:
        """Put the rest of the tag's line in place of that line, and go on there."""
        self._closed_one = True
        rest = self._lines[tag.line][tag.end :]
        if not rest.strip():
            return tag.line + 1
        self._lines[tag.line] = rest
        fence = read_fence(rest)
        if fence:
            self._fence_at[tag.line] = fence
        return tag.line

    def _find_close(self, start: int, column: int) -> _CloseTag | None:
        """The close tag of the section that begins at a line and column."""
        open_fence: Fence | None = None
        fallback: _CloseTag | None = None
        for number in range(start, len(self._lines)):
            fence = self._fence_at.get(number)
            if fence:
                if tag := self._tag_behind(number, fence, open_fence):
                    return tag
                open_fence = _fence_state(open_fence, fence)
                continue
            tag = self._close_tag_in(number, column if number == start else 0)
            if tag is None:
                continue
            if open_fence is None or self._is_closed_here(tag, open_fence):
                return tag
            line = self._lines[number]
            if fallback is None and (_CLOSER.match(line.strip()) or not line[tag.end :].strip()):
                fallback = tag
        return fallback

    def _close_tag_in(self, number: int, column: int = 0) -> _CloseTag | None:
        line = self._lines[number]
        for match in _CLOSER.finditer(line, column):
            if not (is_quoted(line, *match.span()) or _is_mentioned(line, *match.span())):
                return _CloseTag(number, match.end())
        return None

    def _tag_behind(self, number: int, fence: Fence, open_fence: Fence | None) -> _CloseTag | None:
        """The close tag right behind a fence that closes a block, or that opens none."""
        if not _CLOSER.match(fence.info):
            return None
        if open_fence is not None and not replace(fence, info="").closes(open_fence):
            return None
        return self._close_tag_in(number)

    def _is_closed_here(self, tag: _CloseTag, open_fence: Fence) -> bool:
        """Whether a tag inside a block is real: the block was never closed.

        It is when the fences after it fit together only if the block ended at the tag.
        """
        if self._weighed == _MAX_WEIGHED_TAGS:
            return False
        self._weighed += 1
        later = [fence for line, fence in self._fences if line > tag.line]
        if glued := read_fence(self._lines[tag.line][tag.end :]):
            later.insert(0, glued)
        return not _fits_together(later, open_fence) and _fits_together(later, None)

    def _is_last(self, tag: _CloseTag) -> bool:
        rest = self._lines[tag.line][tag.end :]
        return not rest.strip() and not any(map(str.strip, self._lines[tag.line + 1 :]))


def _is_mentioned(line: str, start: int, end: int) -> bool:
    """Whether a sentence speaks of the tag: "split at </think> and …"."""
    before, after = line[:start], line[end:]
    return (
        bool(before.strip()) and before[-1].isspace() and _MENTION_GOES_ON.match(after) is not None
    )


def _fence_state(open_fence: Fence | None, fence: Fence) -> Fence | None:
    if open_fence is None or fence.opens_tagged:
        return fence
    return None if fence.closes(open_fence) else open_fence


def _fits_together(fences: Sequence[Fence], open_fence: Fence | None) -> bool:
    for fence in fences:
        if open_fence is None:
            open_fence = fence
        elif fence.closes(open_fence):
            open_fence = None
        elif fence.opens_tagged:
            return False
    return open_fence is None
