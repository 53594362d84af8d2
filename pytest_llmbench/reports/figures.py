"""How figures are written, the same in every report that a person reads."""

from __future__ import annotations

UNKNOWN = "–"
_NOISE = 1e-9
_LEAST_SHOWN_USD = 0.0001


def show_score(score: float | None) -> str:
    """Points: whole, or with one decimal."""
    if score is None:
        return UNKNOWN
    if abs(score - round(score)) < _NOISE:
        return str(round(score))
    return f"{score:.1f}"


def show_seconds(seconds: float | None) -> str:
    """Seconds with two decimals."""
    return UNKNOWN if seconds is None else f"{seconds:,.2f} s"


def show_count(count: float | None) -> str:
    """A count of tokens; a median between two counts shows its half."""
    if count is None:
        return UNKNOWN
    return f"{count:,.0f}" if count == int(count) else f"{count:,.1f}"


def show_rate(rate: float | None) -> str:
    """Tokens per second, with one decimal."""
    return UNKNOWN if rate is None else f"{rate:,.1f}"


def show_cost(usd: float | None) -> str:
    """US dollars; never a false zero."""
    if usd is None:
        return UNKNOWN
    if 0 < usd < _LEAST_SHOWN_USD:
        return f"<${_LEAST_SHOWN_USD}"
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"


def show_interval(interval: tuple[float, float] | None) -> str:
    """A 95% interval on the scale of the score."""
    if interval is None:
        return UNKNOWN
    low, high = interval
    return f"{show_score(low)} to {show_score(high)}"


def show_share(share: float | None) -> str:
    """A probability with two decimals."""
    return UNKNOWN if share is None else f"{share:.2f}"
