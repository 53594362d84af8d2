"""How exact the rates are, through the real SDKs: tokens per second against what was sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from measured import Bench, Heard, open_bench, wait_idly
from pytest_llmbench.generation.measures import measure_rate
from streams import DIALECTS, Play, steady

TOKENS = 150
PER_S = 100.0
WITHIN = 0.02

MOMENTS_S = steady(TOKENS, PER_S, first_s=0.1)
PLAYS = {
    "plain": Play(MOMENTS_S),
    "thinking": Play(MOMENTS_S, thinking=100, thoughts="shown"),
    "omitted thinking": Play(MOMENTS_S, thinking=50, thoughts="omitted"),
    "bundled": Play(MOMENTS_S, bundled=5),
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Servers that give each play in turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", "none")
        with open_bench(list(PLAYS.values())) as opened:
            yield opened


def test_tokens_per_second_are_within_two_percent(bench: Bench) -> None:
    """Of the rate at which the server really sent them, whatever came of its schedule."""
    found = {}
    for name, heard in bench.hear_all(DIALECTS, wait_idly).items():
        for kind, each in zip(PLAYS, heard, strict=True):
            rate, _ = measure_rate(each.recording)
            assert rate.tokens_per_s is not None, (name, kind, rate.reason)
            found[name, kind] = (rate.tokens_per_s / _true_rate(each), rate.method)
    off = {key: value for key, value in found.items() if abs(value[0] - 1) > WITHIN}
    assert not off


def _true_rate(heard: Heard) -> float:
    """Tokens per second from the first event that the server sent to the last."""
    seconds = heard.sent_s[-1] - heard.sent_s[0]
    return round(seconds * PER_S) / seconds
