"""Checks become points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.results import CategoryScore, Check
from pytest_llmbench.scoring import (
    score_categories,
    share_of_score,
    tell_failed_checks,
    total_score,
)


def checks(**passed: str) -> list[Check]:
    """`syntax="+-"` is one check that passed and one that failed."""
    return [
        Check(category, f"{category} {number}", mark == "+", None if mark == "+" else "no", 0.0)
        for category, marks in passed.items()
        for number, mark in enumerate(marks, 1)
    ]


def test_a_category_earns_its_points_by_the_share_that_passed() -> None:
    scores = score_categories({"syntax": 20, "features": 40}, checks(syntax="+", features="++-+"))
    assert scores == {
        "syntax": CategoryScore(1, 1, 20.0, 20),
        "features": CategoryScore(3, 4, 30.0, 40),
    }
    assert total_score(scores) == 50.0


def test_a_category_that_ran_no_check_earns_nothing_and_is_not_forgotten() -> None:
    scores = score_categories({"syntax": 20, "functional": 80}, checks(syntax="+"))
    assert scores["functional"] == CategoryScore(0, 0, 0.0, 80)
    assert total_score(scores) == 20.0


def test_without_points_all_checks_share_the_full_score() -> None:
    scores = score_categories({}, checks(a="+-", b="+"))
    assert [round(scores[name].points, 2) for name in "ab"] == [66.67, 33.33]
    assert total_score(scores) == pytest.approx(66.666667)


def test_one_function_of_several_is_judged_by_what_it_checked() -> None:
    points = {"syntax": 20.0, "functional": 80.0}
    assert share_of_score(points, checks(syntax="+")) == 100.0
    assert share_of_score(points, checks(functional="+-")) == 50.0


def test_the_failure_text_lists_each_failed_check_with_its_message() -> None:
    failed = [
        Check("syntax", "parses", True, None, 0.0),  # noqa: FBT003  # a record
        Check("functional", "add", False, "no such table\nassert 1 == 0", 0.0),  # noqa: FBT003
    ]
    points = {"syntax": 20.0, "functional": 60.0, "style": 20.0}
    assert tell_failed_checks(60.0, 100.0, points, failed) == (
        "score 60 of 100, below 100: 1 of 2 checks failed\n"
        "  functional: add: no such table\n"
        "      assert 1 == 0\n"
        "  style: no check ran"
    )


def test_the_failure_text_of_a_category_without_checks_counts_no_failed_check() -> None:
    passed = checks(syntax="+")
    points = {"syntax": 20.0, "functional": 60.0, "style": 20.0}
    assert tell_failed_checks(20.0, 100.0, points, passed) == (
        "score 20 of 100, below 100: 2 categories ran no check\n"
        "  functional: no check ran\n"
        "  style: no check ran"
    )


@given(st.dictionaries(st.sampled_from("abc"), st.text("+-", max_size=9), min_size=1))
def test_thirds_add_up_and_nothing_leaves_the_scale(marks: dict[str, str]) -> None:
    points = dict.fromkeys(marks, 100 / len(marks))
    score = total_score(score_categories(points, checks(**marks)))
    assert 0 <= score <= 100
    assert (score == 100) == all(set(each) == {"+"} for each in marks.values())
