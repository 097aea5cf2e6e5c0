"""Environments of others, as one of ours."""

import os
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs import GymnasiumConfig
from envs.fault import EnvironmentFault
from envs.spaces.packing import PackedObservation
from envs.watched import SafelyClosed


class Breaks(gymnasium.Env):
    """Goes wrong in the way it is told, at its second step."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, how: str, render_mode: str | None = None):
        self.how, self.steps, self.render_mode = how, 0, render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if self.how == "reset":
            raise RuntimeError("no level")
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.how == "raise" and self.steps == 2:
            raise RuntimeError("the maze fell in")
        size = 3 if self.how == "shape" and self.steps == 2 else 2
        return np.zeros(size, np.float32), 0.0, False, False, {}


@pytest.fixture
def breaks():
    gymnasium.register("Breaks-v0", lambda **given: Breaks(**given), disable_env_checker=True)
    yield "Breaks-v0"
    del gymnasium.registry["Breaks-v0"]


def id_of(env: gymnasium.Env) -> str:
    assert env.spec is not None
    return env.spec.id


def test_an_id_makes_one_environment_and_a_batch_that_resets_in_the_same_step():
    config = GymnasiumConfig()
    batch = config.make_vector(3)
    assert id_of(config.make()) == "CartPole-v1"
    assert batch.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    batch.reset(seed=0)
    for _ in range(60):
        *_, terminated, _, infos = batch.step(np.zeros(3, np.int64))
        assert ("final_obs" in infos) == terminated.any()
        if terminated.any():
            return
    pytest.fail("no episode ended")


def test_the_keyword_arguments_reach_the_environment():
    config = GymnasiumConfig(id="FrozenLake-v1", kwargs={"map_name": "8x8"})
    fields = gymnasium.spaces.Discrete(64)
    assert config.make().observation_space == fields
    assert config.make_vector(2).single_observation_space == fields


def test_an_id_may_name_the_module_that_registers_it():
    assert id_of(GymnasiumConfig(id="envs:BoxWorld-v0").make()) == "BoxWorld-v0"


@pytest.mark.parametrize(
    ("how", "reason"),
    [("raise", "RuntimeError: the maze fell in"), ("shape", r"has the shape \[3\]; .* says \[2\]")],
)
def test_what_goes_wrong_in_one_environment_is_told_with_its_index(breaks, how, reason):
    batch = GymnasiumConfig(id=breaks, kwargs={"how": how}).make_vector(2)
    batch.reset(seed=0)
    assert isinstance(batch, SyncVectorEnv)
    first = batch.envs[0].unwrapped
    assert isinstance(first, Breaks)
    first.how = "nothing"
    batch.step(np.zeros(2, np.int64))
    with pytest.raises(EnvironmentFault, match=reason) as caught:
        batch.step(np.zeros(2, np.int64))
    assert caught.value.index == 1


def test_a_reset_that_goes_wrong_is_told_too(breaks):
    batch = GymnasiumConfig(id=breaks, kwargs={"how": "reset"}).make_vector(2)
    with pytest.raises(EnvironmentFault, match="no level") as caught:
        batch.reset(seed=0)
    assert caught.value.index == 0


class Structured(gymnasium.Env):
    """Shows a picture, a direction and a text; `spoil` changes the observation."""

    observation_space = gymnasium.spaces.Dict(
        image=gymnasium.spaces.Box(0, 255, (5, 5, 3), np.uint8),
        inside=gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(4)]),
        mission=gymnasium.spaces.Text(9),
    )
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode: str | None = None):
        self.spoil = lambda observation: observation

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._observe(), {}

    def step(self, action):
        return self.spoil(self._observe()), 0.0, False, False, {}

    def _observe(self):
        return {"image": np.full((5, 5, 3), 7, np.uint8), "inside": (3,), "mission": "go on"}


@pytest.fixture
def structured():
    gymnasium.register(
        "Structured-v0", lambda **given: Structured(**given), disable_env_checker=True
    )
    yield GymnasiumConfig(id="Structured-v0")
    del gymnasium.registry["Structured-v0"]


def test_observations_of_several_parts_become_one_array_per_environment(structured):
    batch = structured.make_vector(2)
    observations, _ = batch.reset(seed=0)
    packed = batch.single_observation_space
    assert isinstance(packed, PackedObservation)
    assert observations.shape == (2, *packed.shape) and observations.dtype == np.uint8
    assert np.array_equal(observations[1], packed.pack(Structured()._observe()))
    assert (observations[0] == 7).sum() == 75
    assert [note.partition(":")[0] for note in structured.notes()] == [
        "image",
        "inside[0]",
        "mission",
    ]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"inside": (4,)}, r"an observation \(inside\[0\]\) is 4; its space is Discrete"),
        ({"inside": ()}, r"an observation \(inside\) has no 0"),
        ({"mission": 3}, r"an observation \(mission\) is 3"),
        ({"image": np.zeros((5, 5), np.uint8)}, r"\(image\) has the shape \[5, 5\]"),
    ],
)
def test_a_part_that_is_not_in_its_space_is_named(structured, wrong, reason):
    batch = structured.make_vector(2)
    batch.reset(seed=0)
    batch.envs[1].unwrapped.spoil = lambda observation: observation | wrong
    with pytest.raises(EnvironmentFault, match=reason) as caught:
        batch.step(np.zeros(2, np.int64))
    assert caught.value.index == 1


@pytest.mark.parametrize(("name", "kind"), [("minigrid.x", "planes"), ("other.x", "picture")])
def test_pictures_of_minigrid_are_categories(structured, monkeypatch, name, kind):
    monkeypatch.setattr(Structured, "__module__", name)
    packed = structured.make_vector(1).single_observation_space
    assert packed.slots[0].leaf.kind == kind


def test_the_reading_of_pictures_can_be_set(structured):
    config = GymnasiumConfig(id="Structured-v0", channels_first=True, scale="none")
    packed = config.make_vector(1).single_observation_space
    assert isinstance(packed, PackedObservation)
    leaf = packed.slots[0].leaf
    assert leaf.shape == (5, 3, 5) and leaf.span == 1


class Careless(gymnasium.Env):
    """Uses one array for all observations, and does what `habit` names."""

    observation_space = gymnasium.spaces.Box(0, 9, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, habit: str = "", render_mode: str | None = None):
        self.habit, self.array, self.seeds = habit, np.zeros(2, np.float32), []
        if habit == "changes folder":
            os.chdir("/")

    def reset(self, *, seed=None, options=None):
        if seed is not None and seed >= 2**32 and self.habit == "small seeds":
            raise ValueError("Seed must be between 0 and 2**32 - 1")
        if seed is not None:
            self.seeds.append(seed)
        self.array[:] = 0
        return self.array, {"text": "a", "solved": "no"}

    def step(self, action) -> tuple[np.ndarray, float, Any, Any, dict[str, Any]]:
        self.array += 1
        over = self.array[0] == 3
        infos = {"shape": np.zeros(int(self.array[0])), "solved": over}
        if self.habit == "changes folder":
            os.chdir("/")
        if self.habit == "out of bounds":
            return self.array + 9, 0.0, False, over, infos
        if self.habit == "whole number":
            return self.array, 0.0, int(over), False, infos
        return self.array, 0.0, False, bool(over), infos

    def close(self) -> None:
        if self.habit == "cannot be closed":
            raise RuntimeError("the window is gone")


@pytest.fixture
def careless():
    gymnasium.register("Careless-v0", lambda **given: Careless(**given))

    def make(habit: str = "", **fields):
        return GymnasiumConfig(id="Careless-v0", kwargs={"habit": habit}, **fields)

    yield make
    del gymnasium.registry["Careless-v0"]


def test_an_array_that_is_used_again_does_not_change_the_final_observation(careless):
    batch = careless().make_vector(2)
    batch.reset(seed=0)
    observations, *_, infos = [batch.step(np.zeros(2, np.int64)) for _ in range(3)][-1]
    assert infos["final_obs"][0].tolist() == [3, 3] and observations[0].tolist() == [0, 0]


def test_infos_are_dropped_unless_they_are_numbers_that_are_read(careless):
    batch = careless().make_vector(2)
    _, infos = batch.reset(seed=0)
    assert not infos
    for _ in range(3):
        *_, infos = batch.step(np.zeros(2, np.int64))
    assert set(infos["final_info"]) == {"solved", "_solved"}
    assert infos["final_info"]["solved"].tolist() == [1, 1]


def test_an_environment_that_refuses_large_seeds_gets_smaller_ones(careless):
    seeds = [2**62 + 5, 2**40 + 7]
    small, large = (careless(habit).make_vector(2) for habit in ("small seeds", ""))
    for batch, expected in ((small, [5, 7]), (large, seeds)):
        batch.reset(seed=seeds)
        assert [env.unwrapped.seeds for env in batch.envs] == [[seed] for seed in expected]
        batch.step(np.zeros(2, np.int64))


def test_an_environment_that_cannot_be_closed_is_reported(careless, caplog):
    config = careless("cannot be closed")
    config.make().close()
    config.make_vector(2).close()
    assert "close raised RuntimeError: the window is gone" in caplog.text


def test_an_environment_without_spaces_is_refused():
    gymnasium.register("Bare-v0", "gymnasium:Env")
    try:
        with pytest.raises(ValueError, match=r"Bare-v0 cannot be made: .*observation_space"):
            GymnasiumConfig(id="Bare-v0").make()
    finally:
        del gymnasium.registry["Bare-v0"]


def test_the_working_folder_is_kept(careless, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    batch = careless("changes folder").make_vector(1)
    assert os.getcwd() == str(tmp_path)
    batch.reset(seed=0)
    batch.step(np.zeros(1, np.int64))
    assert os.getcwd() == str(tmp_path)


def test_observations_out_of_bounds_are_counted_and_reported_once(careless, caplog):
    batch = careless("out of bounds").make_vector(2)
    batch.reset(seed=0)
    for _ in range(2):
        batch.step(np.zeros(2, np.int64))
    assert [env.num_out_of_bounds for env in batch.envs] == [2, 2]
    assert [record.message for record in caplog.records] == [
        "an observation has values from 10 to 10; its space says 0 to 9. It is used as it is."
    ]


def test_a_flag_that_is_no_bool_is_refused(careless):
    batch = careless("whole number").make_vector(1)
    batch.reset(seed=0)
    with pytest.raises(EnvironmentFault, match="terminated is 0; expected a bool"):
        batch.step(np.zeros(1, np.int64))


def test_processes_step_as_one_does_and_tell_the_same_faults(careless):
    one, many = (careless(vectorise=how).make_vector(2) for how in ("sync", "async"))
    for batch in (one, many):
        batch.reset(seed=0)
    for _ in range(4):
        for a, b in zip(
            *(batch.step(np.zeros(2, np.int64))[:4] for batch in (one, many)), strict=True
        ):
            assert np.array_equal(a, b)
    many.close()
    batch = careless("whole number", vectorise="async").make_vector(2)
    batch.reset(seed=0)
    with pytest.raises(EnvironmentFault, match="terminated is 0; expected a bool"):
        batch.step(np.zeros(2, np.int64))
    batch.close(terminate=True)


def test_wrappers_are_applied_by_name_the_innermost_first(careless):
    names = ("gymnasium.wrappers:TimeAwareObservation", "gymnasium.wrappers:FlattenObservation")
    config = GymnasiumConfig(id="CartPole-v1", wrappers=names)
    assert config.make_vector(1).single_observation_space.shape == (5,)
    made = config.make()
    assert isinstance(made, SafelyClosed) and type(made.env).__name__ == "FlattenObservation"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gymnasium.wrappers:FlattenObservations", "has no .* Did you mean FlattenObservation"),
        ("no_such_package.wrappers:Some", "is the package no_such_package installed"),
        ("FlattenObservation", "expected module:Class"),
    ],
)
def test_a_wrapper_that_cannot_be_found_is_named(name, reason):
    with pytest.raises(ValueError, match=rf"--env.wrappers {name}.*{reason}"):
        GymnasiumConfig(wrappers=(name,)).make()


def test_actions_that_start_elsewhere_are_counted_from_zero(careless, monkeypatch):
    monkeypatch.setattr(Careless, "action_space", gymnasium.spaces.Discrete(3, start=-1))
    batch, seen = careless().make_vector(3), []
    monkeypatch.setattr(
        Careless, "step", lambda self, a: (seen.append(a), (self.array, 0.0, False, False, {}))[1]
    )
    assert batch.single_action_space == gymnasium.spaces.Discrete(3)
    batch.reset(seed=0)
    batch.step(np.arange(3))
    assert seen == [-1, 0, 1]


class Picky(gymnasium.Wrapper):
    """Wraps nothing but `Careless` itself."""

    def __init__(self, env):
        assert isinstance(env, Careless)
        super().__init__(env)


@pytest.mark.parametrize("own", [None, 7])
def test_a_time_limit_is_outside_of_all_wrappers(own):
    gymnasium.register(
        "Bare-v0", lambda **given: Careless(**given), max_episode_steps=own, order_enforce=False
    )
    try:
        name = f"{__name__}:Picky"
        config = GymnasiumConfig(id="Bare-v0", wrappers=() if own else (name,))
        env = config.bounded(2).make()
    finally:
        del gymnasium.registry["Bare-v0"]
    env.reset()
    assert [env.step(0)[3] for _ in range(2)] == [False, own is None]
    assert env.spec and env.spec.max_episode_steps == (own or 2)


def test_a_time_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="time_limit=0: must be a whole number"):
        GymnasiumConfig(time_limit=0)
