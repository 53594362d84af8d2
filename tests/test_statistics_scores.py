"""Mean scores and their intervals: coverage by enumeration where outcomes can be counted."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

import pytest

from pytest_llmbench.statistics.rates import pass_rate_interval
from pytest_llmbench.statistics.scores import mean_score, mean_score_interval
from pytest_llmbench.statistics.weighting import quantile_of_weighted_mean

Distribution: TypeAlias = dict[float, float]
"""Score → chance."""

SHAPES: dict[str, Distribution] = {
    "0 or 100, 10%": {0.0: 0.9, 100.0: 0.1},
    "0 or 100, 50%": {0.0: 0.5, 100.0: 0.5},
    "0 or 100, 90%": {0.0: 0.1, 100.0: 0.9},
    "60 or 100, 90%": {60.0: 0.1, 100.0: 0.9},
    "0 or 10, 10%": {0.0: 0.9, 10.0: 0.1},
    "spike at 100, some 60, few 0": {0.0: 0.05, 60.0: 0.1, 100.0: 0.85},
    "20, 60 and 100": {20.0: 0.2, 60.0: 0.3, 100.0: 0.5},
    "always 80": {80.0: 1.0},
}


@pytest.mark.parametrize(
    ("shape", "samples"),
    [
        (shape, samples)
        for shape, distribution in SHAPES.items()
        for samples in (5, 10, 30)
        if math.comb(samples + len(distribution) - 1, samples) < 100
    ],
)
def test_interval_covers_the_mean_of_coarse_scores(shape: str, samples: int) -> None:
    """The exact coverage for one task, over every outcome of its samples."""
    distribution = SHAPES[shape]
    covered = 0.0
    for outcome, chance in outcomes(distribution, samples):
        if holds([outcome], mean_of(distribution)):
            covered += chance
    assert covered >= 0.95


@pytest.mark.parametrize("samples", [5, 7])
def test_interval_covers_the_mean_of_scores_as_skewed_as_a_beta_distribution(samples: int) -> None:
    """The exact coverage for beta(0.5, 2), cut into four equal parts at their means."""
    distribution = {0.7: 0.25, 6.0: 0.25, 19.0: 0.25, 54.3: 0.25}
    covered = sum(
        chance
        for outcome, chance in outcomes(distribution, samples)
        if holds([outcome], mean_of(distribution))
    )
    assert covered >= 0.95


@pytest.mark.parametrize("samples", [5, 10, 30])
@pytest.mark.parametrize(
    ("draw", "mean"),
    [
        (lambda rng: rng.random() * 100.0, 50.0),
        (lambda rng: rng.betavariate(5, 1) * 100.0, 500 / 6),
        (lambda rng: 100.0 if rng.random() < 0.7 else rng.random() * 100.0, 85.0),
    ],
    ids=["uniform", "beta", "spike"],
)
def test_interval_covers_the_mean_of_fine_scores(
    draw: Callable[[random.Random], float], mean: float, samples: int
) -> None:
    """80 simulated runs, of which a coverage of 93% would lose more than 12 in one in 200."""
    rng = seeded(samples)
    runs = [[draw(rng) for _ in range(samples)] for _ in range(80)]
    assert sum(holds([scores], mean) for scores in runs) >= 80 - 12


@pytest.mark.parametrize(
    "chances",
    [(0.5, 0.5), (0.1, 0.9), (0.0, 0.9), (1.0, 0.04), (0.5, 1.0, 1.0), (0.2, 0.5, 0.8)],
)
@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("deduction", [100.0, 40.0])
def test_interval_covers_the_mean_over_tasks_that_differ(
    chances: tuple[float, ...], samples: int, deduction: float
) -> None:
    """The exact coverage for a few tasks, each with its own chance of a full score."""
    mean = sum(100.0 - deduction * (1 - chance) for chance in chances) / len(chances)
    covered = 0.0
    for passes in itertools.product(range(samples + 1), repeat=len(chances)):
        tasks = [[100.0] * count + [100.0 - deduction] * (samples - count) for count in passes]
        likelihood = math.prod(
            math.comb(samples, count) * chance**count * (1 - chance) ** (samples - count)
            for count, chance in zip(passes, chances, strict=True)
        )
        covered += likelihood * holds(tasks, mean)
    assert covered >= 0.95


def test_interval_covers_the_mean_over_many_tasks_that_differ() -> None:
    """150 simulated runs of 20 tasks × 5 samples, half of the tasks nearly always solved and half
    nearly never: a coverage of 93% would lose more than 19 in one in 200."""
    rng = seeded(1)
    chances = [0.05, 0.95] * 10
    runs = [[[100.0 * (rng.random() < p) for _ in range(5)] for p in chances] for _ in range(150)]
    assert sum(holds(tasks, 50.0) for tasks in runs) >= 150 - 19


def test_scores_that_are_all_or_nothing_get_the_exact_interval_for_a_pass_rate() -> None:
    for passes in range(11):
        rate = pass_rate_interval(passes, 10)
        assert rate is not None
        scores = [100.0] * passes + [0.0] * (10 - passes)
        assert mean_score_interval([scores]) == pytest.approx((rate[0] * 100, rate[1] * 100))


def test_tasks_that_are_all_or_nothing_never_get_a_wider_one() -> None:
    """5 tasks × 3 samples, in all divisions of the passes."""
    for passes in itertools.combinations_with_replacement(range(4), 5):
        low, high = interval_of([[100.0] * each + [0.0] * (3 - each) for each in passes])
        rate = pass_rate_interval(sum(passes), 15)
        assert rate is not None
        assert rate[0] * 100 - 1e-6 <= low < high <= rate[1] * 100 + 1e-6


def test_what_tasks_explain_makes_the_mean_surer() -> None:
    """The same 100 scores: half of the tasks always solved, or all of them half the time."""
    apart = interval_of([[100.0] * 6] * 10 + [[0.0] * 6] * 10)
    alike = interval_of([[100.0, 0.0] * 3] * 20)
    assert width(apart) < 0.5 * width(alike)


def test_equal_scores_are_no_certainty() -> None:
    """Of 5 samples that all earn 100, or 80, a sixth may not: nothing excludes that."""
    assert interval_of([[100.0] * 5]) == pytest.approx((50.0, 100.0))
    low, high = interval_of([[80.0] * 5])
    assert low == pytest.approx(80.0 * 0.025 ** (1 / 5), abs=1e-4)
    assert high == pytest.approx(100.0 - 20.0 * 0.025 ** (1 / 5), abs=1e-4)


def test_interval_shrinks_with_more_samples() -> None:
    widths = [width(interval_of([[100.0, 70.0, 40.0] * count])) for count in (1, 3, 10, 30)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 15.0


def test_points_lost_mirror_points_earned() -> None:
    tasks = [[90.0, 100.0, 35.0], [10.0, 20.0]]
    low, high = interval_of(tasks)
    lost = interval_of([[100.0 - score for score in scores] for scores in tasks])
    assert lost == pytest.approx((100.0 - high, 100.0 - low), abs=1e-5)


def test_order_does_not_matter() -> None:
    tasks = [[90.0, 100.0, 35.0], [10.0, 20.0, 15.0]]
    turned = [[15.0, 20.0, 10.0], [100.0, 35.0, 90.0]]
    assert interval_of(tasks) == pytest.approx(interval_of(turned), abs=1e-6)


def test_each_task_weighs_the_same_whatever_its_number_of_samples() -> None:
    assert mean_score([[100.0] * 9, [0.0], []]) == 50.0
    low, high = interval_of([[100.0] * 9, [0.0]])
    assert low < 50.0 < high


def test_uneven_samples_cover_the_mean() -> None:
    """The exact coverage for tasks of 1, 3 and 6 samples with their own chances."""
    sizes, chances = (1, 3, 6), (0.5, 0.9, 0.2)
    covered = 0.0
    for passes in itertools.product(*(range(size + 1) for size in sizes)):
        tasks = [
            [100.0] * count + [0.0] * (size - count)
            for count, size in zip(passes, sizes, strict=True)
        ]
        likelihood = math.prod(
            math.comb(size, count) * chance**count * (1 - chance) ** (size - count)
            for count, size, chance in zip(passes, sizes, chances, strict=True)
        )
        covered += likelihood * holds(tasks, 100 * sum(chances) / 3)
    assert covered >= 0.93


def test_fewer_than_two_samples_have_no_interval() -> None:
    assert mean_score_interval([]) is None
    assert mean_score_interval([[], [100.0]]) is None
    assert mean_score([[], []]) is None


def test_random_weights_on_known_distributions() -> None:
    """Two ends alike: uniform. With a middle: triangular. n at the top: its n-th root."""
    assert quantile_of_weighted_mean([(0, 1), (1, 1)], 0.3) == pytest.approx(0.3, abs=1e-6)
    triangular = quantile_of_weighted_mean([(0, 1), (0.5, 1), (1, 1)], 0.025)
    assert triangular == pytest.approx(math.sqrt(0.025 / 2), abs=1e-6)
    for n in (1, 4, 50, 400):
        top = quantile_of_weighted_mean([(0, 1), (1, n)], 0.025)
        assert top == pytest.approx(0.025 ** (1 / n), abs=1e-6)


def test_many_different_values_are_merged_without_harm() -> None:
    """1,000 values from 0 to 1 weigh on a mean as normal as can be: 0.5 ± 1.96 / √12,000."""
    atoms = [(index / 999, 1.0) for index in range(1000)]
    high = quantile_of_weighted_mean(atoms, 0.975)
    assert high == pytest.approx(0.5 + 1.96 / math.sqrt(12_000), abs=1e-4)


def test_intervals_of_10_000_results_take_less_than_two_seconds() -> None:
    rng = seeded(1)
    models = [[[rng.random() * 100 for _ in range(10)] for _ in range(200)] for _ in range(5)]
    started_s = time.process_time()
    for tasks in models:
        mean_score_interval(tasks)
    assert time.process_time() - started_s < 2.0


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


def interval_of(tasks: Sequence[Sequence[float]]) -> tuple[float, float]:
    interval = mean_score_interval(tasks)
    assert interval is not None
    return interval


def width(interval: tuple[float, float]) -> float:
    return interval[1] - interval[0]


def holds(tasks: Sequence[Sequence[float]], mean: float) -> bool:
    low, high = interval_of(tasks)
    return low - 1e-9 <= mean <= high + 1e-9


def mean_of(distribution: Distribution) -> float:
    return sum(score * chance for score, chance in distribution.items())


def outcomes(distribution: Distribution, samples: int) -> list[tuple[list[float], float]]:
    """Every outcome, whatever its order, with its chance."""
    found = []
    for scores in itertools.combinations_with_replacement(distribution, samples):
        counts = Counter(scores)
        ways = math.factorial(samples) // math.prod(map(math.factorial, counts.values()))
        chance = math.prod(distribution[score] ** count for score, count in counts.items())
        found.append((list(scores), ways * chance))
    return found
