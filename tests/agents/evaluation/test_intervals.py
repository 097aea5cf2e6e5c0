"""Intervals, against numbers worked out elsewhere."""

import math

import numpy as np
import pytest

from agents.evaluation.intervals import mean_interval, wilson_interval


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (8, 10, 0.4901625, 0.9433178),  # R: prop.test(8, 10, correct = FALSE)
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (0, 0, 0.0, 1.0),
        (500, 1000, 0.4690697, 0.5309303),
    ],
)
def test_the_interval_of_a_rate_is_wilsons(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=1e-6)


def test_the_interval_of_a_rate_stays_between_nothing_and_all() -> None:
    for n in range(1, 200):
        low, high = wilson_interval(0, n)[0], wilson_interval(n, n)[1]
        assert low >= 0.0 and high <= 1.0


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2)])
def test_a_rate_above_one_or_below_zero_is_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{successes} successes in {n} trials"):
        wilson_interval(successes, n)


def test_the_interval_of_a_mean_by_hand() -> None:
    # Standard deviation 2, so 1.959964 * 2 / sqrt(4) to each side of 5.
    values = [5 + math.sqrt(3), 5 - math.sqrt(3), 5 + math.sqrt(3), 5 - math.sqrt(3)]
    assert mean_interval(values) == pytest.approx((5 - 1.959964, 5 + 1.959964), abs=1e-6)


def test_the_interval_of_a_mean_holds_it_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).exponential(size=(1000, 100))
    held = sum(low <= 1.0 <= high for low, high in map(mean_interval, draws.tolist()))
    assert 0.92 <= held / 1000 <= 0.96


def test_one_value_says_nothing_about_its_spread() -> None:
    assert mean_interval([1.0]) == (-math.inf, math.inf)
