"""How fast it was: from the facts of a recording to figures that can be defended.

The rule behind all of it: numerator and denominator of a rate cover the same tokens. Every
provider counts thinking among the output tokens, so a window that opens at the first visible
token may only be used for visible tokens.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from pytest_llmbench.generation.recording import Piece, Recording
from pytest_llmbench.generation.result import Generation, Rate, RateMethod

MIN_TOKENS = 2
MIN_WINDOW_S = 0.05
MIN_PIECES = 5
MIN_BYTES_PER_TOKEN = 1.2
"""No tokenizer needs more tokens than this for what people and models write: code is some 3 to 4
bytes a token, and the languages that tokenizers treat worst stay above it."""
LATE_SHARE = 7 / 8
"""When the first visible token comes this late, and nobody says how many tokens were thinking,
hidden thinking is as likely as a slow start."""
RATES_DIFFER = 0.2
TOGETHER = 1 / 4
"""Pieces came together when less than this share of the mean gap lies between them: servers and
networks bundle."""


@dataclass(frozen=True, slots=True)
class _Figure:
    """A rate, or why there is none."""

    tokens_per_s: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch of a stream: its tokens, and the seconds from the first of them to the last."""

    tokens: int
    seconds: float


def build_generation(
    label: str, recording: Recording, *, max_tokens: int, replayed: bool
) -> Generation:
    """What tests and reports see of a recording."""
    rate, warnings = measure_rate(recording)
    return Generation(
        model=label,
        text=recording.text,
        thinking=recording.thinking,
        stop_reason=recording.stop_reason,
        provider_stop_reason=recording.provider_stop_reason,
        usage=recording.usage,
        timing=recording.timing,
        rate=rate,
        max_tokens=recording.max_tokens or max_tokens,
        thinking_s=_thinking_s(recording),
        served_model=recording.served_model,
        attempts=recording.attempts,
        retry_wait_s=recording.retry_wait_s,
        warm=recording.warm,
        replayed=replayed,
        cost_usd=recording.cost_usd,
        warnings=warnings,
        details=recording.details,
    )


def measure_rate(recording: Recording) -> tuple[Rate, tuple[str, ...]]:
    """The best rate that the facts allow, and warnings about it.

    In this order: the server's own figure; the stream from its first token to its last; visible
    tokens over the visible part; all tokens over the whole time.
    """
    figures: dict[RateMethod, _Figure] = {
        "server": _server_rate(recording),
        "stream": _stream_rate(recording),
        "visible": _visible_rate(recording),
        "e2e": _e2e_rate(recording),
    }
    method = next((each for each in figures if figures[each].tokens_per_s is not None), None)
    rate = Rate(
        tokens_per_s=figures[method].tokens_per_s if method else None,
        method=method,
        reason=_choose_reason(figures, method),
        e2e_tokens_per_s=figures["e2e"].tokens_per_s,
        chars_per_s=_visible_chars_per_s(recording),
    )
    return rate, _warn_of_disagreement(figures)


def _choose_reason(figures: dict[RateMethod, _Figure], method: RateMethod | None) -> str | None:
    if method in {"server", "stream"}:
        return None
    if method is None:
        return figures["e2e"].reason
    return figures["stream"].reason


def _server_rate(recording: Recording) -> _Figure:
    tokens, seconds = recording.timing.decode_tokens, recording.timing.decode_s
    if tokens is None or seconds is None:
        return _Figure(None, "the server gives no timing of its own")
    if tokens < MIN_TOKENS or seconds <= 0:
        return _Figure(None, "the server timed fewer than two tokens")
    return _Figure(tokens / seconds)


def _stream_rate(recording: Recording) -> _Figure:
    timing = recording.timing
    window = _open_window(
        recording.usage.output_tokens, timing.ttft_s, timing.total_s, recording.pieces
    )
    if isinstance(window, _Figure):
        return window
    hidden = _find_hidden_thinking(recording, window.tokens)
    if hidden is not None:
        return _Figure(None, hidden)
    after_first = window.tokens - _tokens_in_first_burst(recording, window.tokens)
    rate = after_first / window.seconds
    visible = _visible_rate(recording).tokens_per_s
    if _thinking_was_seen_late(recording) and (visible is None or rate > 3 * visible):
        return _Figure(None, "thinking began before its first sign was seen")
    return _Figure(rate)


def _visible_rate(recording: Recording) -> _Figure:
    timing = recording.timing
    pieces = tuple(piece for piece in recording.pieces if piece.channel == "text")
    window = _open_window(recording.usage.visible_tokens, timing.ttfo_s, timing.total_s, pieces)
    if isinstance(window, _Figure):
        return window
    first = max(1.0, window.tokens * _first_share(pieces))
    return _Figure((window.tokens - first) / window.seconds)


def _e2e_rate(recording: Recording) -> _Figure:
    tokens, total_s = recording.usage.output_tokens, recording.timing.total_s
    if tokens is None:
        return _Figure(None, "nobody counted the tokens")
    if total_s is None:
        return _Figure(None, "the time was not taken")
    if tokens < MIN_TOKENS:
        return _Figure(None, "fewer than two tokens")
    if total_s < MIN_WINDOW_S:
        return _Figure(None, f"all came within {MIN_WINDOW_S * 1000:.0f} ms")
    return _Figure(tokens / total_s)


def _open_window(
    tokens: int | None,
    first_s: float | None,
    last_s: float | None,
    pieces: tuple[Piece, ...],
) -> _Window | _Figure:
    """The window from the first token to the last, or why no rate can be taken over it."""
    if tokens is None:
        return _Figure(None, "nobody counted the tokens")
    if first_s is None or last_s is None:
        return _Figure(None, "the first token was not timed")
    if tokens < MIN_TOKENS:
        return _Figure(None, "fewer than two tokens")
    if last_s - first_s < MIN_WINDOW_S:
        return _Figure(None, f"all came within {MIN_WINDOW_S * 1000:.0f} ms")
    if pieces and len(pieces) < MIN_PIECES:
        return _Figure(None, f"only {len(pieces)} pieces came")
    return _Window(tokens, last_s - first_s)


def _find_hidden_thinking(recording: Recording, tokens: int) -> str | None:
    """Why the counted tokens were not all generated after the first one that was seen."""
    seen = recording.thinking or any(piece.channel != "text" for piece in recording.pieces)
    if seen:
        return None
    thinking_tokens = recording.usage.thinking_tokens
    if thinking_tokens:
        return f"{thinking_tokens:,} thinking tokens came before anything was seen"
    size_bytes = len(recording.text.encode(errors="replace"))
    if size_bytes < MIN_BYTES_PER_TOKEN * tokens:
        return f"{tokens:,} tokens are counted for {size_bytes:,} bytes: most were never shown"
    ttft_s, total_s = recording.timing.ttft_s, recording.timing.total_s
    late = ttft_s is not None and total_s is not None and ttft_s > LATE_SHARE * total_s
    if late and thinking_tokens is None:
        return "the first token came late, and nobody says how many tokens were thinking"
    return None


def _thinking_s(recording: Recording) -> float | None:
    ttft_s, ttfo_s = recording.timing.ttft_s, recording.timing.ttfo_s
    if ttft_s is None or ttfo_s is None:
        return None
    hidden = _find_hidden_thinking(recording, recording.usage.output_tokens or 0)
    return None if hidden is not None or _thinking_was_seen_late(recording) else ttfo_s - ttft_s


def _thinking_was_seen_late(recording: Recording) -> bool:
    timing = recording.timing
    if not recording.usage.thinking_tokens or timing.ttft_s is None or timing.ttfo_s is None:
        return False
    return timing.ttft_s > timing.ttfo_s / 2


def _tokens_in_first_burst(recording: Recording, tokens: int) -> float:
    """The tokens that had come when the window opened: at least one, more when a server bundles."""
    pieces = recording.pieces
    if not pieces or pieces[0].channel == "start":
        return 1.0
    channel = tuple(piece for piece in pieces if piece.channel == pieces[0].channel)
    thinking = recording.usage.thinking_tokens
    if thinking is None or len(channel) == len(pieces):
        return max(1.0, tokens * _first_share(pieces))
    counted = thinking if pieces[0].channel == "thinking" else tokens - thinking
    return max(1.0, counted * _first_share(channel))


def _first_share(pieces: tuple[Piece, ...]) -> float:
    """The share of all characters that came in one go with the first piece."""
    total = sum(piece.chars for piece in pieces)
    return sum(piece.chars for piece in _first_burst(pieces)) / total if total else 0.0


def _first_burst(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """The pieces that came together with the first, itself among them."""
    gaps_s = [later.at_s - earlier.at_s for earlier, later in itertools.pairwise(pieces)]
    mean_s = sum(gaps_s) / len(gaps_s) if gaps_s else 0.0
    together = itertools.takewhile(lambda gap_s: gap_s < TOGETHER * mean_s, gaps_s)
    return pieces[: 1 + sum(1 for _ in together)]


def _visible_chars_per_s(recording: Recording) -> float | None:
    pieces = tuple(piece for piece in recording.pieces if piece.channel == "text")
    first_s = recording.timing.ttfo_s
    last_s = pieces[-1].at_s if pieces else recording.timing.total_s
    if first_s is None or last_s is None or last_s - first_s < MIN_WINDOW_S:
        return None
    first_chars = sum(piece.chars for piece in _first_burst(pieces))
    return (len(recording.text) - first_chars) / (last_s - first_s)


def _warn_of_disagreement(figures: dict[RateMethod, _Figure]) -> tuple[str, ...]:
    server, stream = figures["server"].tokens_per_s, figures["stream"].tokens_per_s
    if server is None or stream is None or abs(stream - server) <= RATES_DIFFER * server:
        return ()
    warning = (
        f"the server counts {server:.1f} tokens/s where the stream shows {stream:.1f}: "
        "the way from the server to here is slow or bundles"
    )
    return (warning,)
