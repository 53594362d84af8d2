"""Text that a model wrote, made fit to be shown."""

from __future__ import annotations

import re
import unicodedata

_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # terminal control, the newline and the tab excepted
    "\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, reordering
    "\U000e0000-\U000e007f"  # unseen tags
    "\ud800-\udfff]"  # halves of characters, which no file can hold
)
ELLIPSIS = "…"


def escape_controls(text: str) -> str:
    r"""Show what would steer a terminal or reorder a line as `\x1b`-like escapes.

    Newlines and tabs stay. The result can always be encoded.
    """
    return _HARMFUL.sub(_escape, text)


def one_line(text: str) -> str:
    """Put a text on one line, escaped, each run of blanks a single space."""
    return escape_controls(" ".join(text.split()))


def display_width(text: str) -> int:
    """How many columns a terminal gives to a text without control characters."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def cut_end(text: str, width: int) -> str:
    """Shorten to a width; a cut shows as an ellipsis at the end."""
    if display_width(text) <= width:
        return text
    return _take(text, width - 1) + ELLIPSIS


def cut_middle(text: str, width: int) -> str:
    """Shorten to a width, keeping both ends: labels often differ at the end only."""
    if display_width(text) <= width:
        return text
    tail = (width - 1) // 2
    return _take(text, width - 1 - tail) + ELLIPSIS + _take(text[::-1], tail)[::-1]


def wrap(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """Break a text into lines of at most this width, its blanks collapsed, each with its indent.

    A word that is longer than a line is broken.
    """
    lines, line, empty = [], first, True
    for word in text.split():
        start = 0
        while start < len(word):
            gap = "" if empty else " "
            room = width - display_width(line) - len(gap)
            piece = word[start : start + max(room, 1)]
            fits = start + len(piece) == len(word) and display_width(piece) <= room
            if not fits and not empty:
                lines.append(line)
                line, empty = rest, True
                continue
            head = piece if fits else (_take(piece, max(room, 1)) or piece[0])
            start += len(head)
            line, empty = line + gap + head, False
    return [*lines, line]


def _take(text: str, width: int) -> str:
    used = 0
    for position, character in enumerate(text):
        used += _character_width(character)
        if used > width:
            return text[:position]
    return text


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= 0xFF:  # noqa: PLR2004  # what two hex digits hold
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  # four digits
