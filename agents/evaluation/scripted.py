"""The scripted players that can play an environment."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from agents.evaluation.player import MakeScript
from envs import BoxWorldConfig, MiniPacmanConfig
from envs.boxworld import players as boxworld
from envs.minipacman import players as minipacman


class AnyRandomPlayer:
    """Takes every action of any environment with the same probability."""

    def __init__(self, env: VectorEnv, seed: int) -> None:
        if not isinstance(env.single_action_space, spaces.Discrete):
            raise ValueError(
                f"the random player needs Discrete actions, not {env.single_action_space}"
            )
        self._space, self._count = env.single_action_space, env.num_envs
        self._random = np.random.default_rng(seed)

    def act(self) -> np.ndarray:
        """The next action of each environment."""
        return self._space.start + self._random.integers(self._space.n, size=self._count)


def players_of(env_config: Any) -> dict[str, MakeScript]:
    """The players of an environment by name, from the one that knows least."""
    if isinstance(env_config, BoxWorldConfig):
        return dict(boxworld.PLAYERS)
    if isinstance(env_config, MiniPacmanConfig):
        return dict(minipacman.PLAYERS)
    return {"random": AnyRandomPlayer}
