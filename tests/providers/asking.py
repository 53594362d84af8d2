"""How provider tests ask: one question, impatiently, and what came of it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pytest_llmbench.generation.chunks import Chunk, End, ServerReport, ThinkingText, VisibleText
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.providers.protocol import Patience, ProviderError, Session

QUESTION = Request(
    messages=(Message("user", "Write a todo app."),), max_tokens=1024, system="Answer in Python."
)

PATIENCE = Patience(total_s=10.0, stall_s=5.0)

IMPATIENCE = Patience(total_s=10.0, stall_s=0.05)


def ask(
    session: Session, request: Request = QUESTION, patience: Patience = PATIENCE
) -> list[Chunk]:
    """All chunks of one prepared answer."""
    session.prepare(request, patience)
    return list(session.stream(request, patience))


def fail(
    session: Session, request: Request = QUESTION, patience: Patience = PATIENCE
) -> tuple[ProviderError, list[Chunk]]:
    """The fault of one answer, and the chunks that came before it."""
    chunks: list[Chunk] = []
    try:
        session.prepare(request, patience)
        for chunk in session.stream(request, patience):
            chunks.append(chunk)  # noqa: PERF402  # what came before the fault is kept
    except ProviderError as fault:
        return fault, chunks
    raise AssertionError(f"no fault, but {chunks}")


def text_of(chunks: list[Chunk]) -> str:
    """The visible answer."""
    return "".join(each.text for each in chunks if isinstance(each, VisibleText))


def thinking_of(chunks: list[Chunk]) -> str:
    """The shown thoughts."""
    return "".join(each.text for each in chunks if isinstance(each, ThinkingText))


def end_of(chunks: list[Chunk]) -> End | None:
    """The end marker, if it is where it belongs."""
    return chunks[-1] if chunks and isinstance(chunks[-1], End) else None


def figures_of(chunks: list[Chunk]) -> dict[str, Any]:
    """The server's figures, a later report over an earlier one; unknown ones are left out."""
    figures: dict[str, Any] = {"extras": {}}
    for report in (each for each in chunks if isinstance(each, ServerReport)):
        known = {each.name: getattr(report, each.name) for each in fields(report)}
        figures["extras"] |= known.pop("extras")
        figures |= {name: value for name, value in known.items() if value is not None}
    return figures
