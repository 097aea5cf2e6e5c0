"""Every rule of Mini Pacman, in situations built by hand."""

from typing import Any

import numpy as np
import pytest

from envs.minipacman import MiniPacman, MiniPacmanConfig
from envs.minipacman.maze import EMPTY, FOOD, WALLS
from envs.minipacman.rules import LEVEL_STEPS

STAY, RIGHT, UP, LEFT, DOWN = range(5)
SURE = 6  # from this level on, ghosts that are not edible always move
MODES = ("regular", "avoid", "hunt", "ambush", "rush")
STEP = {"regular": 0, "avoid": 0.1, "hunt": 0, "ambush": 0, "rush": 0}
FAR_PILLS = ((13, 1), (13, 17))
FAR_GHOST = (13, 9, RIGHT)


def situation(
    *,
    pacman=(3, 3),
    ghosts=(FAR_GHOST,),
    pills=FAR_PILLS,
    food=((1, 1),),
    num_games=1,
    settings: dict[str, Any] | None = None,
    **fields,
):
    """Games in which only what is named is in the maze; a ghost is (row, column, direction)."""
    options: dict[str, Any] = {"stochasticity": 0.0} | (settings or {})
    game = MiniPacman(num_games, MiniPacmanConfig(**options))
    everyone = np.ones(num_games, np.bool_)
    game.seed(np.arange(num_games, dtype=np.uint64), everyone)
    game.begin(everyone)
    state = game.get_state()
    cells = np.where(WALLS, state["cells"], EMPTY)
    for cell in food:
        cells[:, *cell] = FOOD
    fields |= {"cells": cells, "food_left": len(food)}
    fields |= dict(zip(("row", "column"), pacman, strict=True))
    fields |= {"num_ghosts": len(ghosts), "num_pills": len(pills)}
    for name, value in fields.items():
        state[name][:] = value
    for k, values in enumerate(ghosts):
        for name, value in zip(("row", "column", "direction"), values, strict=True):
            state[f"ghost_{name}"][:, k] = value
    for k, (row, column) in enumerate(pills):
        state["pill_row"][:, k], state["pill_column"][:, k] = row, column
    game.set_state(state)
    return game


def play_all(game, action):
    """One step of all games; rewards, terminated, truncated."""
    n = game.num_games
    rewards, terminated, truncated = np.zeros(n), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    shown = np.zeros((n, *game.observation_space.shape), np.uint8)
    info, every = np.zeros(n, game.info_dtype), np.ones(n, np.bool_)
    game.step(np.full(n, action), every, rewards, terminated, truncated, every, shown, info)
    return rewards, terminated, truncated


def play(game, action):
    """One step of one game; reward, terminated, truncated."""
    return tuple(values.item() for values in play_all(game, action))


def pacman_of(game):
    return game.games["row"][0].item(), game.games["column"][0].item()


def ghosts_of(game):
    record = game.games[0]
    return [
        (int(record["ghost_row"][k]), int(record["ghost_column"][k]))
        for k in range(record["num_ghosts"])
    ]


def mode(name, rules="release"):
    return {"mode": name, "rules": rules}


def field(game, name):
    return game.games[name][0].item()


# --- Actions and the start of a level


@pytest.mark.parametrize(
    ("action", "cell"),
    [(STAY, (3, 3)), (RIGHT, (3, 4)), (UP, (2, 3)), (LEFT, (3, 2)), (DOWN, (4, 3))],
)
def test_each_action_moves_pacman_its_way(action, cell):
    game = situation(pacman=(3, 3))
    play(game, action)
    assert pacman_of(game) == cell


def test_a_move_into_a_wall_stays_and_costs_nothing():
    game = situation(pacman=(1, 1), food=((3, 3),))
    assert play(game, UP) == (0, False, False)
    assert pacman_of(game) == (1, 1)


@pytest.fixture(scope="module")
def beginnings():
    game = MiniPacman(20_000, MiniPacmanConfig())
    everyone = np.ones(game.num_games, np.bool_)
    game.seed(np.arange(game.num_games, dtype=np.uint64), everyone)
    game.begin(everyone)
    return game.games


def test_a_level_begins_with_food_everywhere_and_no_power(beginnings):
    assert ((beginnings["cells"] == FOOD) == ~WALLS).all()
    assert (beginnings["food_left"] == 138).all()
    for name, value in {"level": 1, "power": 0, "timer": 0, "frame": 0, "num_pills": 2}.items():
        assert (beginnings[name] == value).all(), name


def is_uniform(rows, columns):
    """Whether cells are spread evenly over the free ones: chi-squared, five deviations."""
    counts = np.zeros(WALLS.shape)
    np.add.at(counts, (rows, columns), 1)
    assert counts[WALLS].sum() == 0
    expected = len(rows) / 138
    statistic = ((counts[~WALLS] - expected) ** 2 / expected).sum()
    return statistic < 137 + 5 * np.sqrt(2 * 137)


def test_pacman_and_each_pill_begin_on_any_free_cell(beginnings):
    assert is_uniform(beginnings["row"], beginnings["column"])
    for k in range(2):
        assert is_uniform(beginnings["pill_row"][:, k], beginnings["pill_column"][:, k])
    together = (beginnings["pill_row"][:, 0] == beginnings["pill_row"][:, 1]) & (
        beginnings["pill_column"][:, 0] == beginnings["pill_column"][:, 1]
    )
    assert 0 < together.mean() < 2 / 138


def test_ghosts_begin_outside_a_half_open_box_around_pacman(beginnings):
    down = beginnings["ghost_row"][:, 0].astype(int) - beginnings["row"]
    right = beginnings["ghost_column"][:, 0].astype(int) - beginnings["column"]
    near_rows, near_columns = (down >= -5) & (down < 5), (right >= -5) & (right < 5)
    assert not (near_rows & near_columns).any()
    assert down[near_columns].max() >= 5 and 5 in down[near_columns]
    assert 5 in right[near_rows] and -6 in right[near_rows]
    assert set(np.unique(beginnings["ghost_direction"][:, 0])) == {RIGHT, UP, LEFT, DOWN}


@pytest.mark.parametrize("level", range(1, 9))
def test_there_is_a_ghost_more_at_each_odd_level(level):
    game = situation(pacman=(1, 2), food=((1, 1),), level=level - 1)
    play(game, LEFT)
    assert field(game, "level") == level
    assert len(ghosts_of(game)) == 1 + (level - 1) // 2


def test_there_are_never_more_ghosts_than_places_for_them():
    game = situation(pacman=(1, 2), food=((1, 1),), level=500)
    play(game, LEFT)
    assert field(game, "num_ghosts") == 64


def test_the_food_under_pacmans_first_cell_is_eaten_by_staying():
    game = situation(food=((3, 3), (1, 1)))
    assert play(game, STAY)[0] == 1
    assert field(game, "food_left") == 1


# --- Pacman's part of a step


@pytest.mark.parametrize(
    ("name", "food", "pill"),
    [
        ("regular", 1, 2),
        ("avoid", -0.1, -5),
        ("hunt", 0, 1),
        ("ambush", -0.1, 0),
        ("rush", -0.1, 10),
    ],
)
def test_food_and_pill_pay_by_mode(name, food, pill):
    game = situation(food=((3, 4), (1, 1)), settings=mode(name))
    assert play(game, RIGHT)[0] == pytest.approx(STEP[name] + food)
    game = situation(pills=((3, 4), (13, 1)), settings=mode(name))
    assert play(game, RIGHT)[0] == pytest.approx(STEP[name] + pill)
    game = situation(food=((3, 4), (1, 1)), pills=((3, 4), (13, 1)), settings=mode(name))
    assert play(game, RIGHT)[0] == pytest.approx(STEP[name] + food + pill)
    assert field(game, "power") == 20


def test_two_pills_on_one_cell_are_eaten_one_per_step():
    game = situation(pills=((3, 4), (3, 4)))
    assert play(game, RIGHT)[0] == 2
    assert field(game, "num_pills") == 1
    assert play(game, STAY)[0] == 2
    assert field(game, "num_pills") == 0


def test_the_pill_that_is_left_stays_where_it_was():
    game = situation(pills=((3, 4), (13, 1)))
    play(game, RIGHT)
    assert game.games["pill_row"][0, 0] == 13 and game.games["pill_column"][0, 0] == 1


def test_ghosts_are_edible_when_the_pill_is_eaten_and_nineteen_steps_more():
    for wait, terminated in ((19, False), (20, True)):
        game = situation(pills=((3, 4),), ghosts=())
        play(game, RIGHT)
        for _ in range(wait - 1):
            play(game, STAY)
        put_ghost_on_pacman(game)
        assert play(game, STAY)[1] is terminated, wait


def put_ghost_on_pacman(game):
    state = game.get_state()
    state["num_ghosts"][:] = 1
    state["ghost_row"][:, 0], state["ghost_column"][:, 0] = state["row"], state["column"]
    game.set_state(state)


def test_a_ghost_is_eaten_in_the_step_in_which_the_pill_is():
    game = situation(pills=((3, 4),), ghosts=((3, 4, LEFT),))
    assert play(game, RIGHT) == (2 + 5, False, False)


# --- Contact


@pytest.mark.parametrize(
    ("name", "ghost", "death"),
    [
        ("regular", 5, 0),
        ("avoid", -10, -20),
        ("hunt", 10, -20),
        ("ambush", 10, -20),
        ("rush", 0, 0),
    ],
)
def test_contact_pays_by_mode(name, ghost, death):
    two = ((3, 4, LEFT), FAR_GHOST)
    game = situation(ghosts=two, settings=mode(name))
    assert play(game, RIGHT) == (pytest.approx(STEP[name] + death), True, False)
    assert field(game, "died")
    game = situation(ghosts=two, power=10, settings=mode(name))
    assert play(game, RIGHT) == (pytest.approx(STEP[name] + ghost), False, False)
    assert len(ghosts_of(game)) == 1


def test_pacman_and_a_ghost_cannot_swap_cells():
    game = situation(pacman=(3, 3), ghosts=((3, 4, LEFT),), level=SURE)
    assert play(game, RIGHT)[1]


def test_a_ghost_that_walks_into_pacman_catches_him():
    game = situation(pacman=(3, 8), ghosts=((3, 9, LEFT),), level=SURE)
    assert play(game, STAY)[1]
    assert ghosts_of(game) == [(3, 8)]


def test_a_ghost_on_pacmans_cell_catches_him_though_it_would_move_away():
    game = situation(pacman=(3, 8), ghosts=((3, 8, LEFT),), level=SURE)
    assert play(game, STAY)[1]


def test_a_ghost_on_the_cell_that_pacman_leaves_is_not_met():
    ghosts = ((3, 4, LEFT), FAR_GHOST)
    game = situation(pacman=(3, 4), ghosts=ghosts, power=10)
    assert play(game, RIGHT)[0] == 0
    assert len(ghosts_of(game)) == 2


def test_an_eaten_ghost_never_comes_back_in_its_level():
    game = situation(ghosts=((3, 4, LEFT),), power=20)
    play(game, RIGHT)
    for _ in range(200):
        play(game, STAY)
    assert ghosts_of(game) == []


def test_one_ghost_is_eaten_per_step_and_those_after_it_wait():
    before, after = (13, 8, LEFT), (13, 10, RIGHT)
    ghosts = (before, (3, 4, LEFT), (3, 4, LEFT), after)
    # At level 16 edible ghosts always move too.
    game = situation(ghosts=ghosts, power=10, level=16)
    assert play(game, RIGHT)[0] == 5
    assert ghosts_of(game) == [(13, 7), (3, 4), (13, 10)]
    assert play(game, STAY)[0] == 5
    assert ghosts_of(game)[1] == (13, 10)


def test_death_is_paid_once_and_the_other_ghosts_stop():
    ghosts = ((3, 4, LEFT), (3, 4, LEFT), FAR_GHOST)
    game = situation(ghosts=ghosts, level=SURE, settings=mode("hunt"))
    assert play(game, RIGHT)[:2] == (-20, True)
    assert ghosts_of(game)[2] == FAR_GHOST[:2]


# --- How ghosts move


@pytest.mark.parametrize(
    ("level", "power", "speed"),
    [(1, 0, 0.5), (3, 0, 0.7), (6, 0, 1.0), (9, 0, 1.0), (1, 9, 0.25), (3, 9, 0.35), (6, 9, 0.5)],
)
def test_ghosts_move_with_a_probability_that_grows_with_the_level(level, power, speed):
    game = situation(num_games=20_000, level=level, power=power)
    play_all(game, STAY)
    moved = (game.games["ghost_column"][:, 0] != FAR_GHOST[1]).mean()
    assert abs(moved - speed) <= 5 * np.sqrt(speed * (1 - speed) / 20_000)


def step_ghost(ghost, *, pacman=(3, 3), power=0, level=SURE, **settings):
    """Where one ghost goes that is sure to move."""
    level = 16 if power else level
    game = situation(ghosts=(ghost,), pacman=pacman, power=power, level=level, settings=settings)
    play(game, STAY)
    return ghosts_of(game)[0]


def test_in_corridors_ghosts_keep_their_way_whatever_pacman_does():
    assert step_ghost((3, 9, RIGHT)) == (3, 10)
    assert step_ghost((3, 9, LEFT), pacman=(3, 16)) == (3, 8)
    assert step_ghost((3, 9, RIGHT), pacman=(3, 16), power=9) == (3, 10)


def test_at_corners_ghosts_turn_and_do_not_go_back():
    assert step_ghost((1, 1, UP)) == (1, 2)
    assert step_ghost((1, 1, LEFT)) == (2, 1)
    assert step_ghost((13, 17, RIGHT)) == (12, 17)
    assert step_ghost((13, 17, DOWN)) == (13, 16)


def test_a_new_ghost_that_faces_a_way_out_of_a_corner_takes_it():
    assert step_ghost((1, 1, RIGHT)) == (1, 2)
    assert step_ghost((1, 1, DOWN)) == (2, 1)


def test_a_ghost_that_faces_a_side_wall_takes_the_first_way_in_order():
    assert step_ghost((3, 9, UP)) == (3, 10)
    assert step_ghost((2, 1, RIGHT), pacman=(13, 3)) == (1, 1)


def test_at_junctions_ghosts_turn_towards_pacman_along_the_longer_axis():
    # (3, 15) is a crossing with four ways.
    assert step_ghost((3, 15, RIGHT), pacman=(13, 16)) == (4, 15)
    assert step_ghost((3, 15, LEFT), pacman=(5, 5)) == (3, 14)
    assert step_ghost((3, 15, UP), pacman=(1, 15)) == (2, 15)


def test_at_junctions_ghosts_never_turn_back():
    assert step_ghost((3, 15, RIGHT), pacman=(3, 5)) in {(3, 16), (2, 15), (4, 15)}
    assert step_ghost((3, 15, DOWN), pacman=(1, 15)) == (3, 16)


def test_at_junctions_ties_go_to_the_first_of_right_up_left_down():
    assert step_ghost((3, 15, RIGHT), pacman=(3, 5)) == (2, 15)  # up and down tie at zero
    assert step_ghost((3, 3, RIGHT), pacman=(5, 5)) == (3, 4)  # right and down tie


def test_at_junctions_edible_ghosts_turn_away_from_pacman():
    assert step_ghost((3, 15, RIGHT), pacman=(13, 16), power=9) == (2, 15)
    assert step_ghost((3, 15, RIGHT), pacman=(3, 5), power=9) == (3, 16)
    assert step_ghost((3, 15, LEFT), pacman=(3, 5), power=9) == (2, 15)


def choices(power=0, rules="release", stochasticity=0.05):
    """Which of the cells around a junction ghosts go to, by how many of 30000 go there."""
    game = situation(
        num_games=30_000,
        pacman=(13, 16),
        ghosts=((3, 15, RIGHT),),
        level=16,
        power=power,
        settings={"rules": rules, "stochasticity": stochasticity},
    )
    play_all(game, STAY)
    cells = zip(game.games["ghost_row"][:, 0], game.games["ghost_column"][:, 0], strict=True)
    found, counts = np.unique(list(cells), axis=0, return_counts=True)
    return {tuple(cell): n for cell, n in zip(found.tolist(), counts.tolist(), strict=True)}


def test_chasing_ghosts_turn_at_random_now_and_then():
    counts = choices()
    assert set(counts) == {(4, 15), (2, 15), (3, 16)}
    for cell in ((2, 15), (3, 16)):
        assert abs(counts[cell] - 500) < 5 * np.sqrt(500)


def test_stochasticity_is_the_probability_of_a_random_turn():
    counts = choices(stochasticity=1.0)
    assert all(abs(n - 10_000) < 5 * np.sqrt(10_000) for n in counts.values())
    assert choices(stochasticity=0.0) == {(4, 15): 30_000}


def test_edible_ghosts_and_ghosts_of_the_paper_never_turn_at_random():
    assert choices(power=9, stochasticity=1.0) == {(2, 15): 30_000}
    assert choices(rules="paper", stochasticity=1.0) == {(4, 15): 30_000}


# --- The end of a level and of an episode


def finish_level(name, rules="release"):
    """A game one step (to the right) before the goal of its mode."""
    settings = mode(name, rules)
    if name in ("hunt", "ambush"):
        return situation(ghosts=((3, 4, LEFT),), power=10, settings=settings)
    if name == "rush":
        return situation(pills=((3, 4),), settings=settings)
    return situation(food=((3, 4),), settings=settings)


@pytest.mark.parametrize("name", MODES)
def test_reaching_the_goal_of_the_mode_begins_the_next_level(name):
    game = finish_level(name)
    reward = {"regular": 1, "avoid": 0, "hunt": 10, "ambush": 10, "rush": 10}[name]
    assert play(game, RIGHT) == (pytest.approx(reward), False, False)
    record = game.games[0]
    assert (record["level"], record["timer"], record["power"], record["frame"]) == (2, 0, 0, 1)
    assert record["food_left"] == 138 and record["num_pills"] == 2


@pytest.mark.parametrize("name", ["hunt", "ambush", "rush"])
def test_eating_all_food_ends_no_level_of_other_modes(name):
    game = situation(food=((3, 4),), settings=mode(name))
    play(game, RIGHT)
    assert field(game, "level") == 1


@pytest.mark.parametrize("name", ["regular", "avoid", "rush"])
def test_eating_all_ghosts_ends_no_level_of_other_modes(name):
    game = situation(ghosts=((3, 4, LEFT),), power=10, settings=mode(name))
    play(game, RIGHT)
    assert field(game, "level") == 1


def test_a_level_that_ends_in_pacmans_move_ends_the_step():
    game = situation(num_games=5000, food=((3, 4),), pills=((3, 4),), level=SURE)
    rewards, _, _ = play_all(game, RIGHT)
    assert (rewards == 1).all()  # neither the old pill under the food nor a new one
    games = game.games
    assert (games["level"] == SURE + 1).all() and (games["food_left"] == 138).all()
    assert (games["num_pills"] == 2).all() and (games["power"] == 0).all()
    near = np.abs(games["ghost_row"][:, 0].astype(int) - games["row"] + 0.5) < 5
    near &= np.abs(games["ghost_column"][:, 0].astype(int) - games["column"] + 0.5) < 5
    assert not near.any()  # ghosts stand where they were placed


@pytest.mark.parametrize(
    ("name", "rules", "limit"),
    [
        ("regular", "release", None),
        ("avoid", "release", 128),
        ("hunt", "release", None),
        ("ambush", "release", None),
        ("rush", "release", None),
        ("regular", "paper", None),
        ("avoid", "paper", 128),
        ("hunt", "paper", 80),
        ("ambush", "paper", 80),
        ("rush", "paper", None),
    ],
)
def test_levels_of_some_modes_end_by_the_clock(name, rules, limit):
    game = situation(ghosts=(), settings=mode(name, rules))
    for _ in range((limit or 500) - 1):
        play(game, STAY)
    assert field(game, "level") == 1
    play(game, STAY)
    assert field(game, "level") == (2 if limit else 1)
    assert field(game, "timer") == (0 if limit else 500)
    assert field(game, "frame") == (limit or 500)


def test_dying_at_the_limit_begins_no_level():
    limit = int(LEVEL_STEPS[0, 1])
    game = situation(ghosts=((3, 4, LEFT),), timer=limit - 1, settings=mode("avoid"))
    assert play(game, RIGHT)[1]
    assert field(game, "level") == 1


def test_a_level_of_avoid_in_the_paper_does_not_end_by_eating():
    game = finish_level("avoid", "paper")
    play(game, RIGHT)
    assert field(game, "level") == 1 and field(game, "food_left") == 0


def test_an_episode_is_truncated_at_the_frame_cap():
    game = situation(settings={"frame_cap": 3}, ghosts=())
    flags = [play(game, STAY)[1:] for _ in range(3)]
    assert flags == [(False, False), (False, False), (False, True)]


def test_death_at_the_frame_cap_is_no_truncation():
    game = situation(settings={"frame_cap": 1}, ghosts=((3, 4, LEFT),))
    assert play(game, RIGHT)[1:] == (True, False)


def test_the_default_frame_cap_is_3000():
    game = situation(ghosts=(), frame=2998)
    assert play(game, STAY)[2] is False
    assert play(game, STAY)[2] is True


def test_score_is_the_sum_of_rewards_over_levels():
    game = situation(food=((3, 4),), score=7.0)
    play(game, RIGHT)
    assert play(game, STAY)[0] >= 1  # the food under Pacman's cell of the new level
    assert field(game, "score") >= 9
    assert game.info()["score"][0] == field(game, "score")


# --- Rules of the paper's text


def test_ghosts_of_the_paper_always_move():
    for power in (0, 9):
        game = situation(num_games=500, power=power, settings=mode("regular", "paper"))
        play_all(game, STAY)
        assert (game.games["ghost_column"][:, 0] == FAR_GHOST[1] + 1).all()


def test_powered_pacman_of_the_paper_makes_two_moves_and_eats_on_both():
    paper = mode("regular", "paper")
    game = situation(food=((3, 4), (3, 5), (1, 1)), power=9, settings=paper)
    assert play(game, RIGHT)[0] == 2
    assert pacman_of(game) == (3, 5)
    game = situation(power=1, settings=paper)  # over as the step begins
    play(game, RIGHT)
    assert pacman_of(game) == (3, 4)


def test_powered_pacman_of_the_paper_stops_at_walls_and_does_not_leap_over_them():
    paper = mode("regular", "paper")
    game = situation(pacman=(3, 16), power=9, settings=paper)
    play(game, RIGHT)
    assert pacman_of(game) == (3, 17)
    game = situation(pacman=(2, 1), power=9, settings=paper)
    play(game, RIGHT)
    assert pacman_of(game) == (2, 1)


def test_eating_a_pill_gives_the_second_move_only_from_the_next_step():
    game = situation(pills=((3, 4), (13, 1)), settings=mode("regular", "paper"))
    play(game, RIGHT)
    assert pacman_of(game) == (3, 4)
    play(game, RIGHT)
    assert pacman_of(game) == (3, 6)


@pytest.mark.parametrize("column", [9, 10])
def test_powered_pacman_of_the_paper_meets_ghosts_he_crosses(column):
    ghosts = ((3, column, LEFT), FAR_GHOST)
    game = situation(pacman=(3, 8), ghosts=ghosts, power=9, settings=mode("regular", "paper"))
    assert play(game, RIGHT)[0] == 5
    assert pacman_of(game) == (3, 10)


def test_a_level_that_ends_on_the_first_of_two_moves_ends_the_step():
    game = situation(num_games=2000, food=((3, 4),), power=9, settings=mode("regular", "paper"))
    rewards, _, _ = play_all(game, RIGHT)
    assert (rewards == 1).all()
    assert (game.games["food_left"] == 138).all()
