"""The wrapper that hides velocities."""

from typing import cast

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

from envs import GymnasiumConfig
from envs.hidden_velocities import POSITIONS, HiddenVelocities

WRAPPER = "envs.hidden_velocities:HiddenVelocities"


@pytest.mark.parametrize("id", ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "Acrobot-v1"])
def test_the_positions_are_left_and_scaled_by_their_bounds(id):
    plain, hidden = gymnasium.make(id), HiddenVelocities(gymnasium.make(id))
    kept, space = list(POSITIONS[id.partition("-")[0]]), cast("Box", plain.observation_space)
    largest = np.maximum(abs(space.low), abs(space.high))[kept]
    for env in (plain, hidden):
        env.action_space.seed(0)
    pairs = [(plain.reset(seed=0)[0], hidden.reset(seed=0)[0])]
    pairs += [tuple(env.step(env.action_space.sample())[0] for env in (plain, hidden))]
    for whole, part in pairs:
        assert part.tolist() == (whole[kept] / largest).tolist()
        assert hidden.observation_space.contains(part)


def test_cart_pole_shows_two_numbers_by_name():
    batch = GymnasiumConfig(wrappers=(WRAPPER,)).make_vector(1)
    assert batch.single_observation_space.shape == (2,)


def test_another_environment_is_refused_by_name():
    env = gymnasium.make("FrozenLake-v1")
    with pytest.raises(ValueError, match="does not know the velocities of FrozenLake; it knows"):
        HiddenVelocities(env)
