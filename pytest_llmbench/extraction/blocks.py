"""An answer taken apart: its blocks of code, and the prose between them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """One block of an answer."""

    text: str
    """The body, verbatim, with one line feed at its end."""
    start: int
    """The number of its first line, the opener."""
    end: int
    """The number of the first line behind it."""
    closed: bool = True
    language: str | None = None
    """None when it has no tag, or one that means no language."""
    name: str | None = None
    """The name that its opener, or a mark around it, gives it."""
    heading: str | None = None
    """What stands before the opener on its own line."""
    indented: bool = False
    """The opener has an indent, or stands in a list."""


@dataclass(frozen=True, slots=True)
class Document:
    """An answer taken apart."""

    lines: list[str]
    """All lines, up to where the answer ends."""
    blocks: list[Block]
    """In the order of the text; code without a fence, where it counts, comes last."""
    unfenced_seems_cut: bool = False
    """There is code without a fence, and it ends too early."""

    def prose_between(self, start: int, end: int) -> str:
        """The text outside all blocks between two lines."""
        prose: list[str] = []
        index = bisect_right(self.blocks, start, key=lambda block: block.end)
        while start < end:
            stop = self.blocks[index].start if index < len(self.blocks) else end
            prose.extend(self.lines[start : min(stop, end)])
            start = self.blocks[index].end if index < len(self.blocks) else end
            index += 1
        return "\n".join(prose)
