"""A trained agent that acts in a loop of one's own."""

from pathlib import Path
from typing import Any, NamedTuple, SupportsFloat

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import ArrayLike
from torch import Tensor

from agents.evaluation.player import EVALUATION
from agents.evaluation.saved import SavedAgent
from agents.evaluation.saved import load_agent as load_saved
from agents.impala.streams import ActionStreams, actor_seeds
from agents.networks.inputs import Inputs
from memory.inspect import Inspection, inspect

Numbers = ArrayLike | SupportsFloat
"""One number, such as a reward of Gymnasium, or an array of them."""


class AgentState(NamedTuple):
    """What an agent remembers of B games."""

    core: Any
    """State of the core; leaves `[B, ...]`."""
    actions: Tensor
    """The last actions, `[B]` or `[B, numbers]`."""


class TrainedAgent:
    """A trained policy, called as the recurrent policies of Stable-Baselines3 are.

    Observations and actions are those of `make_env`. An observation of the shape of
    `observation_space` is one game; with one axis more, it is a batch of B games.

    Args:
        saved: the policy, and the settings of its run.
        seed: of the actions that are sampled.
    """

    def __init__(self, saved: SavedAgent, seed: int = 0) -> None:
        self.config, self.policy, self.frame = saved
        env = self.config.env.make_vector(1)
        self.observation_space = env.single_observation_space
        self.action_space = env.single_action_space
        env.close()
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Restart the random numbers of the actions; game i draws those of `evaluate.py`'s."""
        self._seed = seed
        self._streams: dict[int, ActionStreams] = {}

    def level_seeds(self, num_envs: int) -> list[int]:
        """The seeds with which `evaluate.py --seed` resets its first `num_envs` environments."""
        seeds = actor_seeds(self._seed, range(num_envs), EVALUATION)[:, 0]
        return (seeds >> np.uint64(1)).tolist()

    def make_env(self, num_envs: int = 1) -> VectorEnv:
        """The environment that the agent was trained in, as a batch.

        An episode that ends is followed by the next in the same step: the observation is already
        the first of the next episode (`AutoresetMode.SAME_STEP`).
        """
        return self.config.env.make_vector(num_envs)

    @torch.no_grad()
    def act(
        self,
        observation: Numbers,
        state: AgentState | None = None,
        episode_start: Numbers | None = None,
        *,
        reward: Numbers | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray | np.int64, AgentState]:
        """The next action, and the state to pass with the next observation.

        Args:
            observation: of one game, or `[B, ...]`.
            state: from the last call; None starts new episodes.
            episode_start: whether the observation is the first of an episode, bool or `[B]`; None
                means that it is not. Memory of the episode before it is then ignored.
            reward: of the last action, float or `[B]`; needed if the agent sees its rewards
                (`config.policy.last_reward`), except at the first steps of episodes.
            deterministic: take the most likely action instead of sampling.

        Returns:
            The action, int64 `[]` or `[B]` (float32 with a last axis of numbers for spaces other
            than `Discrete`), and the state.

        Raises:
            ValueError: a shape is wrong, or the reward is missing.
        """
        inputs, core_state, is_batch = self._inputs(observation, state, episode_start, reward)
        batch = inputs.resets.shape[1]
        uniforms = None if deterministic else torch.as_tensor(self._random(batch).next())
        action, core_state = self.policy.act(inputs, core_state, uniforms)
        actions = action.actions.numpy()
        return actions if is_batch else actions[0], AgentState(core_state, action.actions)

    @torch.no_grad()
    def inspect(
        self,
        observation: Numbers,
        state: AgentState | None = None,
        episode_start: Numbers | None = None,
        *,
        reward: Numbers | None = None,
    ) -> Inspection:
        """What the core computes at a step: attention, gates and memory, see `memory.inspect`.

        Takes the same arguments as `act`, and changes nothing. T is 1; a `DecidingCore` takes the
        more likely decisions.
        """
        inputs, core_state, _ = self._inputs(observation, state, episode_start, reward)
        features = self.policy.encoder(inputs)
        return inspect(self.policy.core, features, core_state, inputs.resets)

    def _inputs(
        self,
        observation: Numbers,
        state: AgentState | None,
        episode_start: Numbers | None,
        reward: Numbers | None,
    ) -> tuple[Inputs, Any, bool]:
        """Inputs of the policy with T = 1, the state of the core, and whether it is a batch."""
        observations, is_batch = self._batched(np.asarray(observation))
        batch = len(observations)
        if state is None:
            state = AgentState(
                self.policy.initial_state(batch), self.policy.distribution.no_actions(batch)
            )
            starts = np.ones(batch, bool)
        else:
            starts = _one_each("episode_start", episode_start, batch).astype(bool)
        if len(state.actions) != batch:
            raise ValueError(f"state is of {len(state.actions)} games, observation of {batch}")
        if reward is None and self.config.policy.last_reward and not starts.all():
            raise ValueError(
                "reward is missing: this agent sees its last reward (policy.last_reward); pass the "
                "reward of the last step as reward=..."
            )
        inputs = Inputs(
            torch.as_tensor(observations)[None],
            state.actions[None],
            torch.as_tensor(_one_each("reward", reward, batch), dtype=torch.float32)[None],
            torch.as_tensor(starts)[None],
        )
        return inputs, state.core, is_batch

    def _batched(self, observations: np.ndarray) -> tuple[np.ndarray, bool]:
        """Observations `[B, ...]`, and whether they were a batch."""
        shape = self.observation_space.shape or ()
        if observations.shape == shape:
            return observations[None], False
        if observations.ndim and observations.shape[1:] == shape:
            return observations, True
        raise ValueError(
            f"observation has the shape {list(observations.shape)}; expected {list(shape)} for "
            f"one game, or {['B', *shape]} for a batch"
        )

    def _random(self, batch: int) -> ActionStreams:
        """The random numbers of a batch, which continue from call to call."""
        if batch not in self._streams:
            seeds = actor_seeds(self._seed, range(batch), EVALUATION)[:, 1]
            self._streams[batch] = ActionStreams(seeds, self.policy.num_draws)
        return self._streams[batch]


def _one_each(name: str, given: Numbers | None, batch: int) -> np.ndarray:
    """A number for each game; zeros for None."""
    values = np.zeros(batch) if given is None else np.atleast_1d(np.asarray(given))
    if values.shape != (batch,):
        raise ValueError(f"{name} has the shape {list(values.shape)}; expected [{batch}]")
    return values


def load_agent(run: str | Path, *, best: bool = False, seed: int = 0) -> TrainedAgent:
    """Load the newest checkpoint of a run, or the best one.

    Args:
        run: a run folder, or the name of a trained agent that comes with Engram.
        best: the checkpoint with the best return in training.
        seed: of the actions that are sampled.

    Raises:
        RunError: there is no such run, or its configuration cannot be read.
        CheckpointError: there is no valid checkpoint.
    """
    return TrainedAgent(load_saved(Path(run), best=best), seed)
