"""Chat completions: the request's body, and the stream's events read in all known dialects.

Which fields a server fills differs; no field means two things. So one reader knows them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmbench.generation.chunks import (
    Chunk,
    End,
    ServerReport,
    StopReason,
    ThinkingText,
    VisibleText,
)
from pytest_llmbench.generation.request import Request
from pytest_llmbench.providers.openai_faults import Faults, Manners
from pytest_llmbench.providers.presets import Target
from pytest_llmbench.providers.thinking_tags import ThinkingTags

_STOP_REASONS: Mapping[str, StopReason] = {
    "stop": "end",
    "eos": "end",
    "end_turn": "end",
    "tool_calls": "end",
    "function_call": "end",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "refused",
    "refusal": "refused",
}
_BROKEN_OFF = {
    "error": "error",
    "abort": "abort",
    "cancelled": "cancelled",
    "insufficient_system_resource": "overloaded_error",
}


def chat_body(request: Request, target: Target, manners: Manners) -> dict[str, Any]:
    """What is sent for `request`."""
    system = [{"role": "system", "content": request.system}] if request.system is not None else []
    body: dict[str, Any] = {
        "model": target.model,
        "messages": [
            *system,
            *({"role": each.role, "content": each.content} for each in request.messages),
        ],
        "stream": True,
        manners.limit_field: request.max_tokens,
        **target.sampling,
    }
    if manners.asks_for_usage:
        body["stream_options"] = {"include_usage": True}
    if target.reasoning_effort is not None:
        body["reasoning_effort"] = target.reasoning_effort
    if target.service_tier is not None:
        body["service_tier"] = target.service_tier
    return body


class ChatReader:
    """Reads the events of one stream of chat completion chunks."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._tags = ThinkingTags()
        self._introduced = False
        self._refused = False
        self._finish_reason: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the server said that the answer is over."""
        return self._finish_reason is not None

    def read(self, data: Mapping[str, Any]) -> list[Chunk]:
        """What one event holds. Raises ProviderError for an error sent in the stream."""
        error = data.get("error") or _mapping(data.get("x_groq")).get("error")
        if error:
            raise self._faults.in_stream(error)
        chunks: list[Chunk] = []
        if not self._introduced and data.get("model"):
            self._introduced = True
            chunks.append(_read_identity(data))
        choice = next(iter(_mappings(data.get("choices"))), {})
        chunks += self._read_delta(_mapping(choice.get("delta")))
        self._note_finish(choice.get("finish_reason"))
        for usage in (
            _mapping(data.get("x_groq")).get("usage"),
            choice.get("usage"),
            data.get("usage"),
        ):
            if isinstance(usage, Mapping):
                chunks.append(read_usage(usage))
        if isinstance(data.get("timings"), Mapping):
            chunks.append(_read_timings(data["timings"]))
        return chunks

    def finish(self) -> list[Chunk]:
        """The last chunks, now that the stream is over; no End when it was cut."""
        chunks: list[Chunk] = list(self._tags.finish())
        if self._tags.found:
            chunks.append(ServerReport(extras={"thinking_in_tags": True}))
        if self._finish_reason is not None:
            stop_reason = _STOP_REASONS.get(self._finish_reason, "unknown")
            chunks.append(End("refused" if self._refused else stop_reason, self._finish_reason))
        return chunks

    def _read_delta(self, delta: Mapping[str, Any]) -> list[Chunk]:
        chunks: list[Chunk] = []
        thinking = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thinking, str) and thinking:
            chunks.append(ThinkingText(thinking))
        content = delta.get("content")
        if isinstance(content, str):
            chunks += self._tags.feed(content)
        for part in _mappings(content):
            chunks += self._read_part(part)
        if isinstance(delta.get("refusal"), str) and delta["refusal"]:
            self._refused = True
            chunks.append(VisibleText(delta["refusal"]))
        return chunks

    def _read_part(self, part: Mapping[str, Any]) -> list[Chunk]:
        """A part of a content that is a list, as Mistral's thinking models send it."""
        if part.get("type") == "thinking":
            thoughts = part.get("thinking")
            texts = (
                [thoughts]
                if isinstance(thoughts, str)
                else [each.get("text") for each in _mappings(thoughts)]
            )
            return [ThinkingText(text) for text in texts if isinstance(text, str) and text]
        text = part.get("text")
        return list(self._tags.feed(text)) if isinstance(text, str) else []

    def _note_finish(self, reason: object) -> None:
        if not isinstance(reason, str) or not reason:
            return
        if reason in _BROKEN_OFF:
            raise self._faults.in_stream(
                {"type": _BROKEN_OFF[reason], "message": f"finish_reason {reason!r}"}
            )
        self._finish_reason = reason


def read_usage(usage: Mapping[str, Any]) -> ServerReport:
    """Token counts, wherever a server puts them."""
    prompt = count(usage.get("prompt_tokens"))
    output = count(usage.get("completion_tokens"))
    total = count(usage.get("total_tokens"))
    details = _mapping(usage.get("completion_tokens_details"))
    thinking = count(details.get("reasoning_tokens"))
    if prompt is not None and output is not None and total is not None and total > prompt + output:
        # Gemini leaves thinking out of completion_tokens, but not out of the total.
        thinking = total - prompt - output if thinking is None else thinking
        output = total - prompt
    cached = (
        _mapping(usage.get("prompt_tokens_details")).get("cached_tokens"),
        usage.get("cached_tokens"),
        usage.get("prompt_cache_hit_tokens"),
    )
    cache_writes = count(_mapping(usage.get("prompt_tokens_details")).get("cache_write_tokens"))
    decode_s = amount(usage.get("completion_time"))
    return ServerReport(
        input_tokens=prompt,
        cached_input_tokens=next((n for n in map(count, cached) if n is not None), None),
        output_tokens=output,
        thinking_tokens=thinking,
        decode_tokens=None if decode_s is None else output,
        decode_s=decode_s,
        prefill_s=amount(usage.get("prompt_time")),
        cost_usd=amount(usage.get("cost")),
        extras={"cache_write_tokens": cache_writes} if cache_writes else {},
    )


def _read_timings(timings: Mapping[str, Any]) -> ServerReport:
    """The figures of llama.cpp's server."""
    fresh, cached = count(timings.get("prompt_n")), count(timings.get("cache_n"))
    decode_ms, prefill_ms = amount(timings.get("predicted_ms")), amount(timings.get("prompt_ms"))
    predicted = count(timings.get("predicted_n"))
    return ServerReport(
        input_tokens=None if fresh is None or cached is None else fresh + cached,
        cached_input_tokens=cached,
        output_tokens=predicted,
        decode_tokens=predicted,
        decode_s=None if decode_ms is None else decode_ms / 1000,
        prefill_s=None if prefill_ms is None else prefill_ms / 1000,
    )


def _read_identity(data: Mapping[str, Any]) -> ServerReport:
    extras = {
        name: data[name]
        for name in ("system_fingerprint", "service_tier", "provider")
        if isinstance(data.get(name), str)
    }
    return ServerReport(served_model=str(data["model"]), extras=extras)


def count(value: object) -> int | None:
    """A count of tokens; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def amount(value: object) -> float | None:
    """A figure that is not negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return float(value)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterable[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
