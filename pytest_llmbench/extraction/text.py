"""Text as the other modules expect it: plain lines that end in a line feed."""

from __future__ import annotations

import re

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # colours and cursor moves
    r"|\][^\x07\x1b]*(?:\x07|\x1b\\)"  # window titles and links
    r"|[@-Z\\-_])"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def normalise(text: str) -> str:
    """Without byte order mark, terminal codes and carriage returns; always valid UTF-8."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\x1b" in text:
        text = _ESCAPE_SEQUENCE.sub("", text)
    return _SURROGATE.sub("\ufffd", text)


def end_with_newline(text: str) -> str:
    """The same text with exactly one line feed at its end."""
    return text.rstrip("\n") + "\n"


def join_lines(lines: list[str]) -> str:
    """The lines as one text with exactly one line feed at its end."""
    return end_with_newline("\n".join(lines))


def is_quoted(line: str, start: int, end: int) -> bool:
    """Whether line[start:end] stands inside backticks or quotation marks."""
    before = line[max(0, start - _CONTEXT) : start].replace("```", "")
    after = line[end : end + _CONTEXT].replace("```", "")
    if before[-1:] in ("`", '"', "'") and after[:1] == before[-1:]:
        return True
    for mark in ("`", '"'):
        if before.count(mark) % 2 and mark in after:
            return True
    # An apostrophe inside a word is no quotation mark.
    marks = _SINGLE_QUOTE.findall(before)
    return bool(len(marks) % 2 and _SINGLE_QUOTE.search(after))


_CONTEXT = 400
_SINGLE_QUOTE = re.compile(r"(?<!\w)'|'(?!\w)")
