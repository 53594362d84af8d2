"""The stop reason in our own words, whoever's word it is."""

from __future__ import annotations

from typing import Literal, TypeAlias

StopReason: TypeAlias = Literal["end", "length", "refused", "unknown"]

_WORDS: dict[StopReason, str] = {
    "length": "length max_tokens max_output_tokens max_new_tokens max_length model_length"
    " token_limit incomplete model_context_window_exceeded context_length truncated",
    "end": "end stop stopped end_turn stop_sequence eos eos_token completed complete done"
    " finished tool_use tool_calls function_call",
    "refused": "refused refusal content_filter content_filtered safety blocked sensitive"
    " prohibited_content blocklist spii recitation",
}
_BY_WORD = {word: reason for reason, words in _WORDS.items() for word in words.split()}


def read_stop_reason(word: str | None) -> StopReason:
    """`unknown` for None and for a word that nobody is known to use."""
    key = (word or "").strip().lower().replace("-", "_").replace(" ", "_")
    return _BY_WORD.get(key, "unknown")
