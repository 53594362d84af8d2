"""A finished generation: the answer, what it took, and how fast it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pytest_llmbench.generation.chunks import StopReason

RateMethod: TypeAlias = Literal["server", "stream", "visible", "e2e"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts. None means that nobody said."""

    input_tokens: int | None = None
    """All input, the cached part included."""
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    """All that was generated, thinking included."""
    thinking_tokens: int | None = None
    reported_by: Literal["provider", "recording"] | None = None
    """Who counted `output_tokens`; None when nobody did."""

    @property
    def visible_tokens(self) -> int | None:
        """Output without thinking; None unless both are known."""
        if self.output_tokens is None or self.thinking_tokens is None:
            return None
        return self.output_tokens - self.thinking_tokens


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds on one monotonic clock, counted from just before the request that succeeded."""

    ttft_s: float | None = None
    """To the first generated thing of any channel: thinking or text."""
    ttfo_s: float | None = None
    """To the first visible piece of the answer."""
    total_s: float | None = None
    """To the last generated piece; the server's closing events are not part of it."""
    connect_s: float | None = None
    """TCP and TLS, inside `ttft_s`; None when the connection was reused or this is not seen."""
    connection_reused: bool | None = None
    load_s: float | None = None
    """Loading the model, on a local server."""
    decode_s: float | None = None
    """The server's own figure for decoding `decode_tokens`."""
    decode_tokens: int | None = None
    prefill_s: float | None = None
    """The server's own figure for reading the prompt."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast the model wrote; numerator and denominator always cover the same tokens."""

    tokens_per_s: float | None
    method: RateMethod | None
    """`server`: the server's own figure. `stream`: from the first token to the last.
    `visible`: the same for visible tokens alone. `e2e`: all tokens over the whole time.
    """
    reason: str | None
    """Why there is no figure, or why a better method could not be used."""
    e2e_tokens_per_s: float | None
    chars_per_s: float | None
    """Visible characters per second from the first visible piece to the last: comparable
    between models whatever their tokenizers."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One answer of one model to one prompt."""

    model: str
    """The label: what the user typed."""
    text: str
    """The visible answer, verbatim."""
    thinking: str
    """The thoughts that were shown; empty when none were."""
    stop_reason: StopReason
    provider_stop_reason: str | None
    usage: Usage
    timing: Timing
    rate: Rate
    max_tokens: int
    """The limit that was asked for."""
    thinking_s: float | None = None
    """From the first sign of thinking to the first visible piece; 0 when the model did not think,
    None when it may have thought before anything was seen."""
    served_model: str | None = None
    """The exact model that the server says it used."""
    attempts: int = 1
    """Requests sent until one succeeded."""
    retry_wait_s: float = 0.0
    """Seconds waited between attempts; no part of `timing`."""
    warm: bool | None = None
    """True when the model was in memory before the clock started; None when nobody knows."""
    replayed: bool = False
    """True when this answer was recorded earlier: its times are those of the recording."""
    cost_usd: float | None = None
    """None when the price is unknown, and for models that nobody charges for."""
    warnings: tuple[str, ...] = ()
    """What a reader of the figures should know."""
    details: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    """What else is known of this answer: digest, quantization, context, service tier."""

    @property
    def truncated(self) -> bool | None:
        """Whether the token limit cut the answer off; None when no stop reason says."""
        return None if self.stop_reason == "unknown" else self.stop_reason == "length"
