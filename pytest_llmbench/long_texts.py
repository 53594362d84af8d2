"""Long texts, made as short as a reader needs them."""

from __future__ import annotations


def cut_middle(text: str, most_chars: int) -> str:
    """A text of more than `most_chars` by its beginning and its end, with a line between them."""
    if len(text) <= most_chars:
        return text
    half = most_chars // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
