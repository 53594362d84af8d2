"""An answer's text as a document: its blocks, and the code without fences where it counts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pytest_llmbench.extraction.blocks import Block, Document
from pytest_llmbench.extraction.languages import MARKDOWN, PYTHON
from pytest_llmbench.extraction.other_unfenced import find_other_code
from pytest_llmbench.extraction.programs import read_program
from pytest_llmbench.extraction.python_source import PythonReader
from pytest_llmbench.extraction.scanner import find_blocks
from pytest_llmbench.extraction.unfenced import FoundCode, find_code
from pytest_llmbench.extraction.wrappers import wrapped_code


def read_document(
    text: str,
    reader: PythonReader,
    *,
    language: str | None,
    defines: Collection[str],
    was_cut: bool,
) -> Document:
    """Take a text apart. `language` is the entry's; code in it is looked for in prose too."""
    document = _unwrap(find_blocks(text, reader), reader)
    if language == PYTHON:
        if _defines_something(document, reader):
            return document
        found = _find_python(document, reader, defines, was_cut=was_cut)
    else:
        other = None if document.blocks else find_other_code(text)
        found = None if other is None else FoundCode(other)
    if found is None:
        return document
    end = len(document.lines)
    block = Block(found.text, end, end, language=language)
    return replace(document, blocks=[*document.blocks, block], unfenced_seems_cut=found.seems_cut)


def _unwrap(document: Document, reader: PythonReader) -> Document:
    """The document inside a block of Markdown, when that holds the whole answer."""
    if any(block.name or read_program(block, reader) for block in document.blocks):
        return document
    for block in document.blocks:
        if block.language in (MARKDOWN, None) and ("```" in block.text or "~~~" in block.text):
            inner = find_blocks(block.text, reader)
            if inner.blocks:
                return inner
    return document


def _defines_something(document: Document, reader: PythonReader) -> bool:
    programs = (read_program(block, reader) for block in document.blocks)
    return any(program is not None and program.source.defined for program in programs)


def _find_python(
    document: Document, reader: PythonReader, defines: Collection[str], *, was_cut: bool
) -> FoundCode | None:
    prose = document.prose_between(0, len(document.lines))
    wrapped = next(wrapped_code(prose, reader), None)
    if wrapped is not None:
        return FoundCode(wrapped)
    found = find_code(prose, reader, defines, was_cut=was_cut)
    has_program = any(read_program(block, reader) for block in document.blocks)
    # Beside a block, only code that defines something counts: the rest is talk about it.
    return found if found and (not has_program or reader.read(found.text).defined) else None
