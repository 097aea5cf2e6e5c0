"""Pictures are of even size, show both views once, and tell the score."""

import numpy as np
import pytest

from agents.evaluation.picture import BACKGROUND, caption, compose
from envs import BoxWorldConfig, MiniPacmanConfig
from envs.boxworld.cells import KEY, PALETTE

FRAME = np.full((224, 224, 3), (200, 10, 10), np.uint8)
VIEW = np.full((80, 112, 3), (10, 200, 10), np.uint8)


def count(picture, colour):
    return int((picture == np.array(colour)).all(-1).sum())


@pytest.mark.parametrize("shape", [(500, 901), (501, 900), (501, 901)])
def test_the_size_is_even_whatever_the_frame(shape):
    picture = compose(np.zeros((*shape, 3), np.uint8), VIEW, {"return": "0"})
    assert picture.dtype == np.uint8
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0


def test_all_of_the_game_and_of_the_view_is_shown_with_sharp_edges():
    picture = compose(FRAME, VIEW, {})
    assert count(picture, FRAME[0, 0]) == 4 * 224 * 224
    assert count(picture, VIEW[0, 0]) == 25 * 80 * 112
    rest = count(picture, BACKGROUND)
    assert rest == picture.shape[0] * picture.shape[1] - 4 * 224 * 224 - 25 * 80 * 112


def test_a_view_of_the_whole_game_is_not_shown_twice():
    assert compose(FRAME, FRAME.copy(), {}).shape == compose(FRAME, None, {}).shape


def test_the_text_changes_the_line_below_and_nothing_else():
    one, two = (compose(FRAME, VIEW, {"return": value}) for value in ("1", "8"))
    rows = np.flatnonzero((one != two).any((1, 2)))
    assert len(rows) > 0
    assert rows.min() > 448


def test_the_held_key_is_shown_in_its_colour():
    config = BoxWorldConfig(solution_length=(1,), num_distractors=(0,))
    _, info = config.make().reset(seed=0)
    assert config.caption(info) == {"key": "none"}
    held = caption(config.caption(info | {"held_key": 3}), 2.0, 17)
    assert held == {"return": "2", "step": "17", "key": tuple(PALETTE[KEY + 3])}
    picture = compose(FRAME, None, held)
    assert count(picture, PALETTE[KEY + 3]) > 400


def test_mini_pacman_shows_level_and_power():
    of_game = MiniPacmanConfig().caption({"level": np.int32(2), "power": np.int32(7)})
    assert caption(of_game, 12.5, 3) == {"return": "12.5", "step": "3", "level": "2", "power": "7"}
