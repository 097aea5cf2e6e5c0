"""Mini Pacman as a batch of games: seeds, states, options, APIs, settings."""

import pickle

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from envs.minipacman import MiniPacman, MiniPacmanConfig


def actions(num_steps, num_games, seed=0):
    return np.random.default_rng(seed).integers(0, 5, (num_steps, num_games))


def trace(env, moves):
    """Everything that steps return, as arrays over time."""
    steps = [env.step(move) for move in moves]
    arrays = [np.array([step[k] for step in steps]) for k in range(4)]
    infos = {name: np.array([step[4][name] for step in steps]) for name in env.game.info()}
    return [*arrays, *infos.values()]


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mode", ["regular", "avoid", "hunt", "ambush", "rush"])
@pytest.mark.parametrize("rules", ["release", "paper"])
def test_equal_seeds_give_equal_games(mode, rules):
    moves = actions(300, 8)
    one, other = (MiniPacmanConfig(mode=mode, rules=rules).make_vector(8) for _ in range(2))
    one.reset(seed=3)
    other.reset(seed=3)
    expected = trace(one, moves)
    assert_same(expected, trace(other, moves))
    other.reset(seed=4)
    assert (trace(other, moves)[0] != expected[0]).any()


def test_a_game_depends_on_its_own_seed_only():
    moves = actions(300, 6)
    many = MiniPacmanConfig().make_vector(6)
    many.reset(seed=10)
    together = trace(many, moves)
    for i in (0, 5):
        one = MiniPacmanConfig().make_vector(1)
        one.reset(seed=10 + i)
        assert_same([a[:, i : i + 1] for a in together], trace(one, moves[:, i : i + 1]))


def test_the_single_environment_plays_the_same_game_as_the_vector():
    moves = actions(400, 1)
    vector = MiniPacmanConfig().make_vector(1, autoreset_mode=AutoresetMode.NEXT_STEP)
    single = MiniPacmanConfig().make()
    first, _ = vector.reset(seed=5)
    np.testing.assert_array_equal(first[0], single.reset(seed=5)[0])
    ended = False
    for move in moves:
        observations, rewards, terminated, truncated, _ = vector.step(move)
        if ended:
            observation, reward, flags = single.reset()[0], 0.0, (False, False)
        else:
            observation, reward, *flags, _ = single.step(int(move[0]))
        np.testing.assert_array_equal(observations[0], observation)
        assert (rewards[0], terminated[0], truncated[0]) == (reward, *flags)
        ended = any(flags)


def test_a_restored_state_continues_exactly():
    moves = actions(400, 16)
    env = MiniPacmanConfig().make_vector(16)
    env.reset(seed=1)
    trace(env, moves[:100])
    env.set_options({"mode": "hunt", "rules": "paper", "power_bar": True})
    state = env.get_state()
    expected = trace(env, moves[100:])
    other = MiniPacmanConfig(frame_cap=17, stochasticity=0.5).make_vector(16)
    other.reset(seed=2)
    other.set_state(state)
    assert_same(trace(other, moves[100:]), expected)
    assert other.game.config == env.game.config


def test_a_state_is_a_copy_both_ways():
    env = MiniPacmanConfig().make_vector(4)
    env.reset(seed=0)
    state = env.get_state()
    kept = {name: value.copy() for name, value in state.items()}
    trace(env, actions(20, 4))
    env.set_state(state)
    trace(env, actions(20, 4))
    assert_same(state.values(), kept.values())


def test_games_outside_the_mask_are_left_alone():
    game = MiniPacman(4, MiniPacmanConfig())
    everyone, some = np.ones(4, np.bool_), np.array([True, False, True, False])
    game.seed(np.arange(4, dtype=np.uint64), everyone)
    game.begin(everyone)
    before = game.get_state()
    rewards = np.full(4, 9.0)
    ended = np.ones(4, np.bool_)
    shown, info = np.full((4, 5, 5, 3), 7, np.uint8), np.zeros(4, game.info_dtype)
    game.step(np.full(4, 1), some, rewards, ended, ended.copy(), everyone, shown, info)
    game.begin(some)
    game.seed(np.full(4, 99, np.uint64), some)
    after = game.get_state()
    for name in (*(game.games.dtype.names or ()), "streams"):
        np.testing.assert_array_equal(before[name][~some], after[name][~some])
    assert (before["streams"][some] != after["streams"][some]).all()
    assert (rewards[~some] == 9).all() and (rewards[some] != 9).all()


def test_options_hold_from_the_next_episode_on():
    env = MiniPacmanConfig().make_vector(1)
    env.reset(seed=0)
    env.set_options({"mode": "avoid", "frame_cap": 7})
    assert env.step(np.array([0]))[1][0] in (0, 1, 2, 3)
    env.reset()
    rewards, truncated = zip(*(env.step(np.array([0]))[1:4:2] for _ in range(7)), strict=True)
    assert [t[0] for t in truncated] == [False] * 6 + [True]
    assert rewards[1][0] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mod": "avoid"}, "did you mean 'mode'"),
        ({"view_size": 7}, "'view_size' is fixed"),
        ({"mode": "huntt"}, "did you mean 'hunt'"),
        ({"frame_cap": 0}, "frame_cap=0"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message):
    env = MiniPacmanConfig().make_vector(2)
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises(ValueError, match=message):
        env.reset(options=options)
    assert_same(before.values(), env.get_state().values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "reglar"}, "mode='reglar': must be one of regular, .*did you mean 'regular'"),
        ({"rules": "papr"}, "rules='papr'.*did you mean 'paper'"),
        ({"view": "window"}, "view='window': must be one of viewport, full"),
        ({"view_size": 4}, "view_size=4: must be odd"),
        ({"view_size": 39}, "view_size=39: must be a whole number, from 3 to 37"),
        ({"frame_cap": 2.5}, "frame_cap=2.5: must be a whole number"),
        ({"stochasticity": 1.5}, "stochasticity=1.5: must be from 0 to 1"),
        ({"power_bar": 3}, "power_bar=3: must be True or False"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        MiniPacmanConfig(**settings)


def test_ids_name_the_view():
    assert MiniPacmanConfig().id == "MiniPacmanViewport-v0"
    assert MiniPacmanConfig(view="full").id == "MiniPacman-v0"


def test_final_infos_tell_level_and_score_of_the_episode_that_ended():
    env = MiniPacmanConfig().make_vector(64)
    env.reset(seed=0)
    totals, seen = np.zeros(64), 0
    for move in actions(300, 64):
        _, rewards, terminated, truncated, infos = env.step(move)
        totals += rewards
        ended = terminated | truncated
        if ended.any():
            final = infos["final_info"]
            np.testing.assert_allclose(final["score"][ended], totals[ended])
            assert final["died"][terminated].all() and (final["level"][ended] >= 1).all()
            assert (infos["score"][ended] == 0).all()
            totals[ended], seen = 0, seen + ended.sum()
    assert seen > 50


def test_infos_tell_where_the_games_stand():
    env = MiniPacmanConfig().make_vector(3)
    _, infos = env.reset(seed=0)
    expected = {"level": 1, "food_left": 138, "power": 0, "died": False, "score": 0}
    assert set(infos) == set(expected)
    for name, value in expected.items():
        assert infos[name].tolist() == [value] * 3


@pytest.mark.parametrize("view", ["viewport", "full"])
def test_the_single_environment_passes_gymnasiums_checker(view):
    check_env(MiniPacmanConfig(view=view).make(), skip_render_check=True)


def test_the_single_environment_survives_pickling():
    env = MiniPacmanConfig().make()
    env.reset(seed=0)
    env.step(1)
    twin = pickle.loads(pickle.dumps(env))
    for move in actions(20, 1)[:, 0]:
        np.testing.assert_array_equal(env.step(move)[0], twin.step(move)[0])
