"""The games of the registry as environments of `gymnasium.make` and `gymnasium.make_vec`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode

from envs.checks import check_names
from envs.config import EnvConfig
from envs.game_config import GameConfig
from envs.single import GameEnv
from envs.vector import GameVectorEnv


def register(configs: Mapping[str, EnvConfig]) -> None:
    """Register the id of every game; its arguments are the fields of its configuration."""
    for name, config in configs.items():
        if not isinstance(config, EnvConfig):
            raise TypeError(
                f"envs.ENVS[{name!r}] is {config!r}; it must be an instance of a dataclass that "
                "inherits from envs.config.EnvConfig or envs.game_config.GameConfig"
            )
        if isinstance(config, GameConfig):
            gymnasium.register(
                config.id,
                entry_point="envs.entry_points:make",
                vector_entry_point="envs.entry_points:make_vector",
                kwargs={"name": name},
            )


def make(*, name: str, render_mode: str | None = None, **fields: Any) -> GameEnv:
    """Make one game.

    Args:
        name: of the configuration in `envs.ENVS`.
        fields: of the configuration, where they are to differ.
    """
    return _game_config(name, fields).make(render_mode=render_mode)


def make_vector(
    num_envs: int,
    *,
    name: str,
    max_episode_steps: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    render_mode: str | None = None,
    **fields: Any,
) -> GameVectorEnv:
    """Make a batch of games; see `make`.

    Args:
        max_episode_steps: what Gymnasium calls the step limit of a game.
    """
    if max_episode_steps is not None:
        fields[_game_config(name, {}).step_limit] = max_episode_steps
    config = _game_config(name, fields)
    return config.make_vector(num_envs, autoreset_mode=autoreset_mode, render_mode=render_mode)


def _game_config(name: str, fields: Mapping[str, Any]) -> GameConfig:
    from envs import ENVS  # the registry imports this module

    config: Any = ENVS[name]
    check_names(fields, [field.name for field in dataclasses.fields(config)])
    return dataclasses.replace(config, **fields)
