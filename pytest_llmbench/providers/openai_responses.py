"""OpenAI's Responses API: the only one of the two that tells when hidden thinking begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmbench.generation.chunks import (
    Chunk,
    End,
    ServerReport,
    StopReason,
    ThinkingStart,
    ThinkingText,
    VisibleText,
)
from pytest_llmbench.generation.request import Request
from pytest_llmbench.providers.openai_chat import count
from pytest_llmbench.providers.openai_faults import Faults
from pytest_llmbench.providers.presets import Target

_INCOMPLETE: Mapping[str, StopReason] = {
    "max_output_tokens": "length",
    "content_filter": "refused",
}


def responses_body(request: Request, target: Target) -> dict[str, Any]:
    """What is sent for `request`."""
    body: dict[str, Any] = {
        "model": target.model,
        "input": [{"role": each.role, "content": each.content} for each in request.messages],
        "max_output_tokens": request.max_tokens,
        "store": False,
        "stream": True,
        **target.sampling,
    }
    if request.system is not None:
        body["instructions"] = request.system
    if target.reasoning_effort is not None:
        body["reasoning"] = {"effort": target.reasoning_effort}
    if target.service_tier is not None:
        body["service_tier"] = target.service_tier
    return body


class ResponsesReader:
    """Reads the events of one response."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._refused = False
        self._end: End | None = None

    @property
    def ended(self) -> bool:
        """Whether the server said that the answer is over."""
        return self._end is not None

    def read(self, data: Mapping[str, Any]) -> list[Chunk]:
        """What one event holds. Raises ProviderError for an error sent in the stream."""
        kind = data.get("type")
        if kind == "error" or (kind is None and data.get("error")):
            raise self._faults.in_stream(data.get("error") or data)
        if isinstance(data.get("delta"), str) and data["delta"]:
            return self._read_delta(str(kind), data["delta"])
        if kind == "response.output_item.added":
            item = data.get("item")
            thinks = isinstance(item, Mapping) and item.get("type") == "reasoning"
            return [ThinkingStart()] if thinks else []
        response = data.get("response")
        return self._read_response(str(kind), response) if isinstance(response, Mapping) else []

    def finish(self) -> list[Chunk]:
        """The last chunks, now that the stream is over; no End when it was cut."""
        return [] if self._end is None else [self._end]

    def _read_delta(self, kind: str, text: str) -> list[Chunk]:
        if kind == "response.output_text.delta":
            return [VisibleText(text)]
        if kind == "response.refusal.delta":
            self._refused = True
            return [VisibleText(text)]
        if kind in ("response.reasoning_text.delta", "response.reasoning_summary_text.delta"):
            return [ThinkingText(text)]
        return []

    def _read_response(self, kind: str, response: Mapping[str, Any]) -> list[Chunk]:
        if kind == "response.created":
            return [_read_identity(response)]
        if kind == "response.failed":
            raise self._faults.in_stream(response.get("error"))
        if kind == "response.completed":
            self._end = End("refused" if self._refused else "end", "completed")
        elif kind == "response.incomplete":
            details = response.get("incomplete_details")
            reason = details.get("reason") if isinstance(details, Mapping) else None
            self._end = End(_INCOMPLETE.get(str(reason), "unknown"), str(reason or "incomplete"))
        else:
            return []
        return [_read_identity(response), _read_usage(response.get("usage"))]


def _read_identity(response: Mapping[str, Any]) -> ServerReport:
    model, tier = response.get("model"), response.get("service_tier")
    return ServerReport(
        served_model=model if isinstance(model, str) else None,
        extras={"service_tier": tier} if isinstance(tier, str) else {},
    )


def _read_usage(usage: object) -> ServerReport:
    if not isinstance(usage, Mapping):
        return ServerReport()
    read, written = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    cache_writes = count(read.get("cache_write_tokens")) if isinstance(read, Mapping) else None
    return ServerReport(
        input_tokens=count(usage.get("input_tokens")),
        cached_input_tokens=count(read.get("cached_tokens")) if isinstance(read, Mapping) else None,
        output_tokens=count(usage.get("output_tokens")),
        thinking_tokens=(
            count(written.get("reasoning_tokens")) if isinstance(written, Mapping) else None
        ),
        extras={"cache_write_tokens": cache_writes} if cache_writes else {},
    )
