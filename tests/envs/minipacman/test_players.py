"""Scores of scripted players, beside those measured on the original program.

Every game plays exactly one whole episode: episodes have a long tail, and a run that stops early
would count too few of the long ones.
"""

import numpy as np
import pytest

from envs.minipacman import MiniPacman, MiniPacmanConfig
from envs.minipacman.maze import DOWN, EMPTY, FOOD, LEFT, RIGHT, UP, WALLS
from envs.minipacman.players import PLAYERS

NUM_EPISODES = 8000


def one_episode_each(mode):
    """Returns and lengths of the random policy, one episode for each game."""
    game = MiniPacman(NUM_EPISODES, MiniPacmanConfig(mode=mode))
    running = np.ones(NUM_EPISODES, np.bool_)
    game.seed(np.arange(NUM_EPISODES, dtype=np.uint64), running)
    game.begin(running)
    random = np.random.default_rng(0)
    rewards = np.zeros(NUM_EPISODES)
    terminated, truncated = np.zeros((2, NUM_EPISODES), np.bool_)
    info = np.zeros(NUM_EPISODES, game.info_dtype)
    shown = running.copy(), np.zeros((NUM_EPISODES, 5, 5, 3), np.uint8), info
    while running.any():
        moves = random.integers(0, 5, NUM_EPISODES)
        game.step(moves, running, rewards, terminated, truncated, *shown)
        running = ~(terminated | truncated)
    return game.games["score"], game.games["frame"]


# The original counts a death twice when a ghost that cannot move is tested twice, in 109 of 8067
# episodes of hunt; what that adds to the measured returns is taken off here.
TWICE = 20 * 109 / 8067


@pytest.mark.parametrize(
    ("mode", "score", "length"),
    [
        ("regular", 9.78, 69.9),
        ("avoid", -16.86 + TWICE, 49.7),
        ("hunt", -20.08 + TWICE, 49.7),
        ("ambush", -21.08 + TWICE, 49.5),
        ("rush", 0.36, 58.0),
    ],
)
def test_the_random_policy_scores_as_on_the_original_program(mode, score, length):
    scores, lengths = one_episode_each(mode)
    # Four standard errors of the difference: the original's sample is about as large as ours.
    for values, expected in ((scores, score), (lengths, length)):
        error = values.std() / np.sqrt(NUM_EPISODES)
        assert abs(values.mean() - expected) < 4 * np.sqrt(2) * error
    if mode == "regular":
        assert abs((lengths == 3000).mean() - 0.006) < 0.004


def scores(name, num_games=200, **settings):
    """The scores of one episode of each game."""
    env = MiniPacmanConfig(**settings).make_vector(num_games)
    env.reset(seed=0)
    player = PLAYERS[name](env, 0)
    found = np.full(num_games, np.nan)
    while np.isnan(found).any():
        *_, terminated, truncated, infos = env.step(player.act())
        first = (terminated | truncated) & np.isnan(found)
        if first.any():
            found[first] = infos["final_info"]["score"][first]
    return found


def test_the_greedy_player_scores_as_in_the_design_of_the_game():
    # 464 on the original program, for a player by the same description.
    assert 420 < scores("greedy").mean() < 500


@pytest.mark.parametrize(
    ("mode", "least"), [("avoid", -2), ("hunt", 0), ("ambush", -6), ("rush", 120)]
)
def test_the_greedy_player_beats_the_random_one_in_every_mode(mode, least):
    assert scores("greedy", 50, mode=mode, frame_cap=1000).mean() > least


def test_the_greedy_player_plays_the_rules_of_the_paper_too():
    assert 360 < scores("greedy", 100, rules="paper").mean() < 500


def choice(*, pacman=(3, 5), ghost=(13, 1), pill=(13, 17), food=(3, 10), power=0, **settings):
    """What the greedy player does where little is in the maze."""
    env = MiniPacmanConfig(**settings).make_vector(1)
    env.reset(seed=0)
    state = env.get_state()
    state["cells"][0, ~WALLS] = EMPTY
    state["cells"][0, *food] = FOOD
    state["power"][:], state["num_pills"][:] = power, 1
    for name, (row, column) in (("", pacman), ("ghost_", ghost), ("pill_", pill)):
        state[f"{name}row"][:1, ...] = row
        state[f"{name}column"][:1, ...] = column
    env.set_state(state)
    return PLAYERS["greedy"](env, 0).act()[0]


def test_the_greedy_player_goes_around_the_ghosts_it_sees_and_no_others():
    assert choice() == RIGHT
    assert choice(ghost=(3, 8)) == RIGHT  # just beyond the view of 5 x 5
    assert choice(ghost=(3, 8), view_size=7) in (UP, DOWN)
    assert choice(ghost=(3, 8), view="full") in (UP, DOWN)
    assert choice(ghost=(3, 8), view="full", power=1) in (UP, DOWN)  # not edible for long enough
    assert choice(ghost=(3, 8), view="full", power=2) == RIGHT


def test_the_greedy_player_flees_where_no_way_is_safe():
    assert choice(pacman=(3, 9), food=(3, 17), ghost=(3, 10)) == LEFT


@pytest.mark.parametrize("mode", ["hunt", "ambush"])
def test_the_greedy_hunter_wants_pills_and_then_ghosts(mode):
    assert choice(pill=(1, 5), mode=mode) == UP
    assert choice(pill=(1, 5), ghost=(3, 7), power=9, mode=mode) == RIGHT


@pytest.mark.parametrize("name", PLAYERS)
def test_equal_seeds_make_equal_players(name):
    env = MiniPacmanConfig().make_vector(16)
    env.reset(seed=0)
    left, right = PLAYERS[name](env, 1), PLAYERS[name](env, 1)
    for _ in range(10):
        actions = left.act()
        assert actions.dtype == np.int64 and actions.shape == (16,)
        np.testing.assert_array_equal(actions, right.act())
