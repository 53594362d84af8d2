"""The events of one stream of the Messages API, read into chunks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmbench.generation.chunks import (
    Alive,
    Chunk,
    End,
    ServerReport,
    StopReason,
    ThinkingStart,
    ThinkingText,
    VisibleText,
)
from pytest_llmbench.providers.protocol import FaultKind

_STOP_REASONS: Mapping[str, StopReason] = {
    "end_turn": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "end",
    "refusal": "refused",
    "stop_sequence": "end",
    "tool_use": "end",
}

_EVENT_FAULTS: Mapping[str, FaultKind] = {
    "api_error": "overloaded",
    "authentication_error": "setup",
    "billing_error": "setup",
    "not_found_error": "model",
    "overloaded_error": "overloaded",
    "permission_error": "model",
    "rate_limit_error": "rate-limited",
    "request_too_large": "context-overflow",
    "timeout_error": "overloaded",
}

_THINKING_BLOCKS = frozenset({"thinking", "redacted_thinking"})

_INPUT_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def read_fault(data: str) -> FaultKind | None:
    """The kind of fault that an error event names; None for one that is not known."""
    try:
        return _EVENT_FAULTS.get(json.loads(data)["error"]["type"])
    except (ValueError, KeyError, TypeError):
        return "broken"


class Answer:
    """What the events of one stream say, piece by piece."""

    def __init__(self) -> None:
        self.ended = False
        """Whether the server's end marker came."""
        self._stop_word: str | None = None
        self._input: dict[str, int] = {}

    @property
    def end(self) -> End:
        """The end marker, with what the closing event said."""
        word = self._stop_word
        return End(_STOP_REASONS.get(word or "", "unknown"), word)

    def read(self, data: str) -> Iterator[Chunk]:
        """The chunks of one event. Raises ValueError and TypeError for what is no event."""
        event = json.loads(data) if data else {}
        match event.get("type"):
            case "message_start":
                yield self._read_start(event["message"])
            case "content_block_start":
                yield from self._read_block(event["content_block"])
            case "content_block_delta":
                yield self._read_delta(event["delta"])
            case "message_delta":
                yield self._read_closing(event)
            case "message_stop":
                self.ended = True
            case _:
                yield Alive()

    def _read_start(self, message: Mapping[str, Any]) -> Chunk:
        usage = message.get("usage") or {}
        extras = {
            name: usage[name]
            for name in ("service_tier", "speed", "inference_geo")
            if usage.get(name) is not None
        }
        # Its output_tokens is a placeholder that the closing event replaces.
        return self._report(usage, served_model=message.get("model"), extras=extras)

    def _read_block(self, block: Mapping[str, Any]) -> Iterator[Chunk]:
        if block.get("type") in _THINKING_BLOCKS:
            yield ThinkingStart()
            if block.get("thinking"):
                yield ThinkingText(block["thinking"])
        else:
            yield VisibleText(block["text"]) if block.get("text") else Alive()

    def _read_delta(self, delta: Mapping[str, Any]) -> Chunk:
        if delta.get("type") == "text_delta" and delta["text"]:
            return VisibleText(delta["text"])
        if delta.get("type") == "thinking_delta" and delta["thinking"]:
            return ThinkingText(delta["thinking"])
        return Alive()

    def _read_closing(self, event: Mapping[str, Any]) -> Chunk:
        delta = event.get("delta") or {}
        self._stop_word = delta.get("stop_reason") or self._stop_word
        category = (delta.get("stop_details") or {}).get("category")
        usage = event.get("usage") or {}
        return self._report(
            usage,
            output_tokens=usage.get("output_tokens"),
            thinking_tokens=(usage.get("output_tokens_details") or {}).get("thinking_tokens"),
            extras={} if category is None else {"refusal_category": category},
        )

    def _report(self, usage: Mapping[str, Any], **known: Any) -> ServerReport:
        self._input |= {name: usage[name] for name in _INPUT_COUNTS if usage.get(name) is not None}
        return ServerReport(
            input_tokens=sum(self._input.values()) if "input_tokens" in self._input else None,
            cached_input_tokens=self._input.get("cache_read_input_tokens"),
            **known,
        )
