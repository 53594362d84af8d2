"""The facts of one generation, as they were seen, and their JSON form.

Nothing derived stands in a recording: `measures` makes a Generation of it, today's or an old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from pytest_llmbench.generation.chunks import StopReason
from pytest_llmbench.generation.result import Timing, Usage

SCHEMA_VERSION = 1

Channel: TypeAlias = Literal["start", "thinking", "text"]

_STOP_REASONS: Mapping[str, StopReason] = {
    "end": "end",
    "stop": "end",
    "end_turn": "end",
    "stop_sequence": "end",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "refused": "refused",
    "refusal": "refused",
    "content_filter": "refused",
}


class RecordingError(ValueError):
    """A recording that cannot be read; its text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One generated piece of the stream."""

    at_s: float
    """Seconds since the request."""
    channel: Channel
    """`start`: the model was seen to begin thinking, without a text."""
    chars: int


@dataclass(frozen=True, slots=True)
class Recording:
    """One answer and how it came."""

    text: str
    thinking: str = ""
    stop_reason: StopReason = "unknown"
    provider_stop_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    timing: Timing = field(default_factory=Timing)
    pieces: tuple[Piece, ...] = ()
    """Empty when nobody watched the stream: then nothing is known but `timing`."""
    max_tokens: int | None = None
    """The limit that was asked for; None when it is not known."""
    served_model: str | None = None
    attempts: int = 1
    retry_wait_s: float = 0.0
    warm: bool | None = None
    cost_usd: float | None = None
    details: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    note: str | None = None
    """A word for people."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        usage, timing = self.usage, self.timing
        return {
            "schema_version": SCHEMA_VERSION,
            "note": self.note,
            "text": self.text,
            "thinking": self.thinking,
            "stop_reason": self.stop_reason,
            "provider_stop_reason": self.provider_stop_reason,
            "usage": {
                "input_tokens": usage.input_tokens,
                "cached_input_tokens": usage.cached_input_tokens,
                "output_tokens": usage.output_tokens,
                "thinking_tokens": usage.thinking_tokens,
                "reported_by": usage.reported_by,
            },
            "timing": {name: getattr(timing, name) for name in _TIMING_FIELDS},
            "pieces": [[piece.at_s, piece.channel, piece.chars] for piece in self.pieces],
            "max_tokens": self.max_tokens,
            "served_model": self.served_model,
            "attempts": self.attempts,
            "retry_wait_s": self.retry_wait_s,
            "warm": self.warm,
            "cost_usd": self.cost_usd,
            "details": dict(self.details),
        }


_TIMING_FIELDS = (
    "ttft_s",
    "ttfo_s",
    "total_s",
    "connect_s",
    "connection_reused",
    "load_s",
    "decode_s",
    "decode_tokens",
    "prefill_s",
)


def read_recording(data: Any) -> Recording:
    """A recording from its JSON: one of ours, or one written by hand with at least `text`.

    Raises RecordingError.
    """
    if not isinstance(data, dict) or not isinstance(data.get("text"), str):
        raise RecordingError("a recording is a JSON object with at least a `text`")
    version = data.get("schema_version", SCHEMA_VERSION)
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise RecordingError(
            f"it has schema version {version!r}, this pytest-llmbench reads up to "
            f"{SCHEMA_VERSION}; upgrade pytest-llmbench"
        )
    stop_word = _optional(data, "stop_reason", str)
    stop_reason = _STOP_REASONS.get(stop_word or "", "unknown")
    return Recording(
        text=data["text"],
        thinking=_optional(data, "thinking", str) or "",
        stop_reason=stop_reason,
        provider_stop_reason=_optional(data, "provider_stop_reason", str) or stop_word,
        usage=_read_usage(_optional(data, "usage", dict) or {}),
        timing=_read_timing(_optional(data, "timing", dict) or {}),
        pieces=_read_pieces(_optional(data, "pieces", list) or []),
        max_tokens=_optional(data, "max_tokens", int),
        served_model=_optional(data, "served_model", str),
        attempts=_optional(data, "attempts", int) or 1,
        retry_wait_s=_optional(data, "retry_wait_s", float, int) or 0.0,
        warm=_optional(data, "warm", bool),
        cost_usd=_optional(data, "cost_usd", float, int),
        details=_optional(data, "details", dict) or {},
        note=_optional(data, "note", str),
    )


def _read_usage(data: Mapping[str, Any]) -> Usage:
    usage = Usage(
        input_tokens=_optional(data, "input_tokens", int),
        cached_input_tokens=_optional(data, "cached_input_tokens", int),
        output_tokens=_optional(data, "output_tokens", int),
        thinking_tokens=_optional(data, "thinking_tokens", int),
    )
    if usage.output_tokens is None:
        return usage
    provider = data.get("reported_by") == "provider"
    return replace(usage, reported_by="provider" if provider else "recording")


def _read_timing(data: Mapping[str, Any]) -> Timing:
    kinds: Mapping[str, tuple[type, ...]] = {"connection_reused": (bool,), "decode_tokens": (int,)}
    timing = Timing(
        **{name: _optional(data, name, *kinds.get(name, (float, int))) for name in _TIMING_FIELDS}
    )
    moments = [each for each in (timing.ttft_s, timing.ttfo_s, timing.total_s) if each is not None]
    if moments != sorted(moments):
        raise RecordingError("`ttft_s`, `ttfo_s` and `total_s` are not in this order in time")
    return timing


def _read_pieces(rows: list[Any]) -> tuple[Piece, ...]:
    try:
        return tuple(Piece(float(at_s), channel, int(chars)) for at_s, channel, chars in rows)
    except (TypeError, ValueError) as error:
        raise RecordingError(f"`pieces` holds rows of [seconds, channel, chars]: {error}") from None


_EXPECTED: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number that is not negative",
    float: "a number that is not negative",
    dict: "an object",
    list: "a list",
}


def _optional(data: Mapping[str, Any], key: str, *kinds: type) -> Any:
    value = data.get(key)
    if value is None:
        return None
    right = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
    if right and isinstance(value, int | float):
        right = 0 <= value < float("inf")
    if not right:
        raise RecordingError(f"`{key}` is {value!r}; expected {_EXPECTED[kinds[0]]}")
    return value
