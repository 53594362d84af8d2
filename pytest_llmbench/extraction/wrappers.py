"""Code between marks that are no fences: `[PYTHON]`, `<code>`."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from pytest_llmbench.extraction.python_source import PythonReader
from pytest_llmbench.extraction.text import end_with_newline

_WRAPPERS = re.compile(
    r"\[(?P<bracket>PYTHON|CODE|python|code)\](?P<bracketed>.*?)(?:\[/(?P=bracket)\]|\Z)"
    r"|<(?P<tag>code|python|pre|answer|solution)(?:\s[^<>]*)?>(?P<tagged>.*?)(?:</(?P=tag)>|\Z)",
    re.DOTALL | re.IGNORECASE,
)


def wrapped_code(text: str, reader: PythonReader) -> Iterator[str]:
    """The programs between `[PYTHON]` or `<code>` and their ends."""
    for match in _WRAPPERS.finditer(text):
        body = match["bracketed"] if match["bracketed"] is not None else match["tagged"]
        body = re.sub(r"\A\s*<code(?:\s[^<>]*)?>|</code>\s*\Z", "", body).strip("\n")
        unescaped = html.unescape(body) if match["tag"] in ("code", "pre") else body
        for candidate in dict.fromkeys((unescaped, body)):
            code = end_with_newline(candidate.lstrip())
            if reader.read(code).is_program:
                yield code
                break
