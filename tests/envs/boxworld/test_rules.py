"""Every rule of BoxWorld, in rooms drawn by hand, and what a random player gets."""

from typing import Any

import numpy as np
import pytest

from envs.boxworld import BoxWorld, BoxWorldConfig
from envs.boxworld.cells import BORDER, EMPTY, GEM, KEY, LOCK, PALETTE, WRONG_LOCK

UP, DOWN, LEFT, RIGHT = range(4)
ONE = np.ones(1, np.bool_)
ROOM = """
#######
#.....#
#..aB.#
#.....#
#.*A..#
#.....#
#######
"""


BARE = "#######\n" + 5 * "#.....#\n" + "#######"
SMALL: dict[str, Any] = {"grid_size": 5, "solution_length": 1, "num_distractors": 0}


def room(drawing=ROOM, *, agent, held=-1, wrong=(), **fields) -> BoxWorld:
    """One game in a drawn room: * gem, lower case keys, upper case locks, a or A is colour 0."""
    rows = drawing.split()
    game = BoxWorld(1, BoxWorldConfig(**SMALL | fields))
    game.begin(ONE)
    for r, row in enumerate(rows):
        for c, character in enumerate(row):
            game.cells[0, r, c] = code(character, (r, c) in wrong)
    game.rooms["row"], game.rooms["column"] = agent
    game.rooms["held"] = held
    return game


def code(character: str, wrong: bool) -> int:
    if character.isupper():
        return (WRONG_LOCK if wrong else LOCK) + ord(character) - ord("A")
    return (
        KEY + ord(character) - ord("a")
        if character.islower()
        else {"#": BORDER, ".": EMPTY, "*": GEM}[character]
    )


def play(game: BoxWorld, *actions: int) -> tuple[float, bool, bool]:
    """Reward and flags of the last of the actions."""
    reward, terminated, truncated = np.zeros(1), np.zeros(1, np.bool_), np.zeros(1, np.bool_)
    for action in actions:
        game.step(np.array([action]), ONE, reward, terminated, truncated, *blank(game))
    return reward[0], bool(terminated[0]), bool(truncated[0])


def blank(game: BoxWorld) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All games to be shown, and where a step writes their observations and infos."""
    n, shape = game.num_games, game.observation_space.shape
    return np.ones(n, np.bool_), np.zeros((n, *shape), np.uint8), np.zeros(n, game.info_dtype)


def where(game: BoxWorld) -> tuple[int, int]:
    return int(game.rooms["row"][0]), int(game.rooms["column"][0])


@pytest.mark.parametrize(
    ("action", "cell"), [(UP, (2, 3)), (DOWN, (4, 3)), (LEFT, (3, 2)), (RIGHT, (3, 4))]
)
def test_an_action_leads_to_the_neighbouring_cell(action, cell):
    game = room(BARE, agent=(3, 3))
    assert play(game, action) == (0, False, False)
    assert where(game) == cell


@pytest.mark.parametrize(("action", "corner"), [(UP, (1, 1)), (LEFT, (1, 1)), (DOWN, (5, 5))])
def test_the_border_stops_the_agent(action, corner):
    game = room(agent=corner)
    assert play(game, action) == (0, False, False)
    assert where(game) == corner


def test_a_loose_key_is_taken_without_reward():
    game = room(agent=(2, 2), drawing=ROOM.replace("aB", "a."))
    assert play(game, RIGHT) == (0, False, False)
    assert where(game) == (2, 3)
    assert game.info()["held_key"] == 0
    assert game.cells[0, 2, 3] == EMPTY


def test_a_key_that_is_taken_replaces_the_one_in_hand():
    game = room(agent=(2, 2), held=7, drawing=ROOM.replace("aB", "a."))
    play(game, RIGHT)
    assert game.info()["held_key"] == 0


@pytest.mark.parametrize(("action", "cell"), [(RIGHT, (2, 2)), (DOWN, (1, 3)), (UP, (3, 3))])
def test_what_a_locked_box_holds_cannot_be_entered(action, cell):
    game = room(agent=cell, held=1)
    assert play(game, action) == (0, False, False)
    assert where(game) == cell
    assert game.info()["held_key"] == 1


@pytest.mark.parametrize("held", [-1, 0, 2])
def test_a_lock_stops_who_has_not_its_key(held):
    game = room(agent=(2, 5), held=held)
    assert play(game, LEFT) == (0, False, False)
    assert where(game) == (2, 5)
    assert game.info()["held_key"] == held


def test_opening_a_box_of_the_chain_gives_one_and_costs_the_key():
    game = room(agent=(2, 5), held=1)
    assert play(game, LEFT) == (1, False, False)
    assert where(game) == (2, 4)
    assert game.info()["held_key"] == -1
    assert game.info()["boxes_opened"] == 1
    assert play(game, LEFT) == (0, False, False)
    assert game.info()["held_key"] == 0


def test_opening_a_distractor_costs_one_and_ends_the_episode():
    game = room(agent=(2, 5), held=1, wrong={(2, 4)})
    assert play(game, LEFT) == (-1, True, False)
    assert game.info()["boxes_opened"] == 0
    assert not game.info()["solved"]


def test_a_distractor_stops_who_has_not_its_key():
    game = room(agent=(2, 5), held=0, wrong={(2, 4)})
    assert play(game, LEFT) == (0, False, False)


def test_the_gem_gives_ten_and_ends_the_episode():
    game = room(agent=(4, 4), held=0)
    assert play(game, LEFT) == (1, False, False)
    assert play(game, LEFT) == (10, True, False)
    assert game.info()["solved"]


def test_an_episode_is_truncated_at_the_last_step_and_not_before():
    game = room(agent=(1, 1), max_steps=3)
    assert play(game, UP, UP) == (0, False, False)
    assert play(game, UP) == (0, False, True)


def test_an_episode_that_ends_with_its_last_step_is_not_truncated():
    game = room(agent=(4, 4), held=0, max_steps=2)
    assert play(game, LEFT, LEFT) == (10, True, False)


def test_games_that_are_not_masked_are_left_alone():
    game = BoxWorld(3, BoxWorldConfig())
    game.begin(np.ones(3, np.bool_))
    before = game.get_state()
    mask, outcome = np.array([False, True, False]), (np.full(3, 7.0), *np.ones((2, 3), np.bool_))
    for action in (0, 1, 2, 3):
        game.step(np.full(3, action), mask, *outcome, *blank(game))
    after = game.get_state()
    assert after["steps"].tolist() == [0, 4, 0]
    assert (after["cells"][[0, 2]] == before["cells"][[0, 2]]).all()
    assert outcome[0][[0, 2]].tolist() == [7, 7]
    game.begin(mask)
    assert (game.cells[[0, 2]] == before["cells"][[0, 2]]).all()


def test_the_window_shows_what_is_around_the_agent_and_the_held_key():
    game = room(agent=(3, 1), held=2)
    out = np.zeros((1, 5, 5, 6), np.uint8)
    game.observe(out, ONE)
    black, grey, agent = [0] * 3, [204] * 3, [128] * 3
    assert (out[0, :, 0, :3] == black).all()  # beyond the border
    assert (out[0, :, 1, :3] == black).all()  # the border
    assert out[0, 2, 2, :3].tolist() == agent
    assert out[0, 1, 4, :3].tolist() == PALETTE[KEY].tolist()
    assert out[0, 3, 3, :3].tolist() == [255] * 3  # the gem
    assert out[0, 3, 4, :3].tolist() == PALETTE[LOCK].tolist()
    assert out[0, 2, 3, :3].tolist() == grey
    assert (out[0, ..., 3:] == PALETTE[KEY + 2]).all()


def test_the_window_is_black_in_its_last_channels_where_no_key_is_held():
    game = room(agent=(3, 3))
    out = np.ones((1, 5, 5, 6), np.uint8)
    game.observe(out, ONE)
    assert (out[..., 3:] == 0).all()


def test_the_corner_of_the_border_is_not_in_the_window():
    game = room(agent=(1, 1), held=2)
    out = np.zeros((1, 5, 5, 6), np.uint8)
    game.observe(out, ONE)
    assert (out[0, 1, 1, :3] == 0).all()


def test_the_full_view_shows_the_room_and_the_held_key_in_the_corner():
    game = room(agent=(1, 1), held=2, view="full")
    out = np.zeros((1, 7, 7, 3), np.uint8)
    game.observe(out, ONE)
    expected = PALETTE[game.cells[0]]
    expected[1, 1] = 128
    expected[0, 0] = PALETTE[KEY + 2]
    assert (out[0] == expected).all()
    assert (out[0, 0, 1:] == 0).all()


def test_a_distractor_looks_like_any_box():
    plain, wrong = room(agent=(3, 3)), room(agent=(3, 3), wrong={(2, 4), (4, 3)})
    outs = np.zeros((2, 1, 5, 5, 6), np.uint8)
    plain.observe(outs[0], ONE)
    wrong.observe(outs[1], ONE)
    assert (outs[0] == outs[1]).all()


def test_the_palette_has_twenty_hues_of_equal_saturation_and_value():
    colours = PALETTE[KEY : KEY + 20]
    assert len(np.unique(colours, axis=0)) == 20
    assert (colours.max(1) == 178).all()
    assert (colours.min(1) == 89).all()
    assert (PALETTE[LOCK : LOCK + 20] == colours).all()
    assert (PALETTE[WRONG_LOCK : WRONG_LOCK + 20] == colours).all()
    assert PALETTE[KEY].tolist() == [178, 89, 89]  # hue 0 is red
    assert PALETTE[KEY + 10].tolist() == [89, 178, 178]  # hue 180 is cyan


def test_the_room_can_be_read_as_text():
    game = room(agent=(1, 1), held=1, wrong={(2, 4)})
    assert game.text(0) == ROOM.strip().replace("#....", "#@...", 1) + "\nkey: b"


def test_the_pictures_have_cells_of_16_pixels():
    game = room(agent=(3, 3), held=2)
    frame, view = game.frame(0), game.view(0)
    assert frame.shape == (7 * 16, 7 * 16, 3)
    assert (frame[3 * 16 : 4 * 16, 3 * 16 : 4 * 16] == 128).all()
    assert (frame[:16, :16] == PALETTE[KEY + 2]).all()
    assert view.shape == (5 * 16, 5 * 16, 3)
    assert (view[2 * 16 : 3 * 16, 2 * 16 : 3 * 16] == 128).all()


@pytest.mark.parametrize(
    ("lengths", "distractors", "mean_return", "length", "solved", "wrong"),
    [
        ((1,), (0,), 0.344, 118.85, 0.029, 0),
        ((1, 2, 3, 4, 5), tuple(range(6)), 0.050, 117.4, 0.0050, 0.049),
        ((1, 2, 3, 4), tuple(range(5)), 0.063, 117.5, 0.0062, 0.046),
        ((4,), (4,), 0.004, 117.8, 0, 0.050),
    ],
)
def test_a_random_player_gets_what_it_gets_in_the_released_game(
    lengths, distractors, mean_return, length, solved, wrong
):
    count = 40_000
    config = BoxWorldConfig(solution_length=lengths, num_distractors=distractors)
    game, rng = BoxWorld(count, config), np.random.default_rng(0)
    running = np.ones(count, np.bool_)
    game.seed(np.arange(count, dtype=np.uint64), running)
    game.begin(running)
    returns, opened_wrong = np.zeros(count), np.zeros(count, np.bool_)
    for _ in range(120):
        outcome = np.zeros(count), np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        game.step(rng.integers(0, 4, count), running, *outcome, *blank(game))
        returns += outcome[0]
        opened_wrong |= outcome[0] < 0
        running &= ~(outcome[1] | outcome[2])
    assert not running.any()
    assert abs(returns.mean() - mean_return) < 0.03
    assert abs(game.rooms["steps"].mean() - length) < 0.4
    assert abs(game.rooms["solved"].mean() - solved) < 0.004
    assert abs(opened_wrong.mean() - wrong) < 0.006
