"""Levels and views are drawn with marks and outline; others come in many forms."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from PIL import Image

from agents.evaluation.video.drawing import Box
from agents.evaluation.video.encoder import VideoError
from agents.evaluation.video.level import Drawing, as_rgb, draw_env, draw_game, paint
from envs import BoxWorldConfig, MiniPacmanConfig, TMazeConfig
from envs.drawing import Mark, Region

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def painted(drawing, size=200):
    canvas = Image.new("RGB", (size, size))
    covered = paint(canvas, drawing, Box(0, 0, size, size))
    return np.asarray(canvas), covered


def game_of(config, seed=0) -> Any:
    env = config.make_vector(1)
    env.reset(seed=seed)
    return env.game


def test_what_the_agent_sees_is_outlined():
    pixels = np.full((10, 10, 3), 99, np.uint8)
    picture, covered = painted(Drawing(pixels, True, (), Region(2, 3, 5, 5)))
    assert covered == Box(0, 0, 200, 200)
    changed = (picture != 99).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (40, 139, 60, 159)
    assert not changed[50:130, 70:150].any()


def test_an_outline_stays_in_the_picture():
    picture, _ = painted(Drawing(np.full((10, 10, 3), 99, np.uint8), True, (), Region(-2, 7, 5, 5)))
    changed = (picture != 99).any(-1)
    assert changed[0].any()
    assert changed[:60, 140:].any()
    assert not changed[61:].any()


@pytest.mark.parametrize("symbol", ["a", "Q", "@", "*"])
def test_a_mark_lies_on_its_cell_and_nowhere_else(symbol):
    plain, _ = painted(Drawing(np.full((10, 10, 3), 99, np.uint8), True))
    marked, _ = painted(Drawing(np.full((10, 10, 3), 99, np.uint8), True, [Mark(4, 6, symbol)]))
    changed = (plain != marked).any(-1)
    assert changed[80:100, 120:140].sum() > 20
    changed[80:100, 120:140] = False
    assert not changed.any()


@pytest.mark.parametrize("config", [BoxWorldConfig(), MiniPacmanConfig(), TMazeConfig()])
def test_the_view_is_the_outlined_part_of_the_level(config):
    level, view = draw_game(game_of(config), 0)
    assert view is not None
    assert level.seen is not None
    top, left, rows, columns = level.seen
    assert view.pixels.shape == (rows, columns, 3)
    for row, column in np.ndindex(rows, columns):
        place = row + top, column + left
        if (
            min(place) >= 1
            and place[0] < len(level.pixels) - 1
            and place[1] < level.pixels.shape[1] - 1
        ):
            assert np.array_equal(view.pixels[row, column], level.pixels[place])


def test_keys_and_locks_carry_letters_and_observations_do_not():
    game = game_of(BoxWorldConfig(solution_length=(3,), num_distractors=(2,)))
    before = game.observation(0).copy()
    level, view = draw_game(game, 0)
    symbols = [mark.symbol for mark in level.marks]
    assert symbols.count("@") == symbols.count("*") == 1
    assert len([s for s in symbols if s.isupper()]) == 3 + 2
    colours = {s.lower(): tuple(level.pixels[r, c]) for r, c, s in level.marks if s.isalpha()}
    assert len(set(colours.values())) == len(colours)
    assert np.array_equal(game.observation(0), before)
    assert view is not None
    assert {tuple(c) for c in view.pixels.reshape(-1, 3)} <= {
        tuple(c) for c in before[..., :3].reshape(-1, 3)
    }


def test_the_view_marks_no_held_key_that_it_does_not_show():
    game = game_of(BoxWorldConfig())
    game.rooms[0]["held"], game.rooms[0]["row"], game.rooms[0]["column"] = 3, 1, 1
    level, view = draw_game(game, 0)
    assert Mark(0, 0, "d") in level.marks
    assert view is not None and Mark(2, 2, "@") in view.marks
    assert not any((mark.row, mark.column) == (1, 1) for mark in view.marks)


def test_a_view_of_the_whole_room_is_not_drawn_twice():
    level, view = draw_game(game_of(BoxWorldConfig(view="full")), 0)
    assert view is None
    assert level.seen is None


@pytest.mark.parametrize(
    "picture",
    [
        np.full((4, 6, 3), 0.5),
        np.full((4, 6, 3), 127.6, np.float32),
        np.full((4, 6, 3), 128, np.int64),
        np.full((4, 6), 128, np.uint8),
        np.full((4, 6, 1), 128, np.uint8),
        np.full((4, 6, 4), 128, np.uint8),
        np.full((3, 4, 6), 128, np.uint8),
    ],
    ids=lambda picture: f"{picture.dtype} {list(picture.shape)}",
)
def test_pictures_are_read_in_any_form(picture):
    found = as_rgb(picture)
    assert (found.dtype, found.shape) == (np.uint8, (4, 6, 3))
    assert (found == 128).all()


def test_booleans_and_what_is_not_finite_are_drawn():
    assert as_rgb(np.array([[True, False]])).tolist() == [[[255] * 3, [0] * 3]]
    assert as_rgb(np.array([[np.nan, 1.0]])).tolist() == [[[0] * 3, [255] * 3]]


@pytest.mark.parametrize(
    "value", [None, "text", np.zeros(3), np.zeros((2, 2, 5)), np.zeros((0, 4, 3))]
)
def test_what_is_no_picture_is_described(value):
    with pytest.raises(ValueError, match=r"NoneType|str|an array of float64"):
        as_rgb(value)


class Drawn(gymnasium.vector.VectorEnv):
    metadata = {"render_modes": ["ansi"]}  # noqa: RUF012

    def __init__(self, picture):
        self.picture, self.spec = picture, None

    def render(self):
        if isinstance(self.picture, Exception):
            raise self.picture
        return (self.picture,)


def test_an_environment_that_cannot_be_drawn_is_an_error_of_one_line():
    with pytest.raises(VideoError, match=r"returns str, expected a picture .*modes: ansi") as one:
        draw_env(Drawn("###"), 0)
    with pytest.raises(VideoError, match="cannot be rendered: RuntimeError: no screen") as two:
        draw_env(Drawn(RuntimeError("no screen\nand more")), 0)
    assert all("\n" not in str(error.value) for error in (one, two))
