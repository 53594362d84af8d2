"""Interactive sessions: prompts, input and output."""

from __future__ import annotations

import re

_PROMPT = re.compile(r"\s*(?:>>>|\.\.\.)(?: |$)")
_NUMBERED = re.compile(r"\s*In \[\d*\]: ?")


def is_session(text: str) -> bool:
    """Whether a line begins with a prompt."""
    return any(line.lstrip().startswith(">>>") for line in text.split("\n")) or bool(
        _NUMBERED.match(text)
    )


def strip_prompts(text: str) -> str:
    """The input alone, without prompts and output."""
    kept = []
    for line in text.split("\n"):
        prompt = _PROMPT.match(line) or _NUMBERED.match(line)
        if prompt:
            kept.append(line[prompt.end() :])
    return "\n".join(kept) + "\n"
