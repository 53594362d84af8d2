"""Which file each block of an answer is, by the strongest sign that names it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from pytest_llmbench.extraction.blocks import Block, Document
from pytest_llmbench.extraction.languages import TEXT, can_hold
from pytest_llmbench.extraction.names import (
    name_from_comment,
    name_from_line,
    name_from_section,
    quoted_names,
    read_file_tag,
)
from pytest_llmbench.extraction.paths import is_file_name
from pytest_llmbench.extraction.text import end_with_newline


@dataclass(frozen=True, slots=True)
class NamedBlock:
    """A block and what the answer calls it."""

    block: Block
    name: str | None = None
    """As the answer writes it; None when nothing names the block."""
    is_firm: bool = True
    """The name was given to the block; otherwise it is a guess from its surroundings."""


def name_blocks(document: Document, asked_files: Collection[str]) -> list[NamedBlock]:
    """All blocks that hold something, with their names. `asked_files`: what the task named."""
    named: list[NamedBlock] = []
    given: str | None = None
    for index, block in enumerate(document.blocks):
        before = document.blocks[index - 1].end if index else 0
        if given is None and _is_only_a_name(block) and _is_followed(document, index):
            given = block.text.strip()
            continue
        parts = list(_sections(block)) if block.name is None else []
        if parts:
            named.extend(NamedBlock(part, part.name) for part in parts)
        else:
            named.append(_name(document, block, before, given, asked_files))
        given = None
    return named


def _is_only_a_name(block: Block) -> bool:
    return (
        block.language in (None, TEXT) and block.name is None and is_file_name(block.text.strip())
    )


def _is_followed(document: Document, index: int) -> bool:
    """Whether the next block comes at once."""
    if index + 1 == len(document.blocks):
        return False
    between = document.lines[document.blocks[index].end : document.blocks[index + 1].start]
    return not any(map(str.strip, between))


def _sections(block: Block) -> Iterator[Block]:
    """The files of a block that holds several, each below a line `===== app.py =====`."""
    lines = block.text.rstrip("\n").split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None or name_from_section(lines[first]) is None:
        return
    starts = [number for number, line in enumerate(lines) if name_from_section(line)]
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        body = end_with_newline("\n".join(lines[start + 1 : stop]).strip("\n"))
        yield replace(block, text=body, name=name_from_section(lines[start]), language=None)


def _name(
    document: Document,
    block: Block,
    before: int,
    given: str | None,
    asked_files: Collection[str],
) -> NamedBlock:
    if block.name is not None:
        return NamedBlock(block, block.name)
    above = _name_above(document.lines, block, before)
    for name in (above, given):
        if name is not None and can_hold(name, block.language):
            return NamedBlock(block, name)
    comment = name_from_comment(next(filter(str.strip, block.text.split("\n")), ""))
    if comment is not None and can_hold(comment, block.language):
        return NamedBlock(block, comment, is_firm=False)
    paragraph = _paragraph_above(document.lines, block, before)
    quoted = {name for name in quoted_names(paragraph) if name in asked_files}
    if len(quoted) == 1 and can_hold(name := quoted.pop(), block.language):
        return NamedBlock(block, name, is_firm=False)
    return NamedBlock(block)


_MAX_BLANK_LINES = 2


def _name_above(lines: list[str], block: Block, before: int) -> str | None:
    """The name in the line directly above a block, unless that line ends a list of names."""
    if block.heading is not None:
        return name_from_line(block.heading)
    number = block.start - 1
    while number >= before and not lines[number].strip():
        number -= 1
    if number < before or block.start - number > _MAX_BLANK_LINES + 1:
        return None
    line = lines[number]
    if tag := read_file_tag(line):
        return tag.name if not line[tag.end :].strip() else None
    name = name_from_section(line) or name_from_line(line)
    if name is None or (number > before and _continues_list(lines[number - 1], line)):
        return None
    return name


_ITEM = re.compile(r"\s*(?:[-*+•]|\d+[.)])\s|\s*[│├└|]")


def _continues_list(previous: str, line: str) -> bool:
    """Whether two lines are neighbours in a list of names or in a tree."""
    if not previous.strip():
        return False
    return bool(_ITEM.match(previous) and _ITEM.match(line)) or name_from_line(previous) is not None


_MAX_PARAGRAPH_LINES = 20


def _paragraph_above(lines: list[str], block: Block, before: int) -> str:
    """The paragraph that ends directly above a block."""
    if block.heading is not None:
        return block.heading
    end = block.start
    while end > before and not lines[end - 1].strip():
        end -= 1
    start = end
    while start > before and lines[start - 1].strip() and end - start < _MAX_PARAGRAPH_LINES:
        start -= 1
    return "\n".join(lines[start:end])
