"""Unfenced code in other languages than Python, which no parser of ours can tell from prose."""

from __future__ import annotations

import re

from pytest_llmbench.extraction.text import join_lines

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
    if not code:
        return None
    stretch = lines[code[0] : code[-1] + 1]
    is_mostly_code = 2 * len(code) >= sum(1 for line in stretch if line.strip())
    is_alone = len(stretch) == sum(1 for line in lines if line.strip())
    return join_lines(stretch) if is_mostly_code and (len(code) > 1 or is_alone) else None


def _is_code(line: str) -> bool:
    if _PROSE_END.search(line) and not _LINE_END.search(line):
        return False
    return bool(line.strip()) and bool(_CODE_LINE.match(line) or _LINE_END.search(line))
