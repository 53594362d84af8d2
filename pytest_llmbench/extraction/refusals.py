"""Answers that hold no code, and why."""

from __future__ import annotations

import re

_REFUSAL = re.compile(
    r"\b(?:I(?:'m| am) (?:very |really )?(?:sorry|unable|not able|afraid)|I apologi[sz]e"
    r"|I (?:can(?:no|')t|can not|won't|will not|must decline|do not feel comfortable)"
    r"|I(?:'m| am) not (?:going|comfortable|allowed|permitted)"
    r"|(?:cannot|can't|unable to) (?:assist|help|comply|fulfill|provide|create|generate|answer)"
    r"|as an AI (?:language )?model)\b",
    re.IGNORECASE,
)
_OPENING_CHARS = 600


def tell_why_no_code(text: str, *, refused_a_path: bool, is_cut: bool, was_refused: bool) -> str:
    """The reason, in a few words; `text` is the answer without its reasoning."""
    if refused_a_path:
        return "unsafe path"
    if is_cut:
        return "cut in reasoning"
    if was_refused:
        return "refusal"
    if not text.strip():
        return "empty"
    opening = text.lstrip()[:_OPENING_CHARS].replace("’", "'")
    return "refusal" if _REFUSAL.search(opening) else "prose"
