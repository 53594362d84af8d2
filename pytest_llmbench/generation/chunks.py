"""What a stream is made of: the pieces that every provider yields, in the order of arrival.

A provider yields a piece the moment that it arrives and does no clock work of its own: who
consumes the stream stamps each piece.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

StopReason: TypeAlias = Literal["end", "length", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class Alive:
    """The server sent something that is no part of the answer: a ping, a header, an empty delta."""


@dataclass(frozen=True, slots=True)
class Connected:
    """How the request reached the server."""

    connect_s: float | None
    """Seconds for TCP and TLS; None when the connection was reused or this cannot be seen."""

    reused: bool | None
    """True when an open connection served this request; None when this cannot be seen."""

    since_s: float | None = field(default=None, compare=False)
    """Seconds that have gone by since the request first touched the network, to open its
    connection or to be sent; None when this cannot be seen. The clock starts there: what an SDK
    does before is no part of the model's time."""


@dataclass(frozen=True, slots=True)
class ThinkingStart:
    """The model began to think; whether its thoughts will be shown is not known yet."""


@dataclass(frozen=True, slots=True)
class ThinkingText:
    """A piece of thinking. Never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class VisibleText:
    """A piece of the answer. Never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ServerReport:
    """Figures from the server itself. A later report overrides an earlier one, field by field.

    None means that the server did not say.
    """

    served_model: str | None = None
    request_id: str | None = None
    input_tokens: int | None = None
    """All input, the cached part included."""
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    """All that was generated, thinking included."""
    thinking_tokens: int | None = None
    decode_tokens: int | None = None
    """The tokens that `decode_s` covers."""
    decode_s: float | None = None
    """Seconds that the server itself counts for decoding."""
    prefill_s: float | None = None
    """Seconds that the server itself counts for reading the uncached part of the prompt."""
    load_s: float | None = None
    """Seconds that this request waited for the model to be loaded."""
    cost_usd: float | None = None
    """What the provider says that it charged."""
    extras: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Anything else worth keeping: service tier, fingerprint, region."""


@dataclass(frozen=True, slots=True)
class End:
    """The server's own end marker. A stream without one was cut."""

    stop_reason: StopReason
    provider_stop_reason: str | None
    """The provider's own word."""


Chunk: TypeAlias = (
    Alive | Connected | ThinkingStart | ThinkingText | VisibleText | ServerReport | End
)
