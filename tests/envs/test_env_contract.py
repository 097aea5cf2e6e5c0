"""The contract of the single and the vector API, over every game of the registry."""

import copy
import itertools
import pickle
import warnings
from dataclasses import dataclass, fields, replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics

import envs
from envs import GymnasiumConfig
from envs.entry_points import register
from envs.game_config import GameConfig
from envs.single import GameEnv
from envs.vector import GameVectorEnv

GAMES = {config.id: config for config in envs.ENVS.values() if isinstance(config, GameConfig)}
"""The games of the registry, by Gymnasium id."""
CLASSES = {type(config).__name__: type(config) for config in GAMES.values()}
MODES = list(AutoresetMode)


@pytest.fixture(params=GAMES)
def id(request) -> str:
    return request.param


def cap(id: str, steps: int) -> dict[str, Any]:
    """The option that truncates episodes after some steps."""
    return {GAMES[id].step_limit: steps}


def single(id: str, **kwargs: Any) -> GameEnv:
    env = gymnasium.make(id, **kwargs).unwrapped
    assert isinstance(env, GameEnv)
    return env


def vector(
    id: str, count: int, mode: AutoresetMode = AutoresetMode.NEXT_STEP, **kwargs: Any
) -> GameVectorEnv:
    env = gymnasium.make_vec(id, count, autoreset_mode=mode, **kwargs)
    assert isinstance(env, GameVectorEnv)
    return env


def actions_for(env: GameVectorEnv, steps: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(env.game.action_space.n, size=(steps, env.num_envs))


def assert_same(first: Any, second: Any) -> None:
    """Equal, through dictionaries, tuples and arrays."""
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_same(first[name], second[name])
    elif isinstance(first, tuple | list):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    else:
        np.testing.assert_array_equal(first, second)


def of_game(step: tuple, i: int) -> tuple:
    """Game i of what a vector step gave, its final observation and infos apart."""
    observations, rewards, terminated, truncated, infos = step
    info = {name: v[i] for name, v in infos.items() if "final" not in name}
    return observations[i], rewards[i], terminated[i], truncated[i], info


def test_every_game_of_the_registry_has_an_id_of_its_own():
    ours = {i for i, s in gymnasium.registry.items() if "envs.entry" in str(s.entry_point)}
    assert ours == set(GAMES)
    assert len(GAMES) == sum(isinstance(config, GameConfig) for config in envs.ENVS.values())


def test_every_configuration_of_the_registry_makes_one_environment_and_a_batch():
    for config in envs.ENVS.values():
        env, batch = config.make(), config.make_vector(2)
        assert batch.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        assert batch.single_observation_space == env.observation_space
        assert batch.single_action_space == env.action_space


def test_a_registry_entry_that_is_no_configuration_is_refused():
    with pytest.raises(TypeError, match=r"envs.ENVS\['mine'\] is <class .* an instance of"):
        register({"mine": GymnasiumConfig})  # type: ignore[dict-item]  # a class, no instance


def test_a_configuration_that_lacks_a_member_names_it():
    @dataclass(frozen=True)
    class Unfinished(GameConfig):
        max_steps: int = 3

    with pytest.raises(TypeError, match=r"Unfinished .*game.*id.*small"):
        Unfinished()  # pyright: ignore[reportAbstractUsage]


@pytest.mark.parametrize("config", envs.ENVS.values(), ids=envs.ENVS)
def test_a_configuration_names_fields_and_infos_that_exist(config):
    names = {field.name for field in fields(config)}
    assert set(config.idle()) <= names
    assert {name for stage in config.stages for name in stage} <= names
    if isinstance(config, GameConfig):
        game = config.game(1)
        assert config.step_limit in game.level_options
        assert {*game.level_options} <= names
        assert {*config.report} <= set(game.info_dtype.names or ())
        assert all(isinstance(value, str | tuple) for value in caption(config).values())


def caption(config: GameConfig) -> dict:
    env = config.make()
    return config.caption(env.reset(seed=0)[1])


@pytest.mark.parametrize("config", GAMES.values(), ids=GAMES)
def test_each_action_has_one_key(config):
    actions = [key.action for key in config.keys.values()]
    assert sorted(actions) == list(range(int(config.make().action_space.n)))


@pytest.mark.parametrize("config", GAMES.values(), ids=GAMES)
def test_each_scripted_player_acts_for_a_batch(config):
    assert "random" in config.players
    for make in config.players.values():
        env = config.make_vector(3)
        env.reset(seed=0)
        player = make(env, 0)
        for _ in range(5):
            actions = player.act()
            assert actions.dtype == np.int64
            assert env.action_space.contains(actions)
            env.step(actions)


def test_gymnasium_s_own_checker_finds_nothing(id, monkeypatch):
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(single(id))


def test_an_id_and_the_registry_make_the_same_games(id):
    env, other = GAMES[id].make(), single(id)
    assert_same(env.reset(seed=4), other.reset(seed=4))


def test_both_apis_give_the_same_without_autoreset(id):
    batch = vector(id, 3, AutoresetMode.DISABLED, **cap(id, 9))
    games = [single(id, **cap(id, 9)) for _ in range(3)]
    observations, infos = batch.reset(seed=5)
    for i, game in enumerate(games):
        observation, info = game.reset(seed=5 + i)
        assert_same(observation, observations[i])
        assert_same(info, {name: values[i] for name, values in infos.items()})
    for actions in actions_for(batch, 60):
        step = batch.step(actions)
        for i, game in enumerate(games):
            assert_same(game.step(actions[i]), of_game(step, i))
        ended = step[2] | step[3]
        if ended.any():
            observations, infos = batch.reset(options={"reset_mask": ended})
            for i in np.flatnonzero(ended):
                observation, info = games[i].reset()
                assert_same(observation, observations[i])
                assert_same(info, {name: values[i] for name, values in infos.items()})


def test_both_apis_give_the_same_with_resets_in_the_same_step(id):
    batch = vector(id, 3, AutoresetMode.SAME_STEP, **cap(id, 9))
    games = [single(id, **cap(id, 9)) for _ in range(3)]
    batch.reset(seed=5)
    for i, game in enumerate(games):
        game.reset(seed=5 + i)
    for actions in actions_for(batch, 60):
        step = batch.step(actions)
        final = step[4]
        ended = step[2] | step[3]
        assert ("final_obs" in final) == ("final_info" in final) == ended.any()
        for i, game in enumerate(games):
            observation, *outcome, info = game.step(actions[i])
            if ended[i]:
                assert final["_final_obs"][i] and final["_final_info"][i]
                assert_same(observation, final["final_obs"][i])
                assert_same(info, {k: v[i] for k, v in final["final_info"].items()})
                observation, info = game.reset()
            elif ended.any():
                assert not final["_final_obs"][i] and not final["_final_info"][i]
            assert_same((observation, *outcome, info), of_game(step, i))


def test_both_apis_give_the_same_with_resets_in_the_next_step(id):
    batch = vector(id, 3, **cap(id, 9))
    games = [single(id, **cap(id, 9)) for _ in range(3)]
    batch.reset(seed=5)
    for i, game in enumerate(games):
        game.reset(seed=5 + i)
    ended = np.zeros(3, np.bool_)
    for actions in actions_for(batch, 60):
        step = batch.step(actions)
        assert "final_obs" not in step[4]
        for i, game in enumerate(games):
            if ended[i]:
                observation, info = game.reset()
                assert_same((observation, 0, False, False, info), of_game(step, i))
            else:
                assert_same(game.step(actions[i]), of_game(step, i))
        ended = step[2] | step[3]


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_game_does_not_depend_on_the_batch_it_is_in(id, mode):
    whole = vector(id, 6, mode, **cap(id, 9))
    parts = [vector(id, n, mode, **cap(id, 9)) for n in (1, 3, 2)]
    seeds = [17, 3, 2**64 - 1, 0, 99, 4]
    whole.reset(seed=seeds)
    starts = np.cumsum([0, 1, 3, 2])
    for part, start in zip(parts, starts, strict=False):
        part.reset(seed=seeds[start : start + part.num_envs])
    for actions in actions_for(whole, 60):
        step = whole.step(actions)
        for part, start in zip(parts, starts, strict=False):
            mine = part.step(actions[start : start + part.num_envs])
            for i in range(part.num_envs):
                assert_same(of_game(mine, i), of_game(step, start + i))


def test_levels_differ_between_seeds_and_between_episodes(id):
    env = vector(id, 8)
    first, _ = env.reset(seed=0)
    second, _ = env.reset()
    assert len({o.tobytes() for o in first}) > 1
    assert (first != second).any()
    assert_same(env.reset(seed=0)[0], first)


def test_an_integer_seed_counts_up_over_the_games(id):
    env = vector(id, 4)
    assert_same(env.reset(seed=7), env.reset(seed=[7, 8, 9, 10]))
    assert_same(env.reset(seed=7), env.reset(seed=np.arange(7, 11, dtype=np.uint64)))
    assert_same(env.reset(seed=7), env.reset(seed=np.int64(7)))


def test_without_a_seed_the_games_differ_from_run_to_run(id):
    assert len({vector(id, 16).reset()[0].tobytes() for _ in range(4)}) > 1
    assert len({single(id).reset()[0].tobytes() for _ in range(32)}) > 1


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ([1, 2], "2 seeds were given for 3 games"),
        ([1, -1, 2], "negative"),
        ([0, 1, 2**64], "64"),
        (2**64, "64"),
    ],
)
def test_seeds_that_do_not_fit_are_refused(id, seed, message):
    with pytest.raises(ValueError, match=message):
        vector(id, 3).reset(seed=seed)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_of_an_environment_goes_on_alike_and_apart(id, clone):
    for env in (single(id), vector(id, 3)):
        env.reset(seed=1)
        env.step(env.action_space.sample() * 0)
        other = clone(env)
        env.action_space.seed(0)
        actions = [env.action_space.sample() for _ in range(20)]
        first = [env.step(action) for action in actions]
        assert_same([other.step(action) for action in actions], first)


@pytest.mark.parametrize("mode", MODES)
def test_a_state_resumes_exactly_in_another_environment(id, mode):
    env = vector(id, 4, mode, **cap(id, 9))
    env.reset(seed=1, options=cap(id, 11))
    actions = actions_for(env, 40)
    run(env, actions[:10])
    state = env.get_state()
    kept = copy.deepcopy(state)
    expected = run(env, actions[10:])
    assert_same(state, kept)  # what was handed out is a copy
    other = vector(id, 4, mode)
    other.set_state(state)
    assert_same(run(other, actions[10:]), expected)
    assert_same(state, kept)
    assert all(type(v) is np.ndarray and v.dtype.names is None for v in state.values())


def run(env: GameVectorEnv, actions: np.ndarray) -> list[tuple]:
    """All steps; games that end are reset by hand where nobody else does it."""
    steps = []
    for action in actions:
        steps.append(env.step(action))
        ended = steps[-1][2] | steps[-1][3]
        if env.autoreset_mode is AutoresetMode.DISABLED and ended.any():
            env.reset(options={"reset_mask": ended})
    return steps


def test_a_state_resumes_exactly_in_the_single_api(id):
    env, other = single(id), single(id)
    env.reset(seed=1)
    env.step(1)
    other.set_state(env.get_state())
    assert_same(env.step(1), other.step(1))
    assert_same(env.reset(), other.reset())


def test_a_state_of_another_number_of_games_is_refused(id):
    env, other = vector(id, 1), vector(id, 3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="state is of 1 games; this environment has 3"):
        other.set_state(env.get_state())


def test_what_is_handed_out_are_copies(id):
    env = vector(id, 3, AutoresetMode.SAME_STEP, **cap(id, 2))
    twin = vector(id, 3, AutoresetMode.SAME_STEP, **cap(id, 2))
    env.reset(seed=0)
    outcomes: list[Any] = [twin.reset(seed=0)]
    for actions in actions_for(env, 6):
        spoil(env.step(actions))
        outcomes.append(twin.step(actions))
        assert_same(env.get_state(), twin.get_state())
    kept = copy.deepcopy(outcomes)
    twin.step(actions_for(twin, 1)[0])
    assert_same(outcomes, kept)


def spoil(given: Any) -> None:
    """Overwrite every array in what a step gave."""
    for value in given.values() if isinstance(given, dict) else given:
        if isinstance(value, dict):
            spoil(value)
        elif isinstance(value, np.ndarray):
            value[...] = 1


def test_an_observation_of_the_single_api_is_a_copy(id):
    env = single(id)
    first, _ = env.reset(seed=0)
    kept = first.copy()
    second = env.step(1)[0]
    assert not np.shares_memory(first, second)
    env.reset()
    assert_same(first, kept)


def test_observations_can_be_written_into_the_caller_s_array(id):
    env, twin = vector(id, 3), vector(id, 3)
    env.reset(seed=0)
    twin.reset(seed=0)
    shape = env.game.observation_space.shape
    trajectory = np.zeros((5, 3, *shape), np.uint8)
    moves = actions_for(env, 6)
    for t, actions in enumerate(moves[:5]):
        step = env.step_into(actions, trajectory[t])
        assert step[0].base is trajectory
        assert_same(step, twin.step(actions))
    strided = np.zeros((3, 2, *shape), np.uint8)
    actions = moves[5]
    assert_same(env.step_into(actions, strided[:, 1])[0], twin.step(actions)[0])
    assert (strided[:, 0] == 0).all()


def test_what_a_step_returned_stays_as_it_was(id):
    env = vector(id, 3, AutoresetMode.SAME_STEP, **cap(id, 2))
    env.reset(seed=0)
    held, kept = [], []
    for actions in actions_for(env, 12):
        held.append(env.step(actions))
        kept.append(copy.deepcopy(held[-1]))
    assert_same(held, kept)


def test_observations_are_written_where_pixels_do_not_lie_side_by_side(id):
    env, twin = vector(id, 3), vector(id, 3)
    env.reset(seed=0)
    twin.reset(seed=0)
    height, width, channels = env.game.observation_space.shape
    out = np.zeros((3, height, 2 * width, channels), np.uint8)
    actions = actions_for(env, 1)[0]
    assert_same(env.step_into(actions, out[:, :, ::2])[0], twin.step(actions)[0])
    assert (out[:, :, 1::2] == 0).all()


def test_a_refused_action_changes_nothing(id):
    env = vector(id, 2, **cap(id, 1))
    env.reset(seed=0)
    env.step(np.zeros(2, np.int64))  # both end, and begin anew with the next step
    before = env.get_state()
    with pytest.raises(ValueError, match=r"actions range over 0\.\.9"):
        env.step(np.array([0, 9]))
    assert_same(env.get_state(), before)


def test_an_array_that_does_not_fit_is_refused(id):
    env = vector(id, 3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"observations_out is uint8 \[2, .* must be uint8 \[3, "):
        env.step_into(np.zeros(3, np.int64), np.zeros((2, 5, 5, 3), np.uint8))
    with pytest.raises(ValueError, match="observations_out is float64"):
        env.step_into(np.zeros(3, np.int64), np.zeros((3, *env.game.observation_space.shape)))


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_an_episode_is_truncated_at_the_cap_and_not_terminated(kind):
    seen = [0, 0]
    for small in kind.small().values():
        env = replace(small, **{kind.step_limit: 25}).make_vector(64)
        env.reset(seed=0)
        lengths = np.zeros(64, np.int64)
        for actions in actions_for(env, 200):
            _, _, terminated, truncated, _ = env.step(actions)
            lengths += 1
            assert not (terminated & truncated).any()
            assert (truncated == ((lengths == 25) & ~terminated)).all()
            seen = [seen[0] + terminated.sum(), seen[1] + truncated.sum()]
            lengths[terminated | truncated] = 0
    assert min(seen) > 0


@pytest.mark.parametrize("mode", MODES)
def test_make_vec_takes_the_mode_by_name_and_says_it(id, mode):
    env = vector(id, 2, mode.value)
    assert env.metadata["autoreset_mode"] is mode
    assert GameVectorEnv.metadata.get("autoreset_mode") is None
    assert env.spec is not None and env.spec.id == id


def test_next_step_is_the_mode_of_who_asks_for_none(id):
    assert gymnasium.make_vec(id, 2).metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def length_of(env, noop) -> int:
    """Steps until the first episode is truncated."""
    env.reset(seed=0)
    return next(n for n in itertools.count(1) if np.all(env.step(noop)[3]))


@pytest.mark.parametrize("given", ["Gymnasium's", "own", "both"])
def test_the_step_limit_is_the_same_however_a_game_is_made(id, given):
    asked = {
        "Gymnasium's": {"max_episode_steps": 5},
        "own": cap(id, 5),
        "both": {"max_episode_steps": 9} | cap(id, 5),
    }[given]
    config: Any = GAMES[id]
    ours = replace(config, **cap(id, 5))
    assert length_of(gymnasium.make(id, **asked), 0) == length_of(ours.make(), 0) == 5
    many = [gymnasium.make_vec(id, 2, mode, **asked) for mode in ("vector_entry_point", "sync")]
    for env in (*many, ours.make_vector(2)):
        assert length_of(env, np.zeros(2, np.int64)) == 5


def test_the_limit_can_be_raised_and_the_specification_says_it(id):
    assert gymnasium.spec(id).max_episode_steps == GAMES[id].max_episode_steps
    config: Any = GAMES[id]
    high = config.max_episode_steps + 3
    ours = replace(config, **cap(id, high))
    one: Any = gymnasium.make(id, max_episode_steps=high)
    many: Any = gymnasium.make_vec(id, max_episode_steps=high)
    made = (one, many, ours.make(), ours.make_vector(1))
    assert [env.spec.max_episode_steps for env in made] == [high] * 4
    assert one.unwrapped.game.config.max_episode_steps > high  # Gymnasium's wrapper truncates
    assert many.game.config.max_episode_steps == high


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_a_limit_above_gymnasiums_own_is_refused(id, make):
    high = GAMES[id].max_episode_steps + 1
    with pytest.raises(ValueError, match=f"use max_episode_steps={high} instead"):
        make(id, **cap(id, high))


def test_an_unknown_argument_gets_a_suggestion(id):
    right = GAMES[id].step_limit
    wrong = right[:-1]
    with pytest.raises(ValueError, match=f"{wrong!r}; did you mean {right!r}"):
        single(id, **{wrong: 3})


def test_options_hold_from_the_next_episode_on(id):
    env = vector(id, 2, AutoresetMode.SAME_STEP, **cap(id, 5))
    env.reset(seed=0)
    env.set_options(cap(id, 2))
    noop = np.zeros(2, np.int64)
    truncated = [env.step(noop)[3].tolist() for _ in range(9)]
    assert [all(t) for t in truncated] == [False] * 4 + [True, False, True, False, True]


def test_options_of_a_reset_stay(id):
    env = single(id)
    env.reset(seed=0, options=cap(id, 2))
    for _ in range(2):
        assert [env.step(0)[3] for _ in range(2)] == [False, True]
        env.reset()


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_every_option_can_be_set_at_a_reset(kind):
    env, other = (kind().make_vector(2) for _ in range(2))
    untried = set(env.game.level_options)
    for name, small in kind.small().items():
        options = {o: getattr(small, o) for o in env.game.level_options}
        untried -= {o for o, value in options.items() if value != getattr(kind(), o)}
        try:
            env.reset(seed=0, options=options)
        except ValueError as error:
            raise AssertionError(f"{kind.__name__}.small()[{name!r}]: {error}") from error
        assert {o: getattr(env.game.config, o) for o in options} == options
        other.set_state(env.get_state())
        assert other.game.config == env.game.config
    assert not untried, f"no variant in {kind.__name__}.small() changes {sorted(untried)}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"view_size": 7}, "'view_size' is fixed when the environment is made"),
        ({"nonsense": 7}, "unknown option 'nonsense'; allowed are "),
    ],
)
def test_options_that_cannot_be_set_are_refused(id, options, message):
    for env in (single(id), vector(id, 2)):
        with pytest.raises(ValueError, match=message):
            env.reset(options=options)


def test_a_refused_option_changes_nothing(id):
    env = vector(id, 2)
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises(ValueError):
        env.reset(options=cap(id, 5) | cap(id, 0))
    with pytest.raises(ValueError):
        env.reset(options=cap(id, 5) | {"nonsense": 1})
    assert_same(env.get_state(), before)


def test_a_mask_resets_only_its_games(id):
    env = vector(id, 4, AutoresetMode.DISABLED)
    env.reset(seed=0)
    env.step(np.ones(4, np.int64))
    before = env.get_state()
    mask = np.array([True, False, False, True])
    env.reset(seed=50, options={"reset_mask": mask})
    after = env.get_state()
    changed = [(after["streams"][i] != before["streams"][i]) for i in range(4)]
    assert changed == mask.tolist()
    other = vector(id, 4)
    other.reset(seed=50)
    fresh = other.get_state()
    for name in env.game.arrays():
        assert_same(after[name][mask], fresh[name][mask])
        assert_same(after[name][~mask], before[name][~mask])


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([True], r"bool \[1\]; it must be bool \[2\]"),
        ([1, 0], r"int64 \[2\]; it must be bool \[2\]"),
        ([False, False], "False everywhere"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(id, mask, message):
    with pytest.raises(ValueError, match=message):
        vector(id, 2).reset(options={"reset_mask": np.array(mask)})


def test_a_step_before_the_first_reset_is_refused(id):
    with pytest.raises(ResetNeeded):
        single(id).step(0)
    env = vector(id, 2, AutoresetMode.SAME_STEP)
    with pytest.raises(ResetNeeded):
        env.step(np.zeros(2, np.int64))
    env.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded):
        env.step(np.zeros(2, np.int64))


def test_without_autoreset_an_ended_game_waits_for_its_reset(id):
    env = vector(id, 2, AutoresetMode.DISABLED, **cap(id, 1))
    env.reset(seed=0)
    env.step(np.zeros(2, np.int64))
    env.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded, match=r"games \[1\] have ended"):
        env.step(np.zeros(2, np.int64))


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros(3, np.int64), r"int64 \[3\]; they must be integers \[2\]"),
        (np.zeros(2), r"float64 \[2\]; they must be integers"),
        (np.array([0, 99]), r"range over 0\.\.99; allowed are 0\.\."),
        (np.array([-1, 0]), r"range over -1\.\.0"),
    ],
)
def test_actions_that_do_not_fit_are_refused(id, actions, message):
    env = vector(id, 2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(actions)


@pytest.mark.parametrize("action", [-1, 99])
def test_an_action_out_of_range_is_refused_by_the_single_api(id, action):
    env = single(id)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=f"action is {action}; allowed are"):
        env.step(action)


def test_the_single_api_gives_plain_numbers(id):
    env = single(id)
    _, info = env.reset(seed=0)
    observation, reward, terminated, truncated, after = env.step(np.int64(1))
    assert observation.dtype == np.uint8
    assert type(reward) is float
    assert type(terminated) is bool and type(truncated) is bool
    assert {type(value) for value in [*info.values(), *after.values()]} <= {int, float, bool}


def test_frames_are_pictures_of_even_size(id):
    env, batch = single(id, render_mode="rgb_array"), vector(id, 2, render_mode="rgb_array")
    env.reset(seed=0)
    batch.reset(seed=0)
    frame, frames = env.render(), batch.render()
    assert isinstance(frame, np.ndarray)
    assert frame.dtype == np.uint8 and frame.ndim == 3
    assert frame.shape[0] % 16 == frame.shape[1] % 16 == 0
    assert frame.shape[2] == 3
    assert isinstance(frames, tuple) and len(frames) == 2
    assert_same(frames[0], frame)
    assert batch.game.view(1).shape[2] == 3
    assert all(side % 16 == 0 for side in batch.game.view(1).shape[:2])


def test_text_shows_the_game_in_characters(id):
    env, batch = single(id, render_mode="ansi"), vector(id, 32, render_mode="ansi")
    env.reset(seed=0)
    batch.reset(seed=0)
    text, texts = env.render(), batch.render()
    assert isinstance(text, str) and "\n" in text
    assert texts is not None and texts[0] == text
    assert len(set(texts)) > 1


def test_who_asks_for_no_pictures_gets_none(id):
    env = single(id)
    env.reset(seed=0)
    assert env.render() is None
    assert vector(id, 2).render() is None


def test_an_unknown_way_to_render_is_refused(id):
    config = GAMES[id]
    with pytest.raises(ValueError, match="render_mode is 'video'; allowed are None, human, "):
        config.make(render_mode="video")
    with pytest.raises(ValueError, match="render_mode is 'human'; allowed are None, rgb_array, "):
        config.make_vector(2, render_mode="human")


def test_a_window_opens_follows_the_game_and_closes(id, monkeypatch):
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = single(id, render_mode="human")
    env.reset(seed=0)
    shape = env.game.frame(0).shape
    assert pygame.display.get_surface().get_size() == (2 * shape[1], 2 * shape[0])
    env.step(1)
    pickle.dumps(env)
    env.close()
    assert pygame.display.get_surface() is None


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_gymnasium_s_wrappers_take_the_vector_api(id, mode):
    env = DictInfoToList(RecordEpisodeStatistics(vector(id, 3, mode, **cap(id, 4))))
    env.reset(seed=0)
    infos = [env.step(np.zeros(3, np.int64))[4] for _ in range(4)]
    assert [info["episode"]["l"] for info in infos[-1]] == [4, 4, 4]
    if mode is AutoresetMode.SAME_STEP:
        assert "final_info" in infos[-1][0] and "final_info" not in infos[0][0]


def test_two_batches_step_side_by_side_in_threads(id):
    from concurrent.futures import ThreadPoolExecutor

    batches = [vector(id, 16, AutoresetMode.SAME_STEP) for _ in range(2)]
    actions = actions_for(batches[0], 50)
    for batch in batches:
        batch.reset(seed=0)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda batch: run(batch, actions), batches)
    assert_same(first, second)
