"""Masks of actions, in all forms that environments give."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from envs import GymnasiumConfig
from envs.fault import EnvironmentFault
from envs.players import RandomPlayer
from envs.spaces.action_mask import ActionMask


@pytest.mark.parametrize(
    ("space", "mask", "flat"),
    [
        (Discrete(3), np.array([1, 0, 1], np.int8), [1, 0, 1]),
        (Discrete(3, start=-1), [False, True, True], [0, 1, 1]),
        (Discrete(3), None, [1, 1, 1]),
        (MultiDiscrete([2, 3]), (np.array([1, 0]), np.array([0, 1, 0])), [1, 0, 0, 1, 0]),
        (MultiDiscrete([2, 3]), np.array([1, 0, 0, 1, 0]), [1, 0, 0, 1, 0]),
        (MultiDiscrete(np.array([[2], [2]])), (([0, 1],), ([1, 0],)), [0, 1, 1, 0]),
    ],
)
def test_a_mask_is_read_in_the_form_of_gymnasium(space, mask, flat):
    read = ActionMask(space).read(mask)
    assert read.dtype == np.uint8 and read.tolist() == flat


@pytest.mark.parametrize(
    ("space", "mask", "reason"),
    [
        (Discrete(3), [1, 0], "expected 3 numbers, 0 or 1"),
        (Discrete(3), [1, 0, 2], "expected 3 numbers, 0 or 1"),
        (Discrete(3), "all", "expected 3 numbers, 0 or 1"),
        (Discrete(3), [0, 0, 0], "allows none of the actions$"),
        (MultiDiscrete([2, 3]), ([1, 0], [0, 0, 0]), "allows none of the actions of part 1$"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(space, mask, reason):
    with pytest.raises(ValueError, match=rf"info\['action_mask'\].*{reason}"):
        ActionMask(space).read(mask)


class Masked(gymnasium.Env):
    """Allows one action, the number of the step; `masks` changes the mask of a step."""

    observation_space = Box(-1, 1, (2,), np.float32)
    action_space = Discrete(4, start=1)

    def __init__(self, render_mode: str | None = None):
        self.masks = lambda step, mask: mask

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return self._now()

    def step(self, action):
        assert action - 1 == self.steps % 4
        self.steps += 1
        return *(now := self._now())[:1], 0.0, self.steps == 5, False, now[1]

    def _now(self):
        mask = self.masks(self.steps, np.eye(4, dtype=np.int8)[self.steps % 4])
        return np.full(2, 0.5, np.float32), {} if mask is None else {"action_mask": mask}


@pytest.fixture
def masked():
    gymnasium.register("Masked-v0", lambda **kwargs: Masked(**kwargs), disable_env_checker=True)
    yield GymnasiumConfig(id="Masked-v0")
    del gymnasium.registry["Masked-v0"]


def mask_of(batch, observations):
    slot = batch.single_observation_space.mask_slot
    return observations[:, slot.start : slot.stop].tolist()


@pytest.mark.parametrize("how", ["sync", "async"])
def test_the_mask_of_the_next_action_is_packed_with_each_observation(masked, how):
    batch = GymnasiumConfig(id=masked.id, vectorise=how).make_vector(2)
    observations, _ = batch.reset(seed=0)
    assert mask_of(batch, observations) == [[1, 0, 0, 0]] * 2
    assert observations[0, :8].view(np.float32).tolist() == [0.5, 0.5]
    for step in range(4):
        batch.step(np.full(2, step))
    observations, *_, infos = batch.step(np.zeros(2, np.int64))
    assert mask_of(batch, np.stack(infos["final_obs"])) == [[1, 1, 1, 1]] * 2
    assert mask_of(batch, observations) == [[1, 0, 0, 0]] * 2
    batch.close()


def test_an_observation_of_an_end_needs_no_action(masked):
    batch = masked.make_vector(1)
    batch.envs[0].unwrapped.masks = lambda step, mask: 0 * mask if step == 5 else mask
    batch.reset(seed=0)
    for step in range(4):
        batch.step(np.array([step]))
    *_, terminated, _, _ = batch.step(np.zeros(1, np.int64))
    assert terminated.all()


def test_a_mask_that_allows_nothing_is_a_fault_of_its_environment(masked):
    batch = masked.make_vector(2)
    batch.envs[1].unwrapped.masks = lambda step, mask: 0 * mask if step == 1 else mask
    batch.reset(seed=0)
    with pytest.raises(EnvironmentFault, match="allows none of the actions") as caught:
        batch.step(np.zeros(2, np.int64))
    assert caught.value.index == 1


def test_a_step_without_a_mask_allows_all(masked):
    batch = masked.make_vector(1)
    batch.envs[0].unwrapped.masks = lambda step, mask: None if step == 1 else mask
    batch.reset(seed=0)
    observations, *_ = batch.step(np.zeros(1, np.int64))
    assert mask_of(batch, observations) == [[1, 1, 1, 1]]


def test_a_mask_that_was_not_there_at_the_reset_is_refused(masked, monkeypatch):
    reset = Masked.reset
    monkeypatch.setattr(Masked, "reset", lambda self, **given: (reset(self)[0], {}))
    batch = masked.make_vector(1)
    batch.reset(seed=0)
    with pytest.raises(EnvironmentFault, match=r"--env\.no-action-mask"):
        batch.step(np.zeros(1, np.int64))


def test_masks_can_be_ignored(masked):
    batch = GymnasiumConfig(id=masked.id, action_mask=False).make_vector(1)
    assert batch.single_observation_space == Masked.observation_space
    batch.reset(seed=0)
    batch.step(np.zeros(1, np.int64))


def test_a_run_says_that_actions_are_masked(masked):
    assert masked.notes()[-1] == "actions: masked by info['action_mask']"
    assert GymnasiumConfig().notes() == ["observation: 4 numbers, not scaled"]


def test_the_random_player_takes_allowed_actions(masked):
    batch = masked.make_vector(3)
    batch.reset(seed=0)
    player = RandomPlayer(batch, 0)
    for step in range(7):
        actions = player.act()
        assert actions.tolist() == [step % 5 % 4] * 3
        batch.step(actions)
