"""The level to show is chosen from an evaluation."""

import pytest

from agents.evaluation.video.choice import choose
from agents.evaluation.video.encoder import VideoError
from agents.impala.episodes import Episode

EPISODES = [Episode(i, r, 5, {"solved": float(r > 1)}) for i, r in enumerate([2.0, 1.0, 9.0, -1.0])]


@pytest.mark.parametrize(("pick", "game"), [("best", 2), ("worst", 3), ("first-failure", 1)])
def test_best_worst_and_first_failure(pick, game):
    assert choose(EPISODES, pick) == game


def test_without_a_failure_a_sentence_says_so():
    with pytest.raises(VideoError, match="all 1 levels are solved"):
        choose([EPISODES[2]], "first-failure")


def test_without_solved_there_is_no_failure():
    with pytest.raises(VideoError, match="reports `solved`"):
        choose([Episode(0, 1.0, 5, {})], "first-failure")
