"""Environments of others, as one of ours."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from envs import GymnasiumConfig
from envs.fault import EnvironmentFault


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
