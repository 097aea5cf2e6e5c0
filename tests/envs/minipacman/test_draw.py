"""What Mini Pacman shows, cell by cell."""

import numpy as np
import pytest

from envs.minipacman import MiniPacman, MiniPacmanConfig
from envs.minipacman.maze import WALLS

BLACK, WHITE, BLUE, CYAN = (0, 0, 0), (255, 255, 255), (0, 0, 255), (0, 255, 255)
GREEN, RED, YELLOW = (0, 255, 0), (255, 0, 0), (255, 255, 0)


def scene(*, pacman=(7, 3), ghosts=((3, 9),), pills=((13, 1), (13, 17)), power=0, **settings):
    """One game with these things in a maze full of food."""
    game = MiniPacman(1, MiniPacmanConfig(**settings))
    everyone = np.ones(1, np.bool_)
    game.seed(np.zeros(1, np.uint64), everyone)
    game.begin(everyone)
    state = game.get_state()
    state["row"][:], state["column"][:] = pacman
    state["num_ghosts"][:], state["num_pills"][:], state["power"][:] = len(ghosts), 2, power
    for k, cell in enumerate(ghosts):
        state["ghost_row"][:, k], state["ghost_column"][:, k] = cell
    for k, cell in enumerate(pills):
        state["pill_row"][:, k], state["pill_column"][:, k] = cell
    game.set_state(state)
    return game


def observation(game):
    out = np.full((1, *game.observation_space.shape), 77, np.uint8)
    game.observe(out, np.ones(1, np.bool_))
    return out[0]


def colours(picture):
    return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def test_the_full_view_shows_the_maze_and_all_in_it():
    game = scene(view="full")
    picture = observation(game)
    assert picture.shape == (15, 19, 3) and picture.dtype == np.uint8
    assert colours(picture[WALLS]) == {WHITE}
    assert tuple(picture[7, 3]) == GREEN
    assert tuple(picture[3, 9]) == RED
    assert tuple(picture[13, 1]) == tuple(picture[13, 17]) == CYAN
    assert tuple(picture[1, 1]) == BLUE
    state = game.get_state()
    state["cells"][0, 1, 1] = 0
    game.set_state(state)
    assert tuple(observation(game)[1, 1]) == BLACK


def test_pacman_hides_ghosts_ghosts_hide_pills_and_pills_hide_food():
    stack = (3, 3)
    picture = observation(scene(view="full", pacman=stack, ghosts=(stack,), pills=(stack, stack)))
    assert tuple(picture[stack]) == GREEN
    picture = observation(scene(view="full", ghosts=(stack,), pills=(stack, stack)))
    assert tuple(picture[stack]) == RED


@pytest.mark.parametrize(("power", "green"), [(20, 255), (10, 127), (1, 12), (0, 0)])
def test_edible_ghosts_fade_from_yellow_to_red(power, green):
    assert tuple(observation(scene(view="full", power=power))[3, 9]) == (255, green, 0)


@pytest.mark.parametrize("size", [3, 5, 7, 37])
@pytest.mark.parametrize("pacman", [(1, 1), (13, 17), (7, 3), (3, 9)])
def test_the_viewport_is_the_part_of_the_full_view_around_pacman(size, pacman):
    settings = {"pacman": pacman, "ghosts": ((3, 10), (2, 1)), "pills": ((1, 2), (13, 16))}
    full = observation(scene(view="full", **settings))
    half = size // 2
    padded = np.pad(full, ((half, half), (half, half), (0, 0)), constant_values=255)
    row, column = pacman
    expected = padded[row : row + size, column : column + size]
    np.testing.assert_array_equal(observation(scene(view_size=size, **settings)), expected)
    assert tuple(expected[half, half]) == GREEN


def test_the_power_bar_is_off_unless_asked_for():
    assert colours(observation(scene(view="full", power=20))[14]) == {WHITE}


@pytest.mark.parametrize(("power", "length"), [(20, 19), (10, 10), (1, 1), (0, 0)])
def test_the_power_bar_in_the_bottom_wall_shrinks(power, length):
    row = observation(scene(view="full", power_bar=True, power=power))[14]
    yellow = (row == YELLOW).all(axis=1)
    assert yellow.tolist() == [True] * length + [False] * (19 - length)


def test_the_viewport_shows_the_power_bar_only_where_the_bottom_wall_is_in_view():
    assert YELLOW in colours(observation(scene(power_bar=True, power=20, pacman=(13, 2))))
    assert YELLOW not in colours(observation(scene(power_bar=True, power=20, pacman=(3, 3))))


def test_only_masked_games_are_drawn():
    game = MiniPacman(3, MiniPacmanConfig())
    game.begin(np.ones(3, np.bool_))
    out = np.full((3, 5, 5, 3), 77, np.uint8)
    game.observe(out, np.array([True, False, True]))
    assert (out[1] == 77).all() and (out[0] != 77).all() and (out[2] != 77).all()


def test_frames_are_the_whole_maze_in_even_size():
    frame = scene().frame(0)
    assert frame.shape == (240, 304, 3) and frame.dtype == np.uint8
    np.testing.assert_array_equal(frame[::16, ::16], observation(scene(view="full")))


def test_the_view_is_the_observation_enlarged():
    game = scene()
    assert game.view(0).shape == (80, 80, 3)
    np.testing.assert_array_equal(game.view(0)[8::16, 8::16], observation(game))


def test_text_shows_each_thing_by_its_mark():
    lines = scene(ghosts=((3, 9), (7, 3))).text(0).split("\n")
    assert len(lines) == 16
    assert lines[7] == "#..P...#####......#"
    assert lines[3][9] == "G" and lines[13][1] == "o" and lines[1][1] == "."
    assert lines[15] == "level 1  score 0  power 0"
    assert "g" in scene(power=3).text(0)
