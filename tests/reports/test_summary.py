"""What a run rolls up to."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmbench.reports.run import ModelRecord
from pytest_llmbench.reports.standings import Standing, Tally
from pytest_llmbench.reports.summary import summarize
from pytest_llmbench.reports.tables import glance_table
from pytest_llmbench.results import Result
from report_builders import make_checks, make_generation, make_result, make_run, make_unscored


def stand(*results: Result, **changes: Any) -> Standing:
    return summarize(make_run(*results, **changes)).scoreboard[0]


def test_each_task_weighs_the_same_however_many_samples_it_has() -> None:
    half = make_checks({"features": [("no", None)] * 10, "syntax": [("no", None)]})
    standing = stand(
        make_result(task="todo", checks=half),
        make_result(task="todo", checks=half, sample=1),
        make_result(task="todo", checks=half, sample=2),
        make_result(task="other"),
    )
    assert standing.score == 70.0


def test_unscored_results_are_counted_and_are_in_no_mean() -> None:
    standing = stand(make_result(), make_unscored(sample=1))
    assert (standing.score, standing.scored, standing.unscored) == (100.0, 1, 1)


def test_a_model_without_a_scored_result_has_no_score_and_no_times() -> None:
    standing = stand(make_unscored())
    assert (standing.score, standing.total_s, standing.syntax_valid) == (None, None, None)
    assert standing.pass_at == {}


def test_times_tokens_and_rates_are_medians_of_what_is_known() -> None:
    standing = stand(
        make_result(generation=make_generation(total_s=1.0, output_tokens=10)),
        make_result(generation=make_generation(total_s=9.0, output_tokens=None), sample=1),
        make_result(generation=make_generation(total_s=3.0, output_tokens=20), sample=2),
    )
    assert standing.total_s == 3.0
    assert standing.total_times is not None
    assert (standing.total_times.min_s, standing.total_times.max_s) == (1.0, 9.0)
    assert standing.output_tokens == 15


def test_rates_measured_in_different_ways_are_marked_mixed() -> None:
    standing = stand(
        make_result(generation=make_generation(tokens_per_s_method="server")),
        make_result(generation=make_generation(tokens_per_s_method="e2e"), sample=1),
    )
    assert standing.tokens_per_s_method == "mixed"


@pytest.mark.parametrize(
    ("passes", "pass_at", "pass_all"),
    [
        ([True], {1: 1.0}, {1: 1.0}),
        ([True, False], {1: 0.5, 2: 1.0}, {1: 0.5, 2: 0.0}),
        ([True, True, False], {1: 2 / 3, 2: 1.0, 3: 1.0}, {1: 2 / 3, 2: 1 / 3, 3: 0.0}),
    ],
)
def test_pass_at_k_is_the_unbiased_estimate(
    passes: list[bool], pass_at: dict[int, float], pass_all: dict[int, float]
) -> None:
    failed = make_checks({"functional": [("no", None)]})
    standing = stand(
        *(
            make_result(sample=sample, checks=make_checks() if passed else failed)
            for sample, passed in enumerate(passes)
        )
    )
    assert standing.pass_at == pytest.approx(pass_at)
    assert standing.pass_all == pytest.approx(pass_all)


def test_passing_means_reaching_the_threshold() -> None:
    almost = make_checks({"functional": [("no", None)]})
    assert stand(make_result(checks=almost), fail_under=90.0).pass_at == {1: 1.0}
    assert stand(make_result(checks=almost), fail_under=100.0).pass_at == {1: 0.0}


def test_the_best_stands_first_and_the_faster_of_two_equals_before_the_slower() -> None:
    bad = make_checks({"syntax": [("no", None)]})
    summary = summarize(
        make_run(
            make_unscored("absent"),
            make_result("bad", checks=bad),
            make_result("slow", generation=make_generation(total_s=20.0)),
            make_result("fast", generation=make_generation(total_s=10.0)),
        )
    )
    assert [each.model for each in summary.scoreboard] == ["fast", "slow", "bad", "absent"]


def test_a_model_that_was_asked_for_and_never_ran_is_not_forgotten() -> None:
    run = make_run(make_result("devstral"), make_unscored("sonnet"))
    run = type(run)(run.environment, run.models, run.tasks, run.results[:1])
    standings = summarize(run).scoreboard
    assert [(each.model, each.scored, each.unscored) for each in standings] == [
        ("devstral", 1, 0),
        ("sonnet", 0, 0),
    ]


def test_checks_are_counted_by_category_and_syntax_must_hold_everywhere() -> None:
    broken = make_checks({"syntax": [("no", None)], "features": [("no", None)] * 4})
    standing = stand(make_result(), make_result(sample=1, checks=broken))
    assert standing.categories["features"] == Tally(passed=16, total=20)
    assert standing.syntax_valid is False


def test_the_same_score_added_up_in_another_order_is_no_difference() -> None:
    ours = make_result("a", score=73.33333333333333)
    theirs = make_result("b", score=73.33333333333334)
    (comparison,) = summarize(make_run(ours, theirs)).comparisons
    assert (comparison.difference, comparison.different) == (0.0, False)


def test_each_task_weighs_the_same_however_many_prompts_it_has() -> None:
    """In the score, in the pass rate and in the comparison alike."""
    run = make_run(
        *(make_result("x", task="many", prompt=name, score=100.0) for name in "abc"),
        *(make_result("y", task="many", prompt=name, score=0.0) for name in "abc"),
        make_result("x", task="one", score=0.0),
        make_result("y", task="one", score=100.0),
    )
    summary = summarize(run)
    assert [(each.score, each.pass_at) for each in summary.scoreboard] == [(50.0, {1: 0.5})] * 2
    (comparison,) = summary.comparisons
    assert (comparison.difference, comparison.pairs) == (0.0, 4)


def test_all_pairs_of_a_few_models_and_some_pairs_of_many() -> None:
    def count(models: int) -> int:
        results = [make_result(f"model-{number}") for number in range(models)]
        return len(summarize(make_run(*results)).comparisons)

    assert (count(1), count(12), count(13)) == (0, 66, 12 + 11)


def test_the_whole_cost_tells_how_many_paid_answers_it_is_without() -> None:
    """A server at home is paid by nobody; what a cloud charged may not be known."""
    run = make_run(
        make_result("home"),
        make_result("cloud", generation=make_generation(cost_usd=0.25)),
        make_result("cloud", generation=make_generation(cost_usd=0.5), sample=1),
        make_result("cloud", sample=2),
        make_unscored("cloud", sample=3),
        models={
            "home": ModelRecord(spec="ollama/home", provider="ollama", kind="local"),
            "cloud": ModelRecord(spec="x/cloud", provider="x", kind="cloud"),
        },
    )
    summary = summarize(run)
    assert (summary.totals.cost_usd, summary.totals.uncosted) == (0.75, 1)
    shown = {row[0].text: row[1].text for row in glance_table(summary).rows}
    assert shown["Cost"] == "$0.7500, and 1 of unknown cost"
