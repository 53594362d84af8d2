"""A server on loopback that speaks chat completions and responses, event by event, as scripted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wire import Asked, Event, Finish, Reply, WireServer, json_reply

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"

SERVED_MODEL = "tiny-1"
WARM_UP = [{"role": "user", "content": "Hi"}]


def event(data: object, at_s: float = 0.0) -> Event:
    """One server-sent event of JSON."""
    return Event(f"data: {json.dumps(data)}\n\n".encode(), at_s)


def chunk(
    delta: Mapping[str, Any] | None = None,
    at_s: float = 0.0,
    *,
    finish: str | None = None,
    in_choice: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Event:
    """A chat completion chunk; `fields` stand beside its one choice, `in_choice` inside it."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish, **(in_choice or {})}
    opening = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": SERVED_MODEL}
    return event({**opening, "choices": [choice], **fields}, at_s)


def role(at_s: float = 0.0) -> Event:
    """The opening chunk of many servers: a role, and no text yet."""
    return chunk({"role": "assistant", "content": ""}, at_s)


def text(words: str, at_s: float = 0.0) -> Event:
    """A piece of the answer."""
    return chunk({"content": words}, at_s)


def finish(reason: str = "stop", at_s: float = 0.0, **fields: Any) -> Event:
    """The chunk that says why the answer is over."""
    return chunk({}, at_s, finish=reason, **fields)


def usage(at_s: float = 0.0, **counts: Any) -> Event:
    """The closing chunk that holds counts and no choice."""
    return event({"model": SERVED_MODEL, "choices": [], "usage": counts}, at_s)


def comment(words: str = "keep-alive", at_s: float = 0.0) -> Event:
    """A sign of life."""
    return Event(f": {words}\n\n".encode(), at_s)


def done(at_s: float = 0.0) -> Event:
    """The end of the stream, in words."""
    return Event(b"data: [DONE]\n\n", at_s)


def response_event(kind: str, at_s: float = 0.0, **fields: Any) -> Event:
    """An event of the Responses API."""
    data = json.dumps({"type": kind, "sequence_number": 0, **fields})
    return Event(f"event: {kind}\ndata: {data}\n\n".encode(), at_s)


def stream(
    events: Iterable[Event], ending: Finish = "end", headers: Mapping[str, str] | None = None
) -> Reply:
    """A reply that streams `events`."""
    own = {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_1"}
    return Reply(tuple(events), headers={**own, **(headers or {})}, finish=ending)


def answer(words: str = "print(1)", *more: Event) -> Reply:
    """A whole plain answer; `more` comes after the finish reason."""
    return stream([role(), text(words), finish(), *more, done()])


def refusal(
    status: int, message: str, headers: Mapping[str, str] | None = None, **fields: Any
) -> Reply:
    """An error with its own HTTP status."""
    return json_reply({"error": {"message": message, **fields}}, status, headers)


def models(*entries: str | Mapping[str, Any]) -> Reply:
    """The list of served models."""
    data = [{"id": each} if isinstance(each, str) else dict(each) for each in entries]
    return json_reply({"object": "list", "data": data})


class OpenAIServer(WireServer):
    """Gives `replies` one after the other, the last one for ever; answers warm-ups by itself."""

    def __init__(
        self, *replies: Reply, listing: Reply | None = None, warm_up: Sequence[Reply] = ()
    ) -> None:
        super().__init__(self._choose_reply)
        self._replies = list(replies)
        self._listing = listing or models(SERVED_MODEL)
        self._warm_ups = list(warm_up) or [answer("H")]

    @property
    def base_url(self) -> str:
        """What `?base_url=` wants."""
        return f"{self.url}/v1"

    @property
    def questions(self) -> list[Asked]:
        """The requests for answers, without warm-ups."""
        return [each for each in self._generations if not _is_warm_up(each)]

    @property
    def warm_ups(self) -> list[Asked]:
        """The requests that only bring the model into memory."""
        return [each for each in self._generations if _is_warm_up(each)]

    @property
    def _generations(self) -> list[Asked]:
        return [each for each in self.asked if each.path in (CHAT, RESPONSES)]

    def _choose_reply(self, asked: Asked) -> Reply:
        if asked.path not in (CHAT, RESPONSES):
            return self._listing
        if _is_warm_up(asked):
            return self._warm_ups[min(len(self.warm_ups), len(self._warm_ups)) - 1]
        return self._replies[min(len(self.questions), len(self._replies)) - 1]


def _is_warm_up(asked: Asked) -> bool:
    return WARM_UP in (asked.body.get("messages"), asked.body.get("input"))
