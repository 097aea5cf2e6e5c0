"""The games of the registry as environments of `gymnasium.make` and `gymnasium.make_vec`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode

from envs.checks import MAX_INT32, check_names
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
                max_episode_steps=config.max_episode_steps,
                kwargs={"name": name},
            )


def make(*, name: str, render_mode: str | None = None, **fields: Any) -> GameEnv:
    """Make one game, without a step limit unless `fields` has one: Gymnasium adds its own.

    Args:
        name: of the configuration in `envs.ENVS`.
        fields: of the configuration, where they are to differ.

    Raises:
        ValueError: an unknown field, or a step limit above that of the registered environment.
    """
    return _game_config(name, fields, MAX_INT32).make(render_mode=render_mode)


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
        max_episode_steps: what Gymnasium calls the step limit of a game; -1 for none.
    """
    limit = MAX_INT32 if max_episode_steps in (None, -1) else max_episode_steps
    config = _game_config(name, fields, limit)
    return config.make_vector(num_envs, autoreset_mode=autoreset_mode, render_mode=render_mode)


def _game_config(name: str, fields: Mapping[str, Any], limit: int) -> GameConfig:
    """The configuration of a game, whose step limit is the smaller of two."""
    from envs import ENVS  # the registry imports this module

    config: Any = ENVS[name]
    check_names(fields, [field.name for field in dataclasses.fields(config)])
    own, registered = fields.get(config.step_limit), config.max_episode_steps
    config = dataclasses.replace(config, **{config.step_limit: limit, **fields})
    if own is None:
        return config
    if own > registered:
        raise ValueError(
            f"{config.step_limit}={own}: Gymnasium's own limit is {registered} steps; "
            f"use max_episode_steps={own} instead"
        )
    return dataclasses.replace(config, **{config.step_limit: min(own, limit)})
