"""Server-sent events: however the bytes are cut, the same events come out."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.providers.sse import Event, EventDecoder

LINES = st.sampled_from(
    [
        b"data: one",
        b"data:two",
        b"data:  three",
        b"data",
        b"event: error",
        b": comment",
        b"id: 7",
        b"",
    ]
)
LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def decode(*pieces: bytes) -> list[Event]:
    decoder = EventDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


@given(st.lists(st.tuples(LINES, LINE_ENDS)), st.lists(st.integers(0, 200)))
def test_cuts_make_no_difference(lines: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    whole = b"".join(line + end for line, end in lines)
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[start:end] for start, end in itertools.pairwise(places)]

    assert decode(*pieces) == decode(whole)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), min_size=1))
def test_data_comes_back_as_it_was_sent(texts: list[str]) -> None:
    """Characters that end lines elsewhere, U+2028 among them, are data here."""
    sent = "".join(f"data: {text}\n" for text in texts) + "\n"
    pieces = [bytes([byte]) for byte in sent.encode()]

    assert decode(*pieces) == [Event("\n".join(texts))]


def test_an_event_has_a_name_and_its_data() -> None:
    assert decode(b'event: error\ndata: {"a": 1}\n\ndata: next\n\n') == [
        Event('{"a": 1}', "error"),
        Event("next"),
    ]


def test_comments_ids_and_empty_events_are_no_events() -> None:
    assert decode(b": OPENROUTER PROCESSING\n\nid: 3\nretry: 10\n\nevent: ping\n\n") == []


def test_an_event_is_told_as_soon_as_its_blank_line_begins() -> None:
    """A lone carriage return ends a line at once; its newline may come later or never."""
    decoder = EventDecoder()

    assert decoder.feed(b"data: a\r\n\r") == [Event("a")]
    assert decoder.feed(b"\ndata: b\r\n\r\n") == [Event("b")]


def test_what_the_end_of_the_stream_cuts_off_is_dropped() -> None:
    assert decode(b"data: whole\n\ndata: cut") == [Event("whole")]


def test_a_byte_order_mark_is_skipped_even_when_cut() -> None:
    assert decode(b"\xef\xbb", b"\xbfdata: a\n\n") == [Event("a")]
