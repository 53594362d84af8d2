"""Rates: which method is taken, and which figure is never printed."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.generation.measures import build_generation, measure_rate
from pytest_llmbench.generation.recording import Piece, Recording
from pytest_llmbench.generation.result import Timing, Usage

CODE = "print('a line of code')\n"


def stream(
    *, thinking: int, visible: int, per_s: float, ttft_s: float, bundle: int = 1
) -> Recording:
    """A stream of tokens of four characters, each channel at a steady rate."""
    tokens = ["thinking"] * thinking + ["text"] * visible
    pieces = []
    for start in range(0, len(tokens), bundle):
        last = min(start + bundle, len(tokens)) - 1
        channel = tokens[last]
        pieces.append(
            Piece(ttft_s + last / per_s, channel, 4 * (last + 1 - start))  # type: ignore[arg-type]  # one of the two above
        )
    first_text = next(piece.at_s for piece in pieces if piece.channel == "text")
    return Recording(
        text="abcd" * visible,
        thinking="abcd" * thinking,
        stop_reason="end",
        usage=Usage(output_tokens=thinking + visible, thinking_tokens=thinking),
        timing=Timing(ttft_s=pieces[0].at_s, ttfo_s=first_text, total_s=pieces[-1].at_s),
        pieces=tuple(pieces),
    )


def hide_thinking(recording: Recording) -> Recording:
    """The same stream from a provider that shows no thoughts and no sign of them."""
    return dataclasses.replace(
        recording,
        thinking="",
        pieces=tuple(piece for piece in recording.pieces if piece.channel == "text"),
        timing=dataclasses.replace(recording.timing, ttft_s=recording.timing.ttfo_s),
    )


@pytest.mark.parametrize("bundle", [1, 4, 13])
@pytest.mark.parametrize("thinking", [0, 200])
def test_a_steady_stream_is_measured_within_two_percent(thinking: int, bundle: int) -> None:
    recording = stream(thinking=thinking, visible=300, per_s=80, ttft_s=0.5, bundle=bundle)
    rate, warnings = measure_rate(recording)
    assert rate.method == "stream"
    assert rate.tokens_per_s == pytest.approx(80, rel=0.02)
    assert (rate.reason, warnings) == (None, ())


def test_hidden_thinking_leaves_the_visible_tokens_over_the_visible_window() -> None:
    recording = hide_thinking(stream(thinking=3000, visible=300, per_s=100, ttft_s=0.5))
    rate, _ = measure_rate(recording)
    assert rate.method == "visible"
    assert rate.tokens_per_s == pytest.approx(100, rel=0.02)
    assert rate.reason == "3,000 thinking tokens came before anything was seen"


def test_a_start_signal_alone_opens_the_window_for_hidden_thinking() -> None:
    recording = hide_thinking(stream(thinking=100, visible=10, per_s=100, ttft_s=0.5))
    signalled = dataclasses.replace(
        recording,
        pieces=(Piece(0.5, "start", 0), *recording.pieces),
        timing=dataclasses.replace(recording.timing, ttft_s=0.5),
    )
    rate, _ = measure_rate(signalled)
    assert rate.method == "stream"
    assert rate.tokens_per_s == pytest.approx(100, rel=0.02)


def test_a_late_sign_of_thinking_does_not_open_the_window() -> None:
    recording = hide_thinking(stream(thinking=3000, visible=300, per_s=100, ttft_s=0.5))
    late_s = (recording.timing.ttfo_s or 0) - 0.1
    signalled = dataclasses.replace(
        recording,
        pieces=(Piece(late_s, "start", 0), *recording.pieces),
        timing=dataclasses.replace(recording.timing, ttft_s=late_s),
    )
    rate, _ = measure_rate(signalled)
    assert rate.method == "visible"
    assert rate.reason == "thinking began before its first sign was seen"


@pytest.mark.parametrize("thinking_tokens", [None, 3737])
@pytest.mark.parametrize("length", [10, 1_400, 4_000, 16_000])
def test_the_published_row_never_prints_its_1510(length: int, thinking_tokens: int | None) -> None:
    """4,096 tokens, first visible one at 28.20 s, last at 30.91 s, whatever else is known."""
    recording = Recording(
        text=(CODE * 1000)[:length],
        stop_reason="length",
        usage=Usage(output_tokens=4096, thinking_tokens=thinking_tokens),
        timing=Timing(ttft_s=28.20, ttfo_s=28.20, total_s=30.91),
    )
    rate, _ = measure_rate(recording)
    assert rate.e2e_tokens_per_s == pytest.approx(132.5, abs=0.05)
    assert rate.tokens_per_s is not None
    assert rate.tokens_per_s < 140
    assert rate.method == ("e2e" if thinking_tokens is None else "visible")


def test_the_other_published_rows_keep_their_rates() -> None:
    for tokens, ttft_s, total_s, published in (
        (1461, 0.87, 14.89, 104.2),
        (1324, 1.23, 19.06, 74.3),
        (620, 15.81, 22.11, 98.5),
        (723, 2.24, 10.26, 90.1),
    ):
        recording = Recording(
            text=CODE * (tokens // 6),
            usage=Usage(output_tokens=tokens),
            timing=Timing(ttft_s=ttft_s, ttfo_s=ttft_s, total_s=total_s),
        )
        rate, _ = measure_rate(recording)
        assert rate.method == "stream"
        assert rate.tokens_per_s == pytest.approx(published, abs=0.3)


def test_the_servers_own_figure_is_preferred_and_a_bundling_way_is_told() -> None:
    recording = stream(thinking=0, visible=300, per_s=80, ttft_s=0.5)
    timed = dataclasses.replace(
        recording, timing=dataclasses.replace(recording.timing, decode_tokens=300, decode_s=2.0)
    )
    rate, warnings = measure_rate(timed)
    assert (rate.tokens_per_s, rate.method) == (150.0, "server")
    warning = (
        "the server counts 150.0 tokens/s where the stream shows 80.0: "
        "the way from the server to here is slow or bundles"
    )
    assert warnings == (warning,)


@pytest.mark.parametrize(
    ("usage", "timing", "pieces", "method", "reason"),
    [
        (Usage(), Timing(0.1, 0.1, 2.0), 50, None, "nobody counted the tokens"),
        (Usage(output_tokens=1), Timing(0.1, 0.1, 2.0), 50, None, "fewer than two tokens"),
        (Usage(output_tokens=90), Timing(), 0, None, "the time was not taken"),
        (Usage(output_tokens=9), Timing(0.01, 0.01, 0.02), 9, None, "all came within 50 ms"),
        (Usage(output_tokens=90), Timing(1.98, 1.98, 2.0), 9, "e2e", "all came within 50 ms"),
        (Usage(output_tokens=90), Timing(0.1, 0.1, 2.0), 4, "e2e", "only 4 pieces came"),
    ],
)
def test_a_figure_that_cannot_be_defended_is_none_with_its_reason(
    usage: Usage, timing: Timing, pieces: int, method: str | None, reason: str
) -> None:
    recording = Recording(
        text="x" * 400,
        usage=usage,
        timing=timing,
        pieces=tuple(Piece(0.1 + 0.01 * n, "text", 8) for n in range(pieces)),
    )
    rate, _ = measure_rate(recording)
    assert (rate.method, rate.reason) == (method, reason)
    assert (rate.tokens_per_s is None) == (method is None)


def test_characters_per_second_need_no_token_count() -> None:
    recording = stream(thinking=0, visible=101, per_s=50, ttft_s=1.0)
    rate, _ = measure_rate(dataclasses.replace(recording, usage=Usage()))
    assert rate.chars_per_s == pytest.approx(200)
    assert rate.tokens_per_s is None


@given(
    channels=st.tuples(st.integers(0, 400), st.integers(1, 400)),
    per_s=st.floats(1, 500),
    wait_s=st.floats(0, 60),
    bundle=st.integers(1, 40),
    knowledge=st.sampled_from(["all", "no thinking count", "no thinking shown"]),
)
def test_no_stream_is_ever_faster_than_it_was(
    channels: tuple[int, int], per_s: float, wait_s: float, bundle: int, knowledge: str
) -> None:
    """Whatever is hidden, bundled or uncounted, a rate never passes the truth by a third."""
    thinking, visible = channels
    recording = stream(
        thinking=thinking, visible=visible, per_s=per_s, ttft_s=wait_s + 1 / per_s, bundle=bundle
    )
    if knowledge == "no thinking shown":
        recording = hide_thinking(recording)
    if knowledge == "no thinking count":
        usage = dataclasses.replace(recording.usage, thinking_tokens=None)
        recording = dataclasses.replace(recording, usage=usage)
    rate, _ = measure_rate(recording)
    if rate.tokens_per_s is not None:
        assert rate.tokens_per_s <= per_s * 1.34


def test_the_time_spent_thinking_is_unknown_where_its_start_was_not_seen() -> None:
    """Shown thinking is timed, none is 0, and what was hidden is not called 0."""
    shown = stream(thinking=100, visible=50, per_s=50, ttft_s=1.0)
    plain = stream(thinking=0, visible=50, per_s=50, ttft_s=1.0)
    seconds = [
        build_generation("m", recording, max_tokens=99, replayed=False).thinking_s
        for recording in (shown, plain, hide_thinking(shown))
    ]
    assert seconds == [pytest.approx(2.0), 0.0, None]


def test_pieces_that_came_in_one_go_open_the_window_together() -> None:
    """A bundle of five events is read within a blink: none of them came after the first."""
    pieces = tuple(
        Piece(0.5 + 0.05 * (number // 5) + 0.0002 * (number % 5), "text", 4)
        for number in range(100)
    )
    recording = Recording(
        text="word" * 100,
        usage=Usage(output_tokens=100),
        timing=Timing(ttft_s=0.5, ttfo_s=0.5, total_s=pieces[-1].at_s),
        pieces=pieces,
    )
    rate, _ = measure_rate(recording)
    assert rate.method == "stream"
    assert rate.tokens_per_s == pytest.approx(95 / 0.9508)
    assert rate.chars_per_s == pytest.approx(4 * 95 / 0.9508)
