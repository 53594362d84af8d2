"""A server on loopback that speaks Ollama's native API, line by line, as a script says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wire import Asked, Event, Finish, Reply, WireServer, json_reply

CHAT = "/api/chat"

DIGEST = "9bd1a8c0e1f2"

TRAINED_CONTEXT = 131_072


def line(at_s: float = 0.0, **fields: Any) -> Event:
    """One line of a streamed answer."""
    common = {"model": "devstral:latest", "created_at": "2026-11-23T05:00:00Z"}
    return Event(json.dumps({**common, **fields}).encode() + b"\n", at_s)


def text(words: str, at_s: float = 0.0) -> Event:
    """A piece of the answer."""
    return line(at_s, message={"role": "assistant", "content": words}, done=False)


def thinking(words: str, at_s: float = 0.0) -> Event:
    """A piece of shown thinking."""
    message = {"role": "assistant", "content": "", "thinking": words}
    return line(at_s, message=message, done=False)


def done(reason: str = "stop", at_s: float = 0.0, **figures: int) -> Event:
    """The closing line; `figures` are laid over small ones, durations in nanoseconds."""
    counts = {
        "total_duration": 3_000_000_000,
        "load_duration": 20_000_000,
        "prompt_eval_count": 26,
        "prompt_eval_duration": 130_000_000,
        "eval_count": 200,
        "eval_duration": 2_500_000_000,
        **figures,
    }
    message = {"role": "assistant", "content": ""}
    fields: dict[str, Any] = {"message": message, "done": True, "done_reason": reason, **counts}
    return line(at_s, **fields)


def error(message: str, at_s: float = 0.0) -> Event:
    """An error in mid-stream, under HTTP status 200."""
    return Event(json.dumps({"error": message}).encode() + b"\n", at_s)


def stream(events: Iterable[Event], finish: Finish = "end") -> Reply:
    """A reply that streams `events`."""
    return Reply(tuple(events), headers={"content-type": "application/x-ndjson"}, finish=finish)


def answer(words: str = "print(1)", **figures: int) -> Reply:
    """A whole plain answer."""
    return stream([text(words), done("stop", 0.0, **figures)])


def refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """An error with its own HTTP status."""
    return json_reply({"error": message}, status, headers)


@dataclass(slots=True)
class Machine:
    """The one model of a server, and the memory that it is loaded into."""

    name: str = "devstral:latest"
    thinks: bool = False
    largest_context: int = TRAINED_CONTEXT
    """More than this is cut down on loading, without a word."""
    gpu_bytes: int = 10_000
    load_takes_s: float = 0.0
    loaded_context: int | None = None
    """None: not loaded."""
    loads: int = 0

    def fit(self, options: Mapping[str, Any] | None) -> bool:
        """Load with these options; whether that meant to load anew."""
        wanted = min((options or {}).get("num_ctx", 4096), self.largest_context)
        if self.loaded_context == wanted:
            return False
        self.loaded_context = wanted
        self.loads += 1
        return True


class OllamaServer(WireServer):
    """Keeps one model, and answers with `replies` one after the other, the last for ever."""

    def __init__(self, *replies: Reply, machine: Machine | None = None) -> None:
        super().__init__(self._choose_reply)
        self._replies = list(replies)
        self.machine = machine or Machine()

    @property
    def questions(self) -> list[Asked]:
        """The requests for answers, without those that load and unload."""
        return [each for each in self.of_path(CHAT) if each.body["messages"]]

    def _choose_reply(self, asked: Asked) -> Reply:
        match asked.path:
            case "/api/show":
                return self._show(asked.body["model"])
            case "/api/tags":
                return json_reply({"models": [self._entry()]})
            case "/api/ps":
                return json_reply({"models": self._list_loaded()})
            case "/api/chat" if not asked.body["messages"]:
                return self._load(asked.body)
            case "/api/chat":
                self.machine.fit(asked.body["options"])
                return self._replies[min(len(self.questions), len(self._replies)) - 1]
        return Reply(status=404)

    def _show(self, name: str) -> Reply:
        if name not in (self.machine.name, self.machine.name.removesuffix(":latest")):
            return refusal(404, f"model '{name}' not found")
        abilities = ["completion", *(["thinking"] if self.machine.thinks else [])]
        return json_reply(
            {
                "details": self._details(),
                "model_info": {
                    "general.architecture": "llama",
                    "llama.context_length": TRAINED_CONTEXT,
                },
                "capabilities": abilities,
            }
        )

    def _details(self) -> dict[str, str]:
        return {"family": "llama", "parameter_size": "24B", "quantization_level": "Q4_K_M"}

    def _entry(self) -> dict[str, Any]:
        name = self.machine.name
        details = self._details()
        return {"name": name, "model": name, "digest": DIGEST, "size": 10_000, "details": details}

    def _list_loaded(self) -> list[dict[str, Any]]:
        if self.machine.loaded_context is None:
            return []
        memory = {
            "size_vram": self.machine.gpu_bytes,
            "context_length": self.machine.loaded_context,
            "expires_at": "2026-11-23T06:00:00Z",
        }
        return [{**self._entry(), **memory}]

    def _load(self, body: Mapping[str, Any]) -> Reply:
        common = {"model": body["model"], "created_at": "2026-11-23T05:00:00Z", "done": True}
        message = {"role": "assistant", "content": ""}
        if body.get("keep_alive") == 0:
            self.machine.loaded_context = None
            return json_reply({**common, "message": message, "done_reason": "unload"})
        anew = self.machine.fit(body.get("options"))
        took_s = self.machine.load_takes_s if anew else 0.0
        return json_reply({**common, "message": message, "done_reason": "load"}, at_s=took_s)
