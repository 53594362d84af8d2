"""A mark at the start of a repeated prompt, so that no cache answers for the model.

Local servers keep what they have read: the same prompt again is not read again, and its time to
the first token is not one that anybody would see. The first sample is asked in the suite's own
words; every further one begins with a short mark of its own, the same in every run.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from pytest_llmbench.generation.request import Request

LENGTH = 8


def choose_nonce(request: Request) -> str | None:
    """The mark of a request; None for a first sample."""
    if request.sample == 0:
        return None
    text = f"{request.task}\0{request.prompt}\0{request.sample}"
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:LENGTH]


def begin_with(nonce: str, request: Request) -> Request:
    """The request with the mark before all else: the system text, or the first message."""
    mark = f"[{nonce}]\n\n"
    if request.system is not None:
        return replace(request, system=mark + request.system)
    first, *others = request.messages
    marked = replace(first, content=mark + first.content)
    return replace(request, messages=(marked, *others))
