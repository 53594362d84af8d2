"""Where the time of an answer went."""

from pytest_llmbench.reports.phases import Phases, split_time
from report_builders import make_generation


def test_a_load_within_the_first_token_is_told_apart_from_the_wait() -> None:
    cold = make_generation(warm=False, load_s=5.0, ttft_s=6.0, thinking_s=1.0, total_s=10.0)
    assert split_time(cold) == Phases(load_s=5.0, wait_s=1.0, thinking_s=1.0, answer_s=3.0)


def test_a_load_before_the_clock_is_no_part_of_the_total() -> None:
    warm = make_generation(warm=True, load_s=5.0, ttft_s=6.0, thinking_s=0.0, total_s=10.0)
    assert split_time(warm) == Phases(load_s=None, wait_s=6.0, thinking_s=0.0, answer_s=4.0)


def test_thinking_that_was_not_seen_is_unknown_and_not_nothing() -> None:
    hidden = make_generation(warm=None, load_s=None, ttft_s=28.0, thinking_s=None, total_s=31.0)
    assert split_time(hidden) == Phases(load_s=None, wait_s=28.0, thinking_s=None, answer_s=3.0)
