"""Cutting the middle out of long texts."""

from pytest_llmbench.long_texts import cut_middle


def test_a_text_that_is_short_enough_stays_as_it_is() -> None:
    assert cut_middle("x" * 10, 10) == "x" * 10


def test_of_a_long_text_both_ends_stay_and_what_is_gone_is_counted() -> None:
    text = "begin" + "." * 2_000 + "end!!"
    assert cut_middle(text, 10) == "begin\n… 2,000 characters left out …\nend!!"
