"""The window of recent episodes when the levels change."""

from agents.impala.episodes import Episode, EpisodeWindow


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
