"""Unfenced code in other languages than Python, which no parser of ours can tell from prose."""

from __future__ import annotations

import re

from pytest_llmbench.extraction.text import end_with_newline

_CODE_LINE = re.compile(
    r"\s*(?:</?[A-Za-z!][^<>]*>|#include\b|#!/|package \w+;?$|import\b.*[;\"')]$|use [\w:{}, ]+;"
    r"|(?:export |public |private |static |async |const |let |var |func |function |fn |class "
    r"|struct |interface |enum |type |impl |pub |def |module |namespace |using |return |if |for "
    r"|while |switch |else|\}|\{|//|/\*|\*/|@|\$|--|SELECT |CREATE |INSERT |FROM |RUN |COPY |CMD )"
    r")"
)
_LINE_END = re.compile(r"[{};,(\[>]\s*$")
_PROSE_END = re.compile(r"[a-z][.:!?]$")


def find_other_code(text: str) -> str | None:
    """From the first line that reads as code to the last; None where most lines are prose."""
    lines = text.split("\n")
    code = [number for number, line in enumerate(lines) if _is_code(line)]
    if len(code) < 2 and not (code and len([line for line in lines if line.strip()]) == 1):
        return None
    first, last = code[0], code[-1]
    inside = [line for line in lines[first : last + 1] if line.strip()]
    if 2 * len(code) < len(inside):
        return None
    return end_with_newline("\n".join(lines[first : last + 1]))


def _is_code(line: str) -> bool:
    if _PROSE_END.search(line) and not _LINE_END.search(line):
        return False
    return bool(line.strip()) and bool(_CODE_LINE.match(line) or _LINE_END.search(line))
