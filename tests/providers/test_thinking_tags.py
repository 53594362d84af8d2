"""Thoughts inside the text: told apart at its start, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.generation.chunks import ThinkingStart, ThinkingText, VisibleText
from pytest_llmbench.providers.thinking_tags import Part, ThinkingTags

BITS = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "</", "think>", "a", "b c", " ", "\n", ">", "é"])
)


def split(*pieces: str) -> list[Part]:
    tags = ThinkingTags()
    return [part for piece in pieces for part in tags.feed(piece)] + tags.finish()


def channels(parts: list[Part]) -> tuple[int, str, str]:
    """How often thinking began, all thoughts, all that is visible."""
    return (
        sum(isinstance(part, ThinkingStart) for part in parts),
        "".join(part.text for part in parts if isinstance(part, ThinkingText)),
        "".join(part.text for part in parts if isinstance(part, VisibleText)),
    )


@given(BITS)
def test_cuts_make_no_difference(bits: list[str]) -> None:
    whole = "".join(bits)

    assert channels(split(*bits)) == channels(split(*whole)) == channels(split(whole))


@given(BITS)
def test_nothing_is_lost_or_empty(bits: list[str]) -> None:
    parts = split(*bits)
    _, thoughts, visible = channels(parts)

    assert all(part.text for part in parts if not isinstance(part, ThinkingStart))
    kept = (thoughts + visible).replace("<think>", "").replace("</think>", "")
    sent = "".join(bits).replace("<think>", "").replace("</think>", "")
    assert "".join(kept.split()) == "".join(sent.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>hm</think>\n\ndone", (1, "hm", "done")),
        ("\n <think>\nhm\n</think>\n\n  indented", (1, "\nhm\n", "  indented")),
        ("<think></think>done", (1, "", "done")),
        ("<think>never closed </thi", (1, "never closed </thi", "")),
        ("<think>a <b> c</think>x", (1, "a <b> c", "x")),
        ("write `<think>` first", (0, "", "write `<think>` first")),
        ("  plain", (0, "", "  plain")),
        ("<thinker>", (0, "", "<thinker>")),
        ("<thi", (0, "", "<thi")),
        ("a</think>b", (0, "", "a</think>b")),
    ],
)
def test_only_a_block_at_the_start_counts(text: str, expected: tuple[int, str, str]) -> None:
    assert channels(split(text)) == expected


def test_thinking_starts_with_the_tag_itself() -> None:
    """The tag is a generated token: time to first token ends there."""
    tags = ThinkingTags()

    assert tags.feed("<thi") == []
    assert tags.feed("nk>") == [ThinkingStart()]
    assert tags.feed("hm</") == [ThinkingText("hm")]
    assert tags.feed("p>") == [ThinkingText("</p>")]
    assert tags.found
