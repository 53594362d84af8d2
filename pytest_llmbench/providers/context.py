"""How many tokens a prompt may have, without a tokenizer: bounds that hold for all of them."""

from __future__ import annotations

import math
import re

from pytest_llmbench.generation.request import Request

CHARACTERS_PER_TOKEN_AT_MOST = 6
"""On the average of any text in which no character stands twice in a row."""

BYTES_PER_TOKEN_AT_LEAST = 2
"""On the average of prose and code; digits and rare scripts come near to it."""

TEMPLATE_TOKENS = 256
"""What a chat template may add, and a default system text in it."""


def count_fewest_tokens(request: Request) -> int:
    """A count that the prompt has at least."""
    # A run of one character, such as an indent, may be a single token.
    characters = sum(
        len(re.sub(r"(.)\1+", r"\1", text, flags=re.DOTALL)) for text in _texts(request)
    )
    return characters // CHARACTERS_PER_TOKEN_AT_MOST


def count_most_tokens(request: Request) -> int:
    """A count that the prompt, in its template, hardly exceeds."""
    return TEMPLATE_TOKENS + sum(
        math.ceil(len(text.encode()) / BYTES_PER_TOKEN_AT_LEAST) for text in _texts(request)
    )


def _texts(request: Request) -> list[str]:
    return [request.system or "", *(message.content for message in request.messages)]
