"""Interactive sessions: prompts, input and output."""

from __future__ import annotations

import re

_PROMPT = re.compile(r"[ \t]*(?:>>>(?: |$)|\.\.\.:?(?: |$)|In \[\d*\]: ?)")
_FIRST_PROMPT = re.compile(r"^[ \t]*(?:>>>|In \[\d*\]:)", re.MULTILINE)


def is_session(text: str) -> bool:
    """Whether a line begins with a prompt."""
    return _FIRST_PROMPT.search(text) is not None


def text_before(text: str) -> str:
    """What stands above the first prompt."""
    prompt = _FIRST_PROMPT.search(text)
    return text if prompt is None else text[: prompt.start()]


def strip_prompts(text: str) -> str:
    """The input alone, without prompts and output."""
    prompts = ((line, _PROMPT.match(line)) for line in text.split("\n"))
    return "\n".join(line[prompt.end() :] for line, prompt in prompts if prompt) + "\n"
