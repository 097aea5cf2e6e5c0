"""The scripted players: what they know, and what they reach."""

import numpy as np
import pytest

from envs.boxworld import BoxWorld, BoxWorldConfig
from envs.boxworld.players import PLAYERS

HARDEST = BoxWorldConfig(solution_length=(5,), num_distractors=(5,))
MIXED = BoxWorldConfig()


def play(config: BoxWorldConfig, name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return and length of the first episode of each game."""
    env = config.make_vector(count)
    env.reset(seed=0)
    player = PLAYERS[name](env, 0)
    returns, lengths, running = np.zeros(count), np.zeros(count), np.ones(count, np.bool_)
    while running.any():
        actions = player.act()
        assert actions.dtype == np.int64
        _, rewards, terminated, truncated, _ = env.step(actions)
        returns += np.where(running, rewards, 0)
        lengths += running
        running &= ~(terminated | truncated)
    return returns, lengths


@pytest.mark.parametrize("name", ["oracle", "explorer"])
@pytest.mark.parametrize("config", [MIXED, HARDEST])
def test_who_remembers_what_was_seen_solves_every_level(name, config):
    returns, lengths = play(config, name, 300)
    assert (returns >= 11).all()
    assert returns.max() == 15
    assert lengths.max() < 120


def test_the_oracle_takes_about_48_steps_for_the_hardest_levels():
    _, lengths = play(HARDEST, "oracle", 400)
    assert abs(lengths.mean() - 48.3) < 1.5


def test_the_explorer_takes_no_more_than_73_steps_for_the_hardest_levels():
    _, lengths = play(HARDEST, "explorer", 400)
    assert 60 < lengths.mean() < 73


def test_each_player_is_better_than_the_one_that_knows_less():
    scores = [play(MIXED, name, 200)[0].mean() for name in PLAYERS]
    assert list(PLAYERS) == ["random", "greedy", "explorer", "oracle"]
    assert scores[0] < 0.5 < scores[1] < 5 < 12 < scores[2]
    assert scores[3] == scores[2]


def test_in_full_view_the_explorer_is_as_fast_as_the_oracle():
    full = BoxWorldConfig(view="full")
    assert play(full, "explorer", 100)[1].mean() <= play(full, "oracle", 100)[1].mean() + 0.5


@pytest.mark.parametrize("name", ["greedy", "explorer"])
def test_a_player_acts_on_nothing_that_its_window_has_not_shown(name):
    """What lies out of view is replaced by a room without anything; the actions stay the same."""
    env, blind = MIXED.make_vector(50), MIXED.make_vector(50)
    for one in (env, blind):
        one.reset(seed=3)
    assert isinstance(blind.game, BoxWorld)
    for i, room in enumerate(blind.game.rooms):
        cells = blind.game.cells[i]
        hidden = np.ones_like(cells, np.bool_)
        top, left = max(0, room["row"] - 2), max(0, room["column"] - 2)
        hidden[top : room["row"] + 3, left : room["column"] + 3] = False
        cells[hidden & (cells != 1)] = 0
    actions = [PLAYERS[name](one, 5).act().tolist() for one in (env, blind)]
    assert actions[0] == actions[1]


def test_the_explorer_is_not_told_where_in_the_room_it_starts():
    """With nothing in view it acts alike, however near a border is beyond the view."""
    env = BoxWorldConfig(grid_size=20).make_vector(4)
    env.reset(seed=0)
    assert isinstance(env.game, BoxWorld)
    env.game.cells[:, 1:-1, 1:-1] = 0
    env.game.rooms["row"] = 3, 10, 18, 10
    env.game.rooms["column"] = 10, 3, 10, 18
    assert len(set(PLAYERS["explorer"](env, 0).act().tolist())) == 1


def test_a_player_of_boxworld_refuses_other_games():
    from envs.minipacman import MiniPacmanConfig

    with pytest.raises(TypeError, match="this player plays BoxWorld, not MiniPacman"):
        PLAYERS["oracle"](MiniPacmanConfig().make_vector(1), 0)
