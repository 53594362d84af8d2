"""Whether an answer was cut off, and what state its last block is in."""

from __future__ import annotations

from typing import Literal

from pytest_llmbench.extraction.blocks import Block, Document
from pytest_llmbench.extraction.languages import NEVER_PROGRAMS, PYTHON, PYTHON_SESSION
from pytest_llmbench.extraction.programs import read_program
from pytest_llmbench.extraction.python_source import PythonReader
from pytest_llmbench.extraction.stop_reasons import StopReason


def judge_truncation(stop_reason: StopReason, *, seems_cut: bool) -> bool | Literal["suspected"]:
    """The stop reason decides; the text alone only raises a suspicion."""
    if stop_reason == "unknown":
        return "suspected" if seems_cut else False
    return stop_reason == "length"


def last_block_seems_cut(document: Document, reader: PythonReader) -> bool:
    """Whether the last block is unclosed and does not parse, and is more than a stray fence."""
    if document.unfenced_seems_cut:
        return True
    if not document.blocks or document.blocks[-1].closed:
        return False
    block = document.blocks[-1]
    if block.end < len(document.lines):
        return False  # another opener ended it
    if block.language in (PYTHON, PYTHON_SESSION, None):
        program = read_program(block, reader)
        return program is not None and not program.source.parses
    return block.language not in NEVER_PROGRAMS and not _has_balanced_brackets(block.text)


def describe_last_block(document: Document, reader: PythonReader) -> str | None:
    """For an answer that was cut: whether its last block is closed, and whether it parses."""
    if not document.blocks:
        return None
    block = document.blocks[-1]
    closed = "is closed" if block.closed else "is not closed"
    if block.language not in (PYTHON, PYTHON_SESSION, None):
        return f"the answer was cut off: its last block {closed}"
    parses = "parses" if _parses(block, reader) else "does not parse"
    return f"the answer was cut off: its last block {closed} and {parses}"


def _parses(block: Block, reader: PythonReader) -> bool:
    program = read_program(block, reader)
    return program is not None and program.source.parses


def _has_balanced_brackets(text: str) -> bool:
    return all(
        text.count(opening) == text.count(closing) for opening, closing in ("()", "[]", "{}")
    )
