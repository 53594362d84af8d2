"""What is asked of a model, in no provider's dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one model."""

    messages: tuple[Message, ...]
    """The conversation so far; the last turn is the user's."""

    max_tokens: int
    """The most tokens that the answer, thinking included, may have."""

    system: str | None = None
    """The system text; None sends none."""

    task: str = ""
    """The task's name. Servers never see it; offline models find their answer by it."""

    prompt: str = "default"
    """The name of the prompt variant."""

    sample: int = 0
    """0 for the first answer to this prompt, 1 for the second, and so on."""

    reference: str | None = None
    """The task's own solution as an answer's text, for the offline model `reference`."""
