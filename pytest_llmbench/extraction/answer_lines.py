"""The lines of an answer, and which of them are fences."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from typing import overload

from pytest_llmbench.extraction.fences import Fence, read_fence

# Looking for a closer means going from fence to fence. A text in which that takes more steps
# than this is no answer, and what is left of it is taken as it comes.
_MAX_STEPS = 200_000


class AnswerLines(Sequence[str]):
    """Lines, the fences among them, and a limit to how often they are searched."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._steps_left = _MAX_STEPS
        read = cache(read_fence)  # most fences of an answer are alike
        self.fences = {
            number: fence
            for number, line in enumerate(self._lines)
            if ("```" in line or "~~~" in line) and (fence := read(line))
        }
        self._fence_numbers = list(self.fences)
        self._marked = [
            number
            for number, line in enumerate(self._lines)
            if "```" in line and number not in self.fences
        ]
        self._bare_after = _count_bare_after(list(self.fences.values()))
        self.last_text = max((n for n, line in enumerate(self._lines) if line.strip()), default=-1)

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._lines[index]

    def cut(self, at: int, rest: str = "") -> None:
        """Drop all lines from one on; `rest` is what remains of that line."""
        self._lines[at:] = [rest] if rest else []

    def step(self) -> bool:
        """Count one step of a search; False when there have been too many."""
        self._steps_left -= 1
        return self._steps_left >= 0

    def fences_after(self, at: int) -> Iterator[int]:
        """The numbers of the fences behind a line."""
        for index in range(bisect_right(self._fence_numbers, at), len(self._fence_numbers)):
            number = self._fence_numbers[index]
            if number >= len(self._lines) or not self.step():
                return
            yield number

    def marked_between(self, at: int, stop: int) -> Iterator[int]:
        """The numbers of lines that are no fences but hold one's marks."""
        first = bisect_right(self._marked, at)
        return islice(self._marked, first, bisect_left(self._marked, stop))

    def count_bare_after(self, at: int) -> int:
        """How many bare fences follow the fence at a line without another in between."""
        return self._bare_after[bisect_left(self._fence_numbers, at)]

    def nearest_above(self, at: int) -> str:
        """The line above, or the one above that when it is blank; empty when both are."""
        return next((line for line in self._lines[max(0, at - 2) : at][::-1] if line.strip()), "")


def _count_bare_after(fences: list[Fence]) -> list[int]:
    counts = [0] * len(fences)
    for index in range(len(fences) - 2, -1, -1):
        counts[index] = counts[index + 1] + 1 if fences[index + 1].is_bare else 0
    return counts
