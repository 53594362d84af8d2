"""Python that stands in an answer without any fence around it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pytest_llmbench.extraction.python_source import (
    PythonReader,
    PythonSource,
    looks_like_code,
    looks_like_definition,
)
from pytest_llmbench.extraction.text import end_with_newline

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
    lines = text.strip("\n").split("\n")
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
    text = end_with_newline("\n".join(lines))
    for candidate in dict.fromkeys((text, text.lstrip(" \t"))):
        source = reader.read(candidate)
        if source.parses and (source.defined or source.imports):
            return candidate if _trim(lines, len(lines), 0, reader) == len(lines) else None
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
    first = lines[start]
    indent = first[: len(first) - len(first.lstrip())]
    body = _body_of_run(lines, start, indent)
    stop = len(body)
    seems_cut = False
    for _ in range(_MAX_CUTS):
        text = end_with_newline("\n".join(body[:stop]))
        source = reader.read(text)
        if source.parses:
            stop = _trim(body, stop, 0, reader)
            text = end_with_newline("\n".join(body[:stop]))
            found = FoundCode(text, seems_cut) if reader.read(text).is_program else None
            return start + max(stop, 1), found
        if source.error_line is None:
            break
        before = _statement_start(body, min(source.error_line - 1, stop - 1))
        if stop == len(body) and _is_cut_code(body, before, source):
            seems_cut = True
            if was_cut:
                return len(lines), FoundCode(text, seems_cut)
        if before <= 0:
            break
        stop = before
    return start + 1, None


def _body_of_run(lines: list[str], start: int, indent: str) -> list[str]:
    """The lines from a start on, the first without its indent; all of them, where all have it."""
    body = lines[start:]
    if not indent:
        return body
    stop = next(
        (n for n, line in enumerate(body) if line.strip() and not line.startswith(indent)),
        len(body),
    )
    block = [line.removeprefix(indent) for line in body[:stop]]
    if len(indent) < 2 or (
        stop > 1
        and any(line[:1] in " \t" and not line.startswith(indent * 1) for line in body[1:stop])
    ):
        return [body[0].removeprefix(indent), *body[1:]]
    inner = [line for line in block[1:] if line.strip()]
    if inner and inner[0][:1] not in (" ", "\t") and block[0].rstrip().endswith(":"):
        return [body[0].removeprefix(indent), *body[1:]]
    return block


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


def _trim(lines: list[str], stop: int, start: int, reader: PythonReader) -> int:
    """The end of a stretch without lines of prose that happen to parse."""
    while stop > start + 1:
        line = lines[stop - 1]
        if line.strip() and (
            line[0] in " \t#)]}\"'"
            or looks_like_code(line)
            or not _is_prose_statement(line, reader)
        ):
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
    return end_with_newline("\n".join(kept)) if len(kept) > 1 else None


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
    text = end_with_newline("\n".join(lines[start:end]))
    seems_cut = end == len(lines) and reader.read(text).incomplete
    return FoundCode(text, seems_cut)
