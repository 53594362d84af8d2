"""Lines that open or close a block of code, read one by one."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_llmbench.extraction.names import read_info
from pytest_llmbench.extraction.turns import cut_end_token

_MARKS = ("`", "~")
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class Fence:
    """One fence line."""

    indent: str
    """What a line of the body must begin with for the opener's indent to be removed."""
    quoted: bool
    """Stands in a `>` quote."""
    plain: bool
    """Nothing but white space and `>` stands before it, so it may close a block."""
    mark: str
    length: int
    info: str
    """What follows the marks, without white space around it."""
    opens_tagged: bool = False
    """It can only be an opener: a language or a file's name follows the marks."""
    ends_answer: bool = False
    """An end-of-text token is glued to it."""

    @property
    def is_bare(self) -> bool:
        """Without an info string: opens an untagged block, or closes one."""
        return not self.info

    def closes(self, opener: Fence) -> bool:
        """Whether this fence closes a block that `opener` opened."""
        return (
            self.is_bare
            and self.plain
            and self.mark == opener.mark
            and self.length >= opener.length
        )


def read_fence(line: str) -> Fence | None:
    """The fence that a line is, or None."""
    at, quoted, marked = _skip_prefix(line)
    mark = line[at : at + 1]
    if mark not in _MARKS or not mark:
        return None
    end = at
    while end < len(line) and line[end] == mark:
        end += 1
    if end - at < _SHORTEST:
        return None
    info, ends_answer = cut_end_token(line[end:])
    info = info.strip()
    if "`" in info:
        return None
    indent = line[:at] if not (quoted or marked) else " " * (at - _end_of_quote(line, at))
    return Fence(indent, quoted, not marked, mark, end - at, info, _is_tag(info), ends_answer)


def _is_tag(info: str) -> bool:
    if not info:
        return False
    said = read_info(info)
    return said.name is not None or (said.language is not None and said.code is None)


def _skip_prefix(line: str) -> tuple[int, bool, bool]:
    """Where a fence may begin, and whether a quote or a list marker stands before it."""
    at, quoted, marked = 0, False, False
    while at < len(line):
        if line[at] in " \t\xa0":
            at += 1
        elif line[at] == ">":
            at, quoted = at + 1, True
        elif (width := _list_marker_width(line, at)) and not marked:
            at, marked = at + width, True
        else:
            break
    return at, quoted, marked


def _list_marker_width(line: str, at: int) -> int:
    if line[at] in "-*+":
        end = at + 1
    else:
        end = at
        while end < len(line) and line[end] in "0123456789":
            end += 1
        if end == at or line[end : end + 1] not in (".", ")"):
            return 0
        end += 1
    return end - at if line[end : end + 1] in (" ", "\t") else 0


def _end_of_quote(line: str, before: int) -> int:
    return line.rfind(">", 0, before) + 1


def is_quote(line: str) -> bool:
    """Whether a line belongs to a `>` quote."""
    return line.lstrip(" \t").startswith(">")


def strip_quote(line: str) -> str:
    """A line of a `>` quote without its mark."""
    return line.lstrip(" \t")[1:].removeprefix(" ") if is_quote(line) else line


def strip_indent(lines: list[str], indent: str) -> list[str]:
    """The lines without the opener's indent, if every line that is not blank has it."""
    if not indent or not all(line.startswith(indent) for line in lines if line.strip()):
        return lines
    return [line.removeprefix(indent) if line.strip() else "" for line in lines]
