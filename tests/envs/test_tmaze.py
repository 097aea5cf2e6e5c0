"""The T-maze: every rule, and what memory is worth in it."""

from typing import Any

import numpy as np
import pytest

from agents.evaluation.evaluate import evaluate
from envs.tmaze import DOWN, LEFT, PALETTE, RIGHT, UP, TMaze, TMazeConfig

FLOOR, WALL, HINT, AGENT = (tuple(colour) for colour in PALETTE.tolist())


def maze(goal=1, **fields):
    """One game of which the goal is above (row 1) or below (row 3) the junction."""
    options: dict[str, Any] = {"length": (4,)}
    env = TMazeConfig(**options | fields).make(render_mode="ansi")
    env.reset(seed=0)
    assert isinstance(env.game, TMaze)
    env.game.games["goal"] = goal
    return env


def play(env, *actions):
    """Rewards and the end of the last step."""
    steps = [env.step(action) for action in actions]
    return [step[1] for step in steps], steps[-1][2]


@pytest.mark.parametrize(("goal", "turn"), [(1, UP), (3, DOWN)])
def test_the_right_turn_pays_four_and_the_wrong_one_costs_a_tenth(goal, turn):
    env = maze(goal)
    assert play(env, *4 * [RIGHT], turn) == ([0, 0, 0, 0, 4.0], True)
    assert env.game.info()["solved"].all()
    env = maze(goal)
    assert play(env, *4 * [RIGHT], UP + DOWN - turn) == ([0, 0, 0, 0, -0.1], True)
    assert not env.game.info()["solved"].any()


def test_a_move_against_a_wall_is_no_move_and_costs_a_tenth():
    env = maze()
    before = env.render()
    assert play(env, UP, DOWN, LEFT) == ([-0.1, -0.1, -0.1], False)
    assert env.render() == before
    rewards, ended = play(env, *5 * [RIGHT])
    assert (rewards, ended) == ([0, 0, 0, 0, -0.1], False)


def test_the_maze_is_drawn_as_it_is():
    assert maze(goal=1).render() == "#######\n#*### #\n#@    #\n##### #\n#######"
    picture = maze(goal=3).game.frame(0)[8::16, 8::16]
    assert picture.shape == (5, 7, 3)
    assert tuple(picture[3, 1]) == HINT and tuple(picture[2, 1]) == AGENT
    assert {tuple(picture[row, 5]) for row in (1, 2, 3)} == {FLOOR}


@pytest.mark.parametrize("goal", [1, 3])
def test_the_hint_is_in_view_at_the_start_and_not_after_two_steps(goal):
    env = maze(goal)
    seen = [env.game.observation(0), *(env.step(RIGHT)[0] for _ in range(4))]
    green = [bool((o == np.array(HINT)).all(-1).any()) for o in seen]
    assert green == [True, True, False, False, False]
    assert tuple(seen[0][goal - 1, 1]) == HINT
    assert all(tuple(o[1, 1]) == AGENT for o in seen)


def test_a_window_that_is_wide_enough_always_shows_the_hint():
    env = maze(view_size=9)
    for _ in range(4):
        observation = env.step(RIGHT)[0]
        assert (observation == np.array(HINT)).all(-1).any()


def test_lengths_and_sides_are_drawn_uniformly():
    env = TMazeConfig(length=(2, 5)).make_vector(4000)
    _, info = env.reset(seed=0)
    assert set(info["length"].tolist()) == {2, 5}
    assert abs((info["length"] == 2).mean() - 0.5) < 0.03
    assert isinstance(env.game, TMaze)
    assert abs((env.game.games["goal"] == 1).mean() - 0.5) < 0.03


def test_perfect_memory_solves_every_maze_and_none_every_second():
    config = TMazeConfig(length=(3, 10))
    oracle = evaluate(config.players["oracle"], config, episodes=200)
    assert {episode.episode_return for episode in oracle.episodes} == {4.0}
    assert {episode.length for episode in oracle.episodes} == {4, 11}
    forgetful = evaluate(config.players["forgetful"], config, episodes=400).score
    assert forgetful.solved_rate is not None
    assert abs(forgetful.solved_rate - 0.5) < 0.1


def test_a_player_of_another_game_is_refused():
    from envs import BoxWorldConfig

    with pytest.raises(TypeError, match="plays TMaze, not BoxWorld"):
        TMazeConfig().players["oracle"](BoxWorldConfig().make_vector(1), 0)


def test_the_curriculum_goes_from_the_shortest_corridor_to_all():
    assert TMazeConfig(length=(5, 3)).stages == [{"length": (3,)}, {"length": (5, 3)}]
    assert TMazeConfig().stages == [{"length": (10,)}]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"length": ()}, r"length=\(\): must be a whole number, from 1"),
        ({"length": (3, 0)}, "length=0: must be a whole number, from 1"),
        ({"view_size": 4}, "view_size=4: must be odd"),
        ({"max_steps": 0}, "max_steps=0: must be a whole number, from 1"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_with_what_is_allowed(fields, message):
    with pytest.raises(ValueError, match=message):
        TMazeConfig(**fields)
