"""The programs among an answer's blocks, and which of them is meant."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_llmbench.extraction.blocks import Block, Document
from pytest_llmbench.extraction.languages import NEVER_PROGRAMS, PYTHON, PYTHON_SESSION
from pytest_llmbench.extraction.python_source import (
    PythonReader,
    PythonSource,
    defines_by_name,
    looks_like_code,
    looks_like_definition,
    without_language_word,
)
from pytest_llmbench.extraction.sessions import is_session, strip_prompts, text_before
from pytest_llmbench.extraction.text import end_with_newline
from pytest_llmbench.extraction.turns import find_end
from pytest_llmbench.extraction.wrappers import wrapped_code


@dataclass(frozen=True, slots=True)
class Program:
    """A block that may be the program asked for."""

    text: str
    source: PythonSource
    block: Block


def read_program(block: Block, reader: PythonReader) -> Program | None:
    """The Python program that a block holds; None when it holds none."""
    if block.language not in (PYTHON, PYTHON_SESSION, None):
        return _mistagged(block, reader)
    source = reader.read(block.text)
    if not source.parses:
        for text in _repairs(block, reader):
            repaired = reader.read(text)
            if repaired.is_program:
                return Program(text, repaired, block)
    lines = block.text.split("\n")
    if block.language is None:
        is_code = source.is_program if source.parses else any(map(looks_like_definition, lines))
    else:
        is_code = source.parses or any(map(looks_like_code, lines))
    return Program(block.text, source, block) if is_code and block.text.strip() else None


def _mistagged(block: Block, reader: PythonReader) -> Program | None:
    """A block in another programming language's name that is Python all the same."""
    if block.language in NEVER_PROGRAMS or not re.search(
        r"^(?:def|class) .*:", block.text, re.MULTILINE
    ):
        return None
    source = reader.read(block.text)
    return Program(block.text, source, block) if source.defined else None


def _repairs(block: Block, reader: PythonReader) -> Iterator[str]:
    """What a block that does not parse may have been meant as, one after the other."""
    text = block.text
    yield without_language_word(text)
    if is_session(text):
        before = text_before(text)
        if any(map(looks_like_definition, before.split("\n"))):
            yield end_with_newline(before)
        yield strip_prompts(text)
    if block.indented:
        yield _without_common_indent(text)
    if "[" in text or "<" in text:
        yield from wrapped_code(text, reader)
    if text.rstrip("\n").endswith("\n``"):
        yield end_with_newline(text.rstrip("`\n"))
    if not block.closed:
        yield from _without_what_follows(text, reader)


def _without_common_indent(text: str) -> str:
    lines = text.split("\n")
    indents = [line[: len(line) - len(line.lstrip())] for line in lines if line.strip()]
    common = posixpath.commonprefix(indents)
    return "\n".join(line.removeprefix(common) for line in lines)


def _without_what_follows(text: str, reader: PythonReader) -> Iterator[str]:
    """An unclosed block up to the end of the answer, or to the prose that follows the code."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        end = find_end(line, after_code=number > 0)
        if end is not None:
            yield end_with_newline("\n".join([*lines[:number], line[:end]]))
            break
    yield from _without_prose_after(text, reader)


_PROSE = re.compile(r"[A-Z*#\d-][\w*`'’.,:-]*(?: +[\w*`'’\"(),.:;/-]+){3,}")


def _without_prose_after(text: str, reader: PythonReader) -> Iterator[str]:
    """An unclosed block up to the paragraph of prose at which the parser stopped."""
    source = reader.read(text)
    lines = text.split("\n")
    if source.error_line is None or source.error_line > len(lines):
        return
    number = source.error_line - 1
    while number > 0 and lines[number].strip() and lines[number - 1].strip():
        number -= 1
    line = lines[number]
    if line[:1].isspace() or looks_like_code(line) or not _PROSE.match(line):
        return
    yield end_with_newline("\n".join(lines[:number]))


_DEFINITION = re.compile(
    r"\b(?:function|func|fn|class|struct|interface|enum|type|trait|def|sub|const|let|var|module)\s+"
    r"(?:\([^()\n]{0,100}\)\s*)?\*?(?P<keyword>[A-Za-z_$][\w$]*)"
    r"|(?P<call>[A-Za-z_$][\w$]*)[ \t]*\([^;{}()]{0,300}\)[^;{}()\n]{0,80}\{"
)


def read_other(block: Block) -> Program:
    """A block in another language, outlined by what its lines look like."""
    names = [match["keyword"] or match["call"] for match in _DEFINITION.finditer(block.text)]
    source = PythonSource(parses=block.closed, defined=tuple(dict.fromkeys(names)), acts=True)
    return Program(block.text, source, block)


def choose_program(
    programs: Sequence[Program], document: Document, defines: Collection[str]
) -> Program | None:
    """The program that is meant: among the best the first, unless later words say otherwise."""
    best = _best(programs, defines)
    if not best:
        return None
    chosen = best[0]
    for before, program in pairwise(best):
        prose = document.prose_between(before.block.end, program.block.start).rstrip()
        announced = f"{prose.rpartition(_PARAGRAPH)[2]}\n{program.text.partition(_LINE)[0]}"
        if (
            _SUPERSEDES.search(announced)
            or _SECOND_THOUGHT.search(prose)
            or _goes_on(program.text, before.text)
        ):
            chosen = program
    return chosen


def _goes_on(text: str, draft: str) -> bool:
    """Whether a text repeats a draft and goes on inside its last definition."""
    rest = text.removeprefix(draft.rstrip())
    return len(rest) < len(text) and rest.lstrip("\n")[:1] in (" ", "\t")


_PARAGRAPH, _LINE = "\n\n", "\n"
_SUPERSEDES = re.compile(
    r"\b(?:final|corrected|correction|fixed|revised|amended|rewritten|debugged)\b", re.IGNORECASE
)
_SECOND_THOUGHT = re.compile(
    r"\b(?:Wait|Hmm+|Oops|Actually)\b[,.!:]|\b(?:my|a) mistake\b|\bI apologi[sz]e\b"
    r"|\blet(?:'s| me) (?:fix|correct|try again|start over|redo)\b",
    re.IGNORECASE,
)


def _best(programs: Sequence[Program], defines: Collection[str]) -> list[Program]:
    """Those of the highest rank: what the task asks for, else any definition, else any."""
    ranks = [(_rank(each, defines), each) for each in programs]
    top = max((rank for rank, _ in ranks), default=None)
    return [each for rank, each in ranks if rank == top]


def _rank(program: Program, defines: Collection[str]) -> tuple[bool, int, bool, int]:
    source = program.source
    is_tagged_right = program.block.language in (PYTHON, PYTHON_SESSION, None)
    if not source.parses:
        asked = sum(defines_by_name(program.text, name) for name in defines)
        return False, asked, is_tagged_right, program.text.count("\n")
    asked = sum(name in source.defined for name in defines)
    return True, asked, is_tagged_right, 0 if not source.defined else 1 if source.is_test else 2
