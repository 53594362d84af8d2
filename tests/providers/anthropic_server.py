"""A server on loopback that speaks the Messages API, event by event, as a script says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from wire import Asked, Event, Finish, Reply, WireServer, json_reply

MESSAGES = "/v1/messages"

SERVED_MODEL = "claude-test-20261001"


def event(kind: str, at_s: float = 0.0, **fields: Any) -> Event:
    """One server-sent event."""
    data = json.dumps({"type": kind, **fields})
    return Event(f"event: {kind}\ndata: {data}\n\n".encode(), at_s)


def message_start(at_s: float = 0.0, **usage: Any) -> Event:
    """The opening event; `usage` is laid over small counts."""
    counts = {"input_tokens": 25, "output_tokens": 1, "service_tier": "standard", **usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": SERVED_MODEL}
    return event("message_start", at_s, message={**message, "content": [], "usage": counts})


def ping(at_s: float = 0.0) -> Event:
    """A sign of life."""
    return event("ping", at_s)


def block_start(kind: str, at_s: float = 0.0, index: int = 0) -> Event:
    """The opening of a block: `text`, `thinking` or `redacted_thinking`."""
    fields: Mapping[str, Any] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "redacted_thinking": {"data": "c2VjcmV0"},
    }[kind]
    return event("content_block_start", at_s, index=index, content_block={"type": kind, **fields})


def text(words: str, at_s: float = 0.0, index: int = 0) -> Event:
    """A piece of the answer."""
    return _delta(index, at_s, type="text_delta", text=words)


def thinking(words: str, at_s: float = 0.0, index: int = 0) -> Event:
    """A piece of shown thinking."""
    return _delta(index, at_s, type="thinking_delta", thinking=words)


def signature(at_s: float = 0.0, index: int = 0) -> Event:
    """What closes a thinking block, shown or omitted."""
    return _delta(index, at_s, type="signature_delta", signature="EqQBCg")


def _delta(index: int, at_s: float, **delta: Any) -> Event:
    return event("content_block_delta", at_s, index=index, delta=delta)


def block_stop(at_s: float = 0.0, index: int = 0) -> Event:
    """The end of a block."""
    return event("content_block_stop", at_s, index=index)


def message_delta(
    stop_reason: str | None,
    output_tokens: int,
    at_s: float = 0.0,
    *,
    stop_details: Mapping[str, Any] | None = None,
    **usage: Any,
) -> Event:
    """The closing figures; counts are cumulative."""
    delta = {"stop_reason": stop_reason, "stop_sequence": None, "stop_details": stop_details}
    counts = {"output_tokens": output_tokens, **usage}
    return event("message_delta", at_s, delta=delta, usage=counts)


def message_stop(at_s: float = 0.0) -> Event:
    """The end marker."""
    return event("message_stop", at_s)


def error(kind: str, message: str, at_s: float = 0.0) -> Event:
    """An error in mid-stream, under HTTP status 200."""
    return event("error", at_s, error={"type": kind, "message": message})


def stream(events: Iterable[Event], finish: Finish = "end") -> Reply:
    """A reply that streams `events`."""
    headers = {"content-type": "text/event-stream; charset=utf-8", "request-id": "req_1"}
    return Reply(tuple(events), headers=headers, finish=finish)


def answer(words: str = "print(1)", output_tokens: int = 4) -> Reply:
    """A whole plain answer in one piece."""
    return stream(
        [
            message_start(),
            block_start("text"),
            text(words),
            block_stop(),
            message_delta("end_turn", output_tokens),
            message_stop(),
        ]
    )


def refusal(
    status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
) -> Reply:
    """An error with its own HTTP status."""
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return json_reply(body, status, headers)


def model_info(max_tokens: int = 64_000, takes: Iterable[str] = ("adaptive",)) -> Reply:
    """What the server says of a model: its longest answer and the kinds of thinking it takes."""
    kinds = ("adaptive", "between_tools", "disabled", "enabled")
    takes = tuple(takes)
    types = {kind: {"supported": kind in takes} for kind in kinds}
    return json_reply(
        {
            "id": SERVED_MODEL,
            "type": "model",
            "display_name": "Claude Test",
            "created_at": "2026-10-01T00:00:00Z",
            "lifecycle": "active",
            "max_tokens": max_tokens,
            "max_input_tokens": 200_000,
            "capabilities": {"thinking": {"supported": True, "types": types}},
        }
    )


class AnthropicServer(WireServer):
    """Gives `replies` one after the other, the last one for ever."""

    def __init__(self, *replies: Reply, info: Reply | None = None) -> None:
        super().__init__(self._next)
        self._replies = list(replies)
        self._info = info or refusal(404, "not_found_error", "no such route")

    @property
    def messages(self) -> list[Asked]:
        """The requests for answers, without those for models."""
        return self.of_path(MESSAGES)

    def _next(self, asked: Asked) -> Reply:
        if asked.path != MESSAGES:
            return self._info
        return self._replies[min(len(self.messages), len(self._replies)) - 1]
