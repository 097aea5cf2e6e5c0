"""Averages and intervals, against numbers worked out elsewhere."""

import math
from pathlib import Path

import numpy as np
import pytest

from agents.evaluation.intervals import mean_interval, wilson_interval
from agents.impala.episodes import Episode, EpisodeWindow
from agents.runs.checkpoint import load, save


def episode(episode_return: float, length: int, **info: float) -> Episode:
    return Episode(0, episode_return, length, info)


def test_the_window_averages_the_last_episodes() -> None:
    window = EpisodeWindow(size=3)
    window.extend(episode(float(i), 10 * i, solved=float(i == 3)) for i in range(5))
    assert window.mean_return == 3.0 and window.mean_length == 30.0
    assert window.solved_rate == pytest.approx(1 / 3)
    assert len(window) == 3


def test_an_empty_window_has_no_averages() -> None:
    window = EpisodeWindow()
    assert window.mean_return is None and window.mean_length is None and not len(window)
    window.extend([episode(1.0, 2)])
    assert window.mean_return == 1.0 and window.solved_rate is None


def test_a_restored_window_goes_on_as_if_never_interrupted(tmp_path: Path) -> None:
    whole, first = EpisodeWindow(size=3), EpisodeWindow(size=3)
    before = [episode(0.1 * i, i, solved=float(i % 2)) for i in range(4)]
    after = [episode(7.0, 8, solved=1.0)]
    first.extend(before)
    save(tmp_path, frame=1, weights={}, state=first.get_state())
    second = EpisodeWindow(size=3)
    second.set_state(load(tmp_path).state | {"total": 4})  # which older checkpoints have
    second.extend(after)
    whole.extend(before + after)
    assert second.get_state() == whole.get_state()
    assert second.mean_return == whole.mean_return


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
