"""Whoever plays a batch of games to be measured or filmed: a trained policy, or a script."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium.vector import VectorEnv

from agents.impala.streams import ActionStreams, actor_seeds
from agents.networks.inputs import Inputs
from agents.networks.policy import Policy
from memory.fused.held import weights_held

EVALUATION = 2**32 - 1
"""Stands where training's seeds have the number of updates made: more than any run makes, so that
the levels and the actions are never those of training."""


@runtime_checkable
class Script(Protocol):
    """A player that looks at the environment by itself."""

    def act(self) -> np.ndarray:
        """The next action of each game, int64 `[N]`."""
        ...


MakeScript = Callable[[Any, int], Script]
"""From the vector environment and a seed; the entries of each game's `PLAYERS` are such."""

Agent = Policy | MakeScript


@runtime_checkable
class Player(Protocol):
    """Acts for all games of a vector environment, and is told what came of it."""

    def act(self) -> np.ndarray:
        """The next action of each game, int64 `[N]`."""
        ...

    def see(self, observations: np.ndarray, rewards: np.ndarray, opens: np.ndarray) -> None:
        """What the last actions led to; `opens` says where the observation opens an episode."""
        ...


class PolicyPlayer:
    """A policy with one recurrent state and one stream of random numbers per game.

    Args:
        observations: that open the first episodes.
        seeds: uint64 `[N]`, of the actions.
        greedy: take the likeliest action instead of drawing one.
    """

    def __init__(
        self, policy: Policy, observations: np.ndarray, seeds: np.ndarray, greedy: bool
    ) -> None:
        count = len(seeds)
        self.policy, self.greedy = policy, greedy
        self.device = next(policy.parameters()).device
        self.random = ActionStreams(seeds, 1 + policy.decision_size)
        self.state = policy.initial_state(count)
        self.actions = torch.zeros(count, dtype=torch.long, device=self.device)
        self.see(observations, np.zeros(count), np.ones(count, bool))

    @torch.no_grad()
    def act(self) -> np.ndarray:
        """The next action of each game."""
        uniforms = None if self.greedy else torch.as_tensor(self.random.next()).to(self.device)
        now = Inputs(*(x[None] for x in self.now))
        action, self.state = self.policy.act(now, self.state, uniforms)
        self.actions = action.actions
        return self.actions.cpu().numpy()

    def see(self, observations: np.ndarray, rewards: np.ndarray, opens: np.ndarray) -> None:
        """What the last actions led to."""
        self.now = Inputs(
            torch.as_tensor(np.array(observations), device=self.device),
            self.actions,
            torch.as_tensor(rewards, dtype=torch.float32, device=self.device),
            torch.as_tensor(opens, device=self.device),
        )


class ScriptPlayer:
    """A script, which needs not be told anything."""

    def __init__(self, script: Script) -> None:
        self.act = script.act

    def see(self, observations: np.ndarray, rewards: np.ndarray, opens: np.ndarray) -> None:
        """The script has looked already."""


@contextmanager
def playing(
    agent: Agent, env: VectorEnv, *, seed: int, greedy: bool
) -> Generator[Player, None, None]:
    """Begin episodes of fresh levels in `env`, and seat the agent before them.

    A policy is in evaluation mode inside, and as it was after; no global random state is touched.
    Game i meets the same levels and luck however many others are played beside it.
    """
    seeds = actor_seeds(seed, range(env.num_envs), EVALUATION)
    # Gymnasium's types know one seed for all games only.
    level_seeds: Any = [int(s) for s in seeds[:, 0] >> np.uint64(1)]
    observations, _ = env.reset(seed=level_seeds)
    if not isinstance(agent, Policy):
        yield ScriptPlayer(agent(env, seed))
        return
    modes = {module: module.training for module in agent.modules()}
    agent.eval()
    try:
        with weights_held(agent):
            yield PolicyPlayer(agent, observations, seeds[:, 1], greedy)
    finally:
        for module, training in modes.items():
            module.training = training
