"""Comparing two models: the rate of false alarms, the power, and what the interval says."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Sequence

import pytest

from pytest_llmbench.statistics.comparison import ScoreComparison, compare_scores

Scores = list[list[float]]


@pytest.mark.parametrize(
    ("tasks", "samples", "chance"),
    [(1, 5, 0.5), (1, 5, 0.9), (2, 2, 0.5), (2, 3, 0.7)],
)
def test_equal_models_are_called_different_at_most_5_percent_of_the_time(
    tasks: int, samples: int, chance: float
) -> None:
    """The exact rate for scores of 0 and 100, over all outcomes of both models."""
    false_alarms = 0.0
    counts = list(itertools.product(range(samples + 1), repeat=tasks))
    for a, b in itertools.product(counts, repeat=2):
        if compare(passes(a, samples), passes(b, samples)).different:
            false_alarms += math.prod(
                math.comb(samples, count) * chance**count * (1 - chance) ** (samples - count)
                for count in (*a, *b)
            )
    assert false_alarms <= 0.05


@pytest.mark.parametrize(("tasks", "alarms"), [(5, 0), (6, 2)])
def test_equal_models_with_fine_scores_are_called_different_at_most_5_percent_of_the_time(
    tasks: int, alarms: int
) -> None:
    """One sample a task, no ties: by symmetry the exact rate is that over all signs."""
    sizes = [3.0, 5.0, 11.0, 17.0, 29.0, 35.0][:tasks]
    found = [
        compare([[50.0 + s * size] for s, size in zip(signs, sizes, strict=True)], [[50.0]] * tasks)
        for signs in itertools.product((1, -1), repeat=tasks)
    ]
    assert sum(each.different for each in found) == alarms <= 0.05 * len(found)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, _: 100.0 if rng.random() < 0.9 else rng.random() * 100.0,
        lambda rng, task: min(100.0, max(0.0, rng.gauss(5.0 * task, 20.0))),
    ],
    ids=["spike at 100", "fine scores at each task's own level"],
)
def test_equal_models_over_20_tasks_are_seldom_called_different(
    draw: Callable[[random.Random, int], float],
) -> None:
    """60 simulated comparisons over 20 tasks × 5 samples: a true rate of 5% would give more
    than 8 false alarms in one of 200 such tests."""
    rng = seeded(5)
    assert sum(simulate(rng, draw, draw).different for _ in range(60)) <= 8


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (lambda rng, _: 100.0 * (rng.random() < 0.7), lambda rng, _: 100.0 * (rng.random() < 0.5)),
        (
            lambda rng, task: 100.0 * (rng.random() < 0.2 + task / 25),
            lambda rng, task: 100.0 * (rng.random() < task / 25),
        ),
    ],
    ids=["passes", "passes at each task's own rate"],
)
def test_a_difference_of_20_points_over_20_tasks_of_5_samples_is_found(
    better: Callable[[random.Random, int], float], worse: Callable[[random.Random, int], float]
) -> None:
    """60 simulated comparisons: a true rate of 80% would find fewer than 40 in one of 200."""
    rng = seeded(6)
    found = [simulate(rng, better, worse) for _ in range(60)]
    assert sum(each.different and each.difference > 0 for each in found) >= 40


def test_the_interval_covers_the_true_difference() -> None:
    """The exact coverage for two tasks × 3 samples with chances of .9 and .5, and .6 and .6."""
    chances = (0.9, 0.5, 0.6, 0.6)
    covered = 0.0
    for counts in itertools.product(range(4), repeat=4):
        found = compare(passes(counts[:2], 3), passes(counts[2:], 3))
        assert found.ci is not None
        if found.ci[0] - 1e-6 <= 10.0 <= found.ci[1] + 1e-6:
            covered += math.prod(
                math.comb(3, count) * chance**count * (1 - chance) ** (3 - count)
                for count, chance in zip(counts, chances, strict=True)
            )
    assert covered >= 0.95


def test_the_interval_leaves_out_0_exactly_when_the_models_are_different() -> None:
    """Differences around the border, for 20 tasks of 1 and of 3 samples."""
    rng = seeded(7)
    seen = set()
    for samples, gain in itertools.product((1, 3), range(0, 40, 5)):
        a = [[min(100.0, rng.random() * 60 + gain) for _ in range(samples)] for _ in range(20)]
        b = [[rng.random() * 60 for _ in range(samples)] for _ in range(20)]
        for found in (compare(a, b), compare(b, a)):
            assert found.ci is not None
            assert found.ci[0] <= found.difference <= found.ci[1]
            assert found.different != (found.ci[0] <= 0.0 <= found.ci[1])
            seen.add((samples, found.different))
    assert len(seen) == 4


def test_pairing_by_task_finds_what_the_tasks_hide() -> None:
    """A steady gain of 8 points on 20 tasks that lie far apart, with one sample each."""
    rng = seeded(8)
    levels = [4.0 * task for task in range(20)]
    a = [[level + 8.0 + rng.random() * 8] for level in levels]
    b = [[level + rng.random() * 8] for level in levels]
    found = compare(a, b)
    assert found.different
    assert found.difference == pytest.approx(8.0, abs=2.0)


def test_swapping_the_models_turns_the_sign() -> None:
    a, b = [[90.0, 80.0, 100.0], [70.0, 20.0]], [[10.0, 30.0, 20.0], [40.0, 60.0]]
    there, back = compare(a, b), compare(b, a)
    assert there.ci is not None
    assert back.ci is not None
    assert there.difference == -back.difference == 32.5
    assert there.ci == pytest.approx((-back.ci[1], -back.ci[0]), abs=1e-4)
    assert there.different == back.different


def test_models_that_never_miss_are_not_known_to_be_equal() -> None:
    found = compare([[100.0] * 2] * 5, [[100.0] * 2] * 5)
    assert found.difference == 0.0
    assert not found.different
    assert found.ci is not None
    assert found.ci[0] == pytest.approx(-found.ci[1], abs=1e-3)
    assert found.ci[1] > 20.0
    assert found.samples_needed == 65


def test_rounding_is_no_difference() -> None:
    """Means of 3 and of 7 equal scores may differ in the last bit."""
    found = compare([[100 / 3] * 3, [200 / 7] * 3], [[100 / 3] * 7, [200 / 7] * 7])
    assert found.difference == pytest.approx(0.0, abs=1e-12)
    assert not found.different


@pytest.mark.parametrize("score", [10.0, 33.3, 100 / 3, 70.1])
def test_scores_that_differ_by_their_last_bit_are_no_difference(score: float) -> None:
    """Between models, and among the samples of either; alone and beside scores that vary."""
    nearly = math.nextafter(score, 200.0)
    ours, theirs = [score] * 2 + [nearly], [nearly] * 3
    assert not compare([ours], [theirs]).different
    assert not compare([[score]], [[nearly]]).different
    assert not compare([ours, [0.0, 50.0]], [theirs, [0.0, 50.0]]).different


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_weights_that_are_alike_change_nothing(samples: int) -> None:
    rng = seeded(11)
    a, b = ([[rng.random() * 100 for _ in range(samples)] for _ in range(8)] for _ in range(2))
    assert compare_scores(a, b, weights=[0.25] * 8) == compare(a, b)


def test_a_task_asked_in_four_ways_weighs_what_one_does() -> None:
    """100 against 0 in four parts of a task, and the reverse in one whole task: no difference."""
    a, b = [[100.0] * 3] * 4 + [[0.0] * 3], [[0.0] * 3] * 4 + [[100.0] * 3]
    there = compare_scores(a, b, weights=[0.25] * 4 + [1.0])
    back = compare_scores(b, a, weights=[0.25] * 4 + [1.0])
    assert there is not None
    assert back is not None
    assert there.ci is not None
    assert back.ci is not None
    assert (there.difference, there.different) == (0.0, False)
    assert there.ci == pytest.approx((-back.ci[1], -back.ci[0]), abs=1e-3)


def test_equal_models_over_tasks_of_unlike_weights_are_seldom_called_different() -> None:
    """The exact rate for scores of 0 and 100: one task of two prompts, one of one, 2 samples."""
    weights, chances = [0.5, 0.5, 1.0], (0.5, 0.8, 0.6)
    chance_of = {
        counts: math.prod(
            math.comb(2, count) * chance**count * (1 - chance) ** (2 - count)
            for count, chance in zip(counts, chances, strict=True)
        )
        for counts in itertools.product(range(3), repeat=3)
    }
    false_alarms = 0.0
    for a, b in itertools.combinations(chance_of, 2):
        found = compare_scores(passes(a, 2), passes(b, 2), weights=weights)
        if found is not None and found.different:
            false_alarms += 2 * chance_of[a] * chance_of[b]
    assert 0.0 < false_alarms <= 0.05


def test_five_tasks_with_one_sample_can_never_be_told_apart() -> None:
    """Even 100 against 0 throughout: one of 16 pairs of equal models does that, as it were."""
    found = compare([[100.0]] * 5, [[0.0]] * 5)
    assert found.difference == 100.0
    assert not found.different


def test_one_sample_each_has_no_interval() -> None:
    assert compare([[100.0]], [[0.0]]) == ScoreComparison(
        pairs=1, difference=100.0, ci=None, different=False, samples_needed=None
    )


def test_tasks_that_one_model_lacks_are_left_out() -> None:
    found = compare([[100.0, 90.0], [], [0.0]], [[80.0, 70.0, 60.0], [50.0], []])
    assert found.pairs == 2
    assert found.difference == 25.0
    assert compare_scores([[1.0], []], [[], [1.0]]) is None


def test_samples_needed_grow_with_the_spread_and_shrink_with_the_points() -> None:
    """About 7.85 × variance of a pair ÷ points², less what is there (Cohen's formula)."""
    a = [[100.0, 0.0, 100.0, 0.0]] * 5
    found = compare(a, a)
    variance = 2 * 10_000 / 3
    assert found.samples_needed == pytest.approx(7.85 * variance / 25 - 20, abs=6)
    wider = compare_scores(a, a, settle_points=10.0)
    assert wider is not None
    assert wider.samples_needed == pytest.approx(7.85 * variance / 100 - 20, abs=6)


def test_what_is_settled_needs_no_more_samples() -> None:
    assert compare([[100.0] * 5] * 4, [[20.0] * 5] * 4).samples_needed is None
    steady = [[100.0] * 20] * 10
    assert compare(steady, steady).samples_needed is None


def test_the_same_samples_give_the_same_answer() -> None:
    rng = seeded(9)
    a = [[rng.random() * 100 for _ in range(12)] for _ in range(9)]
    b = [[rng.random() * 100 for _ in range(8)] for _ in range(9)]
    assert compare(a, b) == compare(a, b)


def test_10_000_results_of_two_models_are_compared_in_two_seconds() -> None:
    rng = seeded(10)
    a, b = ([[rng.random() * 100 for _ in range(10)] for _ in range(500)] for _ in range(2))
    started_s = time.process_time()
    compare(a, b)
    assert time.process_time() - started_s < 2.0


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


def compare(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> ScoreComparison:
    found = compare_scores(a, b)
    assert found is not None
    return found


def passes(counts: Sequence[int], samples: int) -> Scores:
    return [[100.0] * count + [0.0] * (samples - count) for count in counts]


def simulate(
    rng: random.Random,
    draw_a: Callable[[random.Random, int], float],
    draw_b: Callable[[random.Random, int], float],
) -> ScoreComparison:
    """20 tasks × 5 samples of either model."""
    a = [[draw_a(rng, task) for _ in range(5)] for task in range(20)]
    b = [[draw_b(rng, task) for _ in range(5)] for task in range(20)]
    return compare(a, b)
