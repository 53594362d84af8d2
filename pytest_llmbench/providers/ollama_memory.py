"""How much memory a context takes, from what Ollama's `show` tells of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BYTES_PER_VALUE = 2
"""The cache holds 16-bit values, unless the server was told to quantize it."""


def count_cache_bytes_per_token(facts: Mapping[str, Any]) -> int | None:
    """The most that a token of the context takes in the KV cache; None when it is not told.

    Every layer is counted as one that attends to the whole context. In models whose layers
    attend to a window alone, or hold a state of fixed size, it takes less.
    """
    family = facts.get("general.architecture")

    def read(key: str) -> int | None:
        value = facts.get(f"{family}.{key}")
        return value if isinstance(value, int) and value > 0 else None

    layers, heads = read("block_count"), read("attention.head_count")
    cached_heads = read("attention.head_count_kv") or heads
    if f"{family}.attention.head_count_kv" in facts and not read("attention.head_count_kv"):
        return None  # it differs from layer to layer, and the server leaves such lists out
    width = read("embedding_length")
    head_length = width // heads if width and heads else None
    key_length = read("attention.key_length") or head_length
    value_length = read("attention.value_length") or key_length
    if not (layers and cached_heads and key_length and value_length):
        return None
    return layers * cached_heads * (key_length + value_length) * BYTES_PER_VALUE
