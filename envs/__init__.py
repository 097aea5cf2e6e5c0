"""Environments that test memory, with compiled rules.

Importing this package registers an id with Gymnasium for every game of `ENVS`.
"""

from envs.compiled_cache import ensure_cache

ensure_cache()

from envs.boxworld import BoxWorldConfig
from envs.config import EnvConfig
from envs.entry_points import register
from envs.gymnasium_env import GymnasiumConfig
from envs.minipacman import MiniPacmanConfig
from envs.tmaze import TMazeConfig

ENVS: dict[str, EnvConfig] = {
    "boxworld": BoxWorldConfig(),
    "boxworld-full": BoxWorldConfig(
        view="full", solution_length=(1, 2, 3, 4), num_distractors=(0, 1, 2, 3, 4)
    ),
    "minipacman": MiniPacmanConfig(),
    "minipacman-full": MiniPacmanConfig(view="full"),
    "tmaze": TMazeConfig(),
    "gymnasium": GymnasiumConfig(),
}
"""The environments of the command line, by name."""

register(ENVS)

__all__ = ["ENVS", "BoxWorldConfig", "EnvConfig", "GymnasiumConfig", "MiniPacmanConfig"]
