"""Reasoning is left out before anything is looked for (rules R2 to R6)."""

from __future__ import annotations

import pytest

from pytest_llmbench.extraction import extract_files

CODE = "def add(a, b):\n    return a + b\n"
DRAFT = "def add(a, b):\n    return a - b\n"


def fenced(code: str, tag: str = "python") -> str:
    return f"```{tag}\n{code}```\n"


@pytest.mark.parametrize(
    ("opener", "closer"),
    [
        ("<think>", "</think>"),
        ("<Think>", "</think>"),
        ("<thinking>", "</thinking>"),
        ("<thought>", "</thought>"),
        ('<reasoning effort="high">', "</reasoning>"),
        ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ],
)
def test_r2_a_reasoning_section_at_the_start_is_dropped(opener: str, closer: str) -> None:
    """Its drafts are no candidates, however they look."""
    answer = f"{opener}\nFirst try:\n{fenced(DRAFT)}No.\n{closer}\n\n{fenced(CODE)}"
    assert extract_files(answer).files == {"solution.py": CODE}


def test_r2_a_section_may_follow_a_templates_opening() -> None:
    answer = f"<|im_start|>assistant\n<think>\n{fenced(DRAFT)}</think>\n{fenced(CODE)}"
    assert extract_files(answer).main == CODE


def test_r2_several_sections_are_dropped() -> None:
    answer = f"<think>a</think>\n<think>\n{fenced(DRAFT)}</think>\n{fenced(CODE)}"
    assert extract_files(answer).main == CODE


def test_r2_code_may_follow_on_the_tags_own_line() -> None:
    assert extract_files(f"<think>Easy.</think>{fenced(CODE)}").main == CODE


def test_r2_a_section_in_the_middle_is_dropped_and_the_rest_stays() -> None:
    answer = f"Sure.\n<think>\n{fenced(DRAFT)}</think>\n{fenced(CODE)}"
    assert extract_files(answer).main == CODE


@pytest.mark.parametrize("tag", ["\n</think>\n", "</think>", "</think>\n\n"])
def test_r3_a_close_tag_without_an_opener_drops_what_stands_before_it(tag: str) -> None:
    """The chat template ate the opener."""
    answer = f"Okay, let me see.\n{fenced(DRAFT)}That is wrong.{tag}{fenced(CODE)}"
    assert extract_files(answer).main == CODE


def test_r3_a_stray_close_tag_at_the_very_end_drops_nothing() -> None:
    answer = f"<think>Hm.</think>\n{fenced(CODE)}</think>\n"
    assert extract_files(answer).main == CODE


def test_r4_reasoning_that_never_ends_holds_no_code() -> None:
    extraction = extract_files(
        f"<think>\nMaybe so:\n{fenced(DRAFT)}Wait, that", stop_reason="length"
    )
    assert extraction.files == {}
    assert extraction.main is None
    assert extraction.reason == "cut in reasoning"
    assert extraction.truncated is True


def test_r4_without_a_stop_reason_the_cut_is_only_suspected() -> None:
    assert extract_files("<think>\nI begin with").truncated == "suspected"


@pytest.mark.parametrize(
    "code",
    [
        'def tail(text):\n    return text.split("</think>")[-1]\n',
        "def tail(text):\n    return text.split('</think>')[-1]\n",
        'MARK = """\n</think>\n"""\n\ndef tail(text):\n    return text.partition(MARK)[2]\n',
        'def tag(text):\n    return f"<think>{text}</think>"\n',
    ],
)
def test_r5_tags_in_fences_and_strings_are_text(code: str) -> None:
    assert extract_files(fenced(code)).main == code
    assert extract_files(f"<think>\nOkay.\n</think>\n{fenced(code)}").main == code


def test_r5_tags_in_strings_of_unfenced_code_are_text() -> None:
    code = 'def tail(text):\n    return text.split("</think>")[-1]\n'
    assert extract_files(code).main == code


@pytest.mark.parametrize(
    "mention",
    [
        "It drops all up to `</think>`.",
        'It looks for "</think>" in the text.',
        "It splits at </think> and takes the rest.",
    ],
)
def test_r5_a_tag_that_prose_speaks_of_ends_nothing(mention: str) -> None:
    assert extract_files(f"{fenced(CODE)}{mention}\n").main == CODE


def test_r5_a_tag_in_a_closed_block_of_the_reasoning_does_not_end_it() -> None:
    answer = (
        f"<think>\nThe input:\n```\n</think>\n```\nand\n{fenced(DRAFT)}</think>\n{fenced(CODE)}"
    )
    assert extract_files(answer).main == CODE


@pytest.mark.parametrize("opener", ["<think>\n", ""])
@pytest.mark.parametrize("tag", ["python", ""])
def test_r6_an_unclosed_fence_in_the_reasoning_does_not_swallow_the_answer(
    opener: str, tag: str
) -> None:
    answer = f"{opener}Draft:\n```python\n{DRAFT}</think>\nHere:\n{fenced(CODE, tag)}Done.\n"
    assert extract_files(answer).main == CODE


@pytest.mark.parametrize("opener", ["<think>hmm\n", ""])
def test_r6_a_close_tag_may_stand_behind_the_fence_that_closes_a_draft(opener: str) -> None:
    answer = f"{opener}```python\n{DRAFT}```</think>\n{fenced(CODE)}"
    assert extract_files(answer).files == {"solution.py": CODE}


def test_r5_a_close_tag_behind_a_fence_in_a_docstring_is_text() -> None:
    code = f'def tail(text):\n    """Cut at:\n\n```</think>\n"""\n\n\n{CODE}'
    assert extract_files(fenced(code)).main == code


@pytest.mark.parametrize("opening", ["<think>Hm.</think>\n", ""])
def test_r3_a_stray_close_tag_behind_the_last_fence_drops_nothing(opening: str) -> None:
    assert extract_files(f"{opening}```python\n{CODE}```</think>\n").main == CODE


def test_r6_holds_for_an_answer_without_fences() -> None:
    assert extract_files(f"<think>\n```python\n{DRAFT}\n</think>\n{CODE}").main == CODE
