"""Python that stands in an answer without any fence around it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import takewhile

from pytest_llmbench.extraction.python_source import (
    PythonReader,
    PythonSource,
    looks_like_code,
    looks_like_definition,
    without_language_word,
)
from pytest_llmbench.extraction.text import join_lines

# Each start costs a parse or more; a text with more of them is no ordinary answer.
_MAX_STARTS = 60
_MAX_CUTS = 12


@dataclass(frozen=True, slots=True)
class FoundCode:
    """Code that was found in prose."""

    text: str
    seems_cut: bool = False
    """What follows it, to the end of the answer, is code that ends too early."""


def find_code(
    text: str, reader: PythonReader, defines: Collection[str], *, was_cut: bool
) -> FoundCode | None:
    """The code in a text without fences; None where nothing reads as code.

    The whole text when it parses with a definition or an import, else the longest stretch
    that parses, among those that define what is asked for if there are any. In an answer that
    is known to be cut off, code that ends too early is taken to its end.
    """
    lines = without_language_word(text.strip("\n")).split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return None
    lines = lines[first:]
    if whole := _whole(lines, reader):
        return FoundCode(whole)
    runs = list(_runs(lines, reader, was_cut=was_cut))
    if runs:
        best = max(runs, key=lambda run: _worth(run, reader, defines))
        return FoundCode(best.text, seems_cut=any(run.seems_cut for run in runs))
    numbered = _without_line_numbers(lines)
    if numbered is not None and reader.read(numbered).defined:
        return FoundCode(numbered)
    return _broken_code(lines, reader)


def _whole(lines: list[str], reader: PythonReader) -> str | None:
    text = join_lines(lines)
    for candidate in dict.fromkeys((text, text.lstrip(" \t"))):
        source = reader.read(candidate)
        if source.parses and (source.defined or source.imports):
            return (
                candidate if _without_prose_below(lines, len(lines), reader) == len(lines) else None
            )
    return None


def _runs(lines: list[str], reader: PythonReader, *, was_cut: bool) -> Iterator[FoundCode]:
    at = starts = 0
    while at < len(lines) and starts < _MAX_STARTS:
        if not looks_like_code(lines[at]):
            at += 1
            continue
        starts += 1
        at, run = _run_from(lines, at, reader, was_cut=was_cut)
        if run is not None:
            yield run


def _run_from(
    lines: list[str], start: int, reader: PythonReader, *, was_cut: bool
) -> tuple[int, FoundCode | None]:
    """The stretch that begins at a line, if it parses; and where to go on."""
    bodies = _bodies(lines[start:])
    used, found = max(
        (_longest_prefix(body, reader, was_cut=was_cut) for body in bodies),
        key=lambda result: result[0],
    )
    return start + max(used, 1), found


def _bodies(lines: list[str]) -> list[list[str]]:
    """The lines, and where the first is indented, the ways to read that; the likelier first.

    A lone blank before the first line is a tokenizer's. A deeper indent is that of a block.
    """
    first = lines[0]
    indent = first[: len(first) - len(first.lstrip())]
    only_first = [first.removeprefix(indent), *lines[1:]]
    if not indent:
        return [only_first]
    block = takewhile(lambda line: not line.strip() or line.startswith(indent), lines)
    whole_block = [line.removeprefix(indent) for line in block]
    return [only_first, whole_block] if indent == " " else [whole_block, only_first]


def _longest_prefix(
    lines: list[str], reader: PythonReader, *, was_cut: bool
) -> tuple[int, FoundCode | None]:
    """How many lines, from the first on, parse; and their text, if it is a program."""
    stop = len(lines)
    seems_cut = False
    for _ in range(_MAX_CUTS):
        text = join_lines(lines[:stop])
        source = reader.read(text)
        if source.parses:
            stop = _without_prose_below(lines, stop, reader)
            text = join_lines(lines[:stop])
            found = FoundCode(text, seems_cut) if reader.read(text).is_program else None
            return stop, found
        if source.error_line is None:
            break
        before = _statement_start(lines, min(source.error_line, stop) - 1)
        if stop == len(lines) and _is_cut_code(lines, before, source):
            seems_cut = True
            if was_cut:
                return stop, FoundCode(text, seems_cut)
        if before == 0:
            break
        stop = before
    return 0, None


def _statement_start(lines: list[str], number: int) -> int:
    """The number of the top-level line that a line belongs to."""
    while number > 0 and (not lines[number].strip() or lines[number][0] in " \t)]}"):
        number -= 1
    return number


def _is_cut_code(lines: list[str], start: int, source: PythonSource) -> bool:
    """Whether what fails is code that goes on to the end of the text and ends too early."""
    if not source.incomplete or not looks_like_code(lines[start]):
        return False
    return all(
        line[:1] in ("", " ", "\t", "#", ")", "]", "}", "@") or looks_like_code(line)
        for line in lines[start:-1]
    )


_HEADING = re.compile(r"#{2,6} [A-Z]")


def _without_prose_below(lines: list[str], stop: int, reader: PythonReader) -> int:
    """The end of a stretch without lines of prose that happen to parse."""
    while stop > 1:
        line = lines[stop - 1]
        is_heading = stop < len(lines) and _HEADING.match(line)
        is_prose = line[:1] not in tuple(" \t#)]}\"'") and not looks_like_code(line)
        if line.strip() and not (is_heading or (is_prose and _is_prose_statement(line, reader))):
            break
        stop -= 1
    return stop


def _is_prose_statement(line: str, reader: PythonReader) -> bool:
    source = reader.read(line)
    return source.parses and not source.is_program


def _worth(
    run: FoundCode, reader: PythonReader, defines: Collection[str]
) -> tuple[int, bool, bool, int]:
    source = reader.read(run.text)
    asked = sum(name in source.defined for name in defines)
    return asked, bool(source.defined), source.parses, run.text.count("\n")


_NUMBERED = re.compile(r"\s*\d+[.:|)]? ?(?P<code>.*)$")


def _without_line_numbers(lines: list[str]) -> str | None:
    """A listing whose lines are numbered, without the numbers."""
    kept: list[str] = []
    for line in lines:
        match = _NUMBERED.match(line)
        if match:
            kept.append(match["code"])
        elif kept and line.strip():
            break
    return join_lines(kept) if len(kept) > 1 else None


def _broken_code(lines: list[str], reader: PythonReader) -> FoundCode | None:
    """From the first line that begins a definition to where prose begins again."""
    start = next((n for n, line in enumerate(lines) if looks_like_definition(line)), None)
    if start is None:
        return None
    end = start + 1
    while end < len(lines):
        line = lines[end]
        if line[:1].isalpha() and not looks_like_code(line) and not lines[end - 1].strip():
            break
        end += 1
    text = join_lines(lines[start:end])
    seems_cut = end == len(lines) and reader.read(text).incomplete
    return FoundCode(text, seems_cut)
