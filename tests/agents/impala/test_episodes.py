"""Averages over the most recent episodes, and how they resume."""

from pathlib import Path

import pytest

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


def test_after_a_restart_the_episode_that_each_actor_is_in_does_not_count() -> None:
    window = EpisodeWindow()
    window.extend([Episode(0, 5.0, 1, {})])
    window.restart(ignored=range(2))
    assert not len(window)
    window.extend([Episode(0, 9.0, 1, {}), Episode(0, 1.0, 1, {}), Episode(1, 9.0, 1, {})])
    assert list(window.returns) == [1.0]
    again = EpisodeWindow()
    window.restart(ignored=[7])
    again.set_state(window.get_state())
    again.extend([Episode(7, 9.0, 1, {}), Episode(7, 2.0, 1, {})])
    assert list(again.returns) == [2.0]
