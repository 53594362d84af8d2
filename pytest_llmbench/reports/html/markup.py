"""HTML made of parts that are escaped by construction."""

from __future__ import annotations

from html import escape

from pytest_llmbench.safe_text import escape_controls

MAX_TEXT_CHARS = 40_000


def text(value: object) -> str:
    """Any value as text: escaped, without control characters, cut when it is very long."""
    shown = str(value)
    if len(shown) > MAX_TEXT_CHARS:
        left_out = len(shown) - MAX_TEXT_CHARS
        shown = f"{shown[:MAX_TEXT_CHARS]}\n… {left_out:,} characters left out …"
    return escape(escape_controls(shown), quote=True)


def element(tag: str, *children: str, **attributes: object) -> str:
    """An element; children are markup already, attribute values are escaped here.

    `class_` is written for `class`, `data_x` for `data-x`; an attribute that is None is left out.
    """
    return f"{start(tag, **attributes)}{''.join(children)}</{tag}>"


def start(tag: str, **attributes: object) -> str:
    """A start tag, or an element without content."""
    written = "".join(
        f' {name.strip("_").replace("_", "-")}="{text(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{written}>"
