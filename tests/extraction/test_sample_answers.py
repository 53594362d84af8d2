"""The sample answers, read for what they hold; and the ways that fail on them."""

from __future__ import annotations

import re

import pytest

from pytest_llmbench.extraction import extract_files
from sample_answers import SAMPLES, Sample


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.style)
@pytest.mark.parametrize("defines", [(), ("fib",)], ids=["any", "fib"])
def test_the_program_of_an_answer(sample: Sample, defines: tuple[str, ...]) -> None:
    extraction = extract_files(sample.answer, "todo.py", defines=defines)
    assert extraction.main == sample.main
    assert (extraction.reason is None) == (sample.main is not None)


def test_the_samples_differ_and_are_many() -> None:
    """The usual regular expression reads fewer than half of them."""
    assert len({sample.answer for sample in SAMPLES}) == len(SAMPLES) >= 60
    usual = re.compile(r"```(?:python)?\n(.*?)```", re.DOTALL)
    found = [usual.search(sample.answer) for sample in SAMPLES]
    right = [match and match[1] == s.main for match, s in zip(found, SAMPLES, strict=True)]
    assert sum(map(bool, right)) < len(SAMPLES) / 2
