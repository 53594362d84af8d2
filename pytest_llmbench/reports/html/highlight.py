"""Python code as coloured markup."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

from pytest_llmbench.reports.html.markup import MAX_TEXT_CHARS, text
from pytest_llmbench.safe_text import escape_controls


def highlight(source: str, path: str) -> str:
    """Markup of a file's text: coloured when it is Python, else plain. Always escaped."""
    if not path.endswith(".py") or len(source) > MAX_TEXT_CHARS:
        return text(source)
    return "".join(
        f'<i class="{style}">{escape(piece)}</i>' if style else escape(piece)
        for style, piece in _merge(_read_tokens(escape_controls(source)))
    )


def _read_tokens(source: str) -> Iterator[tuple[str, str]]:
    from pygments.lexers.python import PythonLexer  # noqa: PLC0415  # only an HTML report needs it

    for kind, piece in PythonLexer(stripnl=False, ensurenl=False).get_tokens(source):
        yield _style(kind), piece


@cache
def _style(kind: Any) -> str:
    from pygments import token  # noqa: PLC0415  # see above

    styles = {
        token.Comment: "c",
        token.Keyword: "k",
        token.Operator.Word: "k",
        token.String: "s",
        token.Number: "n",
        token.Name.Function: "f",
        token.Name.Class: "f",
        token.Name.Decorator: "f",
    }
    return next((style for family, style in styles.items() if kind in family), "")


def _merge(pieces: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Neighbours of one style as one piece: half the markup."""
    style, gathered = "", ""
    for next_style, piece in pieces:
        if next_style == style or (piece.isspace() and style != "s"):
            gathered += piece
            continue
        if gathered:
            yield style, gathered
        style, gathered = next_style, piece
    if gathered:
        yield style, gathered
