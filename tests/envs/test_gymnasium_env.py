"""Environments of others, as one of ours."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from envs import GymnasiumConfig
from envs.fault import EnvironmentFault
from envs.packing import PackedObservation


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
    gymnasium.register("Breaks-v0", Breaks, disable_env_checker=True)
    yield "Breaks-v0"
    del gymnasium.registry["Breaks-v0"]


def test_an_id_makes_one_environment_and_a_batch_that_resets_in_the_same_step():
    config = GymnasiumConfig()
    batch = config.make_vector(3)
    assert config.make().spec.id == "CartPole-v1"
    assert batch.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    batch.reset(seed=0)
    for _ in range(60):
        *_, terminated, _, infos = batch.step(np.zeros(3, np.int64))
        if terminated.any():
            break
    assert "final_obs" in infos


def test_the_keyword_arguments_reach_the_environment():
    config = GymnasiumConfig(id="FrozenLake-v1", kwargs={"map_name": "8x8"})
    assert config.make().observation_space.n == 64
    assert config.make_vector(2).single_observation_space.n == 64


def test_an_id_may_name_the_module_that_registers_it():
    assert GymnasiumConfig(id="envs:BoxWorld-v0").make().spec.id == "BoxWorld-v0"


@pytest.mark.parametrize(
    ("how", "reason"),
    [("raise", "RuntimeError: the maze fell in"), ("shape", r"has the shape \[3\]; .* says \[2\]")],
)
def test_what_goes_wrong_in_one_environment_is_told_with_its_index(breaks, how, reason):
    batch = GymnasiumConfig(id=breaks, kwargs={"how": how}).make_vector(2)
    batch.reset(seed=0)
    batch.envs[0].unwrapped.how = "nothing"
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
    gymnasium.register("Structured-v0", Structured, disable_env_checker=True)
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
    leaf = config.make_vector(1).single_observation_space.slots[0].leaf
    assert leaf.shape == (5, 3, 5) and leaf.span == 1
