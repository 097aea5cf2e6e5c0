"""Players of a batch of games, for evaluation and videos: a policy, or a scripted player."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium.vector import VectorEnv

from agents.impala.streams import ActionStreams, actor_seeds
from agents.networks.inputs import Inputs
from agents.networks.policy import Action, Policy
from envs.players import MakePlayer, ScriptedPlayer
from memory.fused.held import weights_held

EVALUATION = 2**32 - 1
"""Used in the seeds in place of the number of updates: larger than in any run, so that levels and
actions differ from those of training."""

Agent = Policy | MakePlayer


@runtime_checkable
class Player(Protocol):
    """Chooses actions for all games of a vector environment from what it observes."""

    def act(self) -> np.ndarray:
        """The next action of each game, int64 `[N]`."""
        ...

    def observe(self, observations: np.ndarray, rewards: np.ndarray, is_first: np.ndarray) -> None:
        """Take in the results of the last actions.

        Args:
            is_first: where the observation is the first of an episode.
        """
        ...


class Acted(NamedTuple):
    """One step of a policy in N games."""

    inputs: Inputs
    """`[1, N, ...]`."""
    before: Any
    """State of the core before the step."""
    action: Action


class PolicyPlayer:
    """A policy with one recurrent state and one stream of random numbers per game.

    Args:
        observations: the first of each game.
        seeds: uint64 `[N]`, of the actions.
        greedy: take the most likely action instead of sampling.
    """

    def __init__(
        self, policy: Policy, observations: np.ndarray, seeds: np.ndarray, greedy: bool
    ) -> None:
        count = len(seeds)
        self.policy, self.greedy = policy, greedy
        self.device = next(policy.parameters()).device
        self.random = ActionStreams(seeds, policy.num_draws)
        self.state = policy.initial_state(count)
        self.actions = policy.distribution.no_actions(count).to(self.device)
        self.acted: Acted | None = None
        """The last step."""
        self.observe(observations, np.zeros(count), np.ones(count, bool))

    @torch.no_grad()
    def act(self) -> np.ndarray:
        """The next action of each game."""
        uniforms = None if self.greedy else torch.as_tensor(self.random.next()).to(self.device)
        now, before = Inputs(*(x[None] for x in self.now)), self.state
        action, self.state = self.policy.act(now, before, uniforms)
        self.actions, self.acted = action.actions, Acted(now, before, action)
        return self.actions.cpu().numpy()

    def observe(self, observations: np.ndarray, rewards: np.ndarray, is_first: np.ndarray) -> None:
        """Keep the results of the last actions as the next inputs."""
        self.now = Inputs(
            torch.as_tensor(np.array(observations), device=self.device),
            self.actions,
            torch.as_tensor(rewards, dtype=torch.float32, device=self.device),
            torch.as_tensor(is_first, device=self.device),
        )


class EnvironmentReader:
    """A scripted player, which reads the environment and needs no observations."""

    def __init__(self, player: ScriptedPlayer) -> None:
        self.act = player.act

    def observe(self, observations: np.ndarray, rewards: np.ndarray, is_first: np.ndarray) -> None:
        """Does nothing."""


@contextmanager
def playing(
    agent: Agent, env: VectorEnv, *, seed: int, greedy: bool, first: int = 0
) -> Generator[Player, None, None]:
    """Reset `env` to fresh levels and yield the agent's player.

    A policy is in evaluation mode inside the block; its modes are restored after it. Global random
    state does not change. The levels and random numbers of game i do not depend on the number of
    games.

    Args:
        first: number of the first game: game 0 then has the levels of game `first`.
    """
    seeds = actor_seeds(seed, range(first, first + env.num_envs), EVALUATION)
    # Gymnasium's types allow only one seed for all games.
    level_seeds: Any = [int(s) for s in seeds[:, 0] >> np.uint64(1)]
    observations, _ = env.reset(seed=level_seeds)
    if not isinstance(agent, Policy):
        yield EnvironmentReader(agent(env, seed))
        return
    modes = {module: module.training for module in agent.modules()}
    agent.eval()
    try:
        with weights_held(agent):
            yield PolicyPlayer(agent, observations, seeds[:, 1], greedy)
    finally:
        for module, training in modes.items():
            module.training = training
