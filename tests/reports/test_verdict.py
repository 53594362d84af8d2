"""The verdict says what the numbers say, and when they don't."""

from __future__ import annotations

from pytest_llmbench.providers.protocol import Kind
from pytest_llmbench.reports.run import ModelRecord
from pytest_llmbench.reports.summary import Summary, summarize
from pytest_llmbench.reports.verdict import Front
from pytest_llmbench.results import Result
from report_builders import make_checks, make_generation, make_result, make_run, make_unscored

MENU = make_checks({"functional": [("no", None)] * 7})


def summarize_kinds(*results: Result, **kinds: Kind) -> Summary:
    models = {label: ModelRecord(f"x/{label}", "x", kind) for label, kind in kinds.items()}
    return summarize(make_run(*results, models=models))


def timed(model: str, total_s: float, **changes: object) -> Result:
    cost_usd = changes.pop("cost_usd", None)
    replayed = changes.pop("replayed", False)
    truncated = changes.pop("truncated", False)
    generation = make_generation(
        total_s=total_s, cost_usd=cost_usd, replayed=replayed, truncated=truncated
    )
    return make_result(model, generation=generation, **changes)


def test_a_local_model_as_good_as_the_cloud() -> None:
    summary = summarize_kinds(
        timed("devstral", 7.0),
        timed("sonnet", 10.0, cost_usd=0.0112),
        devstral="local",
        sonnet="cloud",
    )
    assert summary.verdict == (
        "devstral and sonnet both scored 100 of 100.",
        "devstral and sonnet: 0 points, but one answer each can't tell.",
        "devstral (local) beside sonnet (cloud): as correct here (100), "
        "0.7 × its time (7.00 s and 10.00 s), nothing paid, where sonnet costs $0.0112 an answer.",
        "Taking score, time and cost together, nothing beats devstral.",
    )


def test_a_difference_that_may_be_chance_is_said_to_be() -> None:
    summary = summarize_kinds(
        timed("devstral", 7.0, checks=MENU),
        timed("sonnet", 10.0),
        devstral="local",
        sonnet="cloud",
    )
    assert summary.verdict[2] == (
        "devstral (local) beside sonnet (cloud): 40 points fewer (60, 100), which may be chance, "
        "0.7 × its time (7.00 s and 10.00 s)."
    )


def test_a_difference_beyond_chance_is_told_with_its_interval() -> None:
    bad = [timed("devstral", 7.0, checks=MENU, sample=sample) for sample in range(12)]
    good = [timed("sonnet", 10.0, sample=sample) for sample in range(12)]
    summary = summarize_kinds(*bad, *good, devstral="local", sonnet="cloud")
    assert summary.verdict[0] == "sonnet scored best: 100 of 100."
    assert summary.verdict[1].startswith("sonnet scores 40 points more than devstral (95%: ")
    assert "40 points fewer (60, 100), 0.7 × its time" in summary.verdict[2]
    assert summary.comparisons[0].different is True


def test_replayed_times_are_not_set_beside_fresh_ones() -> None:
    summary = summarize_kinds(
        timed("devstral", 7.0, replayed=True),
        timed("sonnet", 10.0),
        devstral="local",
        sonnet="cloud",
    )
    assert "times that do not compare" in summary.verdict[2]
    assert summary.front == Front(("devstral", "sonnet"), ("score",))


def test_an_answer_that_was_cut_off_is_never_the_fast_one() -> None:
    summary = summarize_kinds(
        timed("cut", 1.0, truncated=True, checks=MENU),
        timed("whole", 10.0, checks=MENU),
        cut="local",
        whole="local",
    )
    assert summary.front == Front(("whole",), ("score", "time"))


def test_a_dearer_and_slower_model_stays_on_the_front_when_it_is_better() -> None:
    summary = summarize_kinds(
        timed("small", 2.0, checks=MENU),
        timed("large", 20.0, cost_usd=0.5),
        timed("lame", 30.0, cost_usd=0.6, checks=MENU),
        small="local",
        large="cloud",
        lame="cloud",
    )
    assert summary.front == Front(("large", "small"), ("score", "time", "cost"))


def test_unknown_prices_leave_cost_out() -> None:
    summary = summarize_kinds(timed("a", 2.0, cost_usd=0.1), timed("b", 1.0), a="cloud", b="cloud")
    assert summary.front.measures == ("score", "time")


def test_one_model_is_compared_with_nothing() -> None:
    assert summarize_kinds(timed("a", 2.0), a="cloud").verdict == ("a scored 100 of 100.",)


def test_nothing_scored_is_nothing_to_say() -> None:
    assert summarize(make_run(make_unscored())).verdict == (
        "Can't tell yet: no answer could be scored.",
    )
