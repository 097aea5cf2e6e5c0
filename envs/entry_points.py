"""What `gymnasium.make` and `gymnasium.make_vec` call for the ids registered here."""

import dataclasses
from typing import Any, TypeVar

from gymnasium.vector import AutoresetMode

from envs.boxworld import BoxWorldConfig
from envs.minipacman import MiniPacmanConfig
from envs.options import check_names
from envs.single import GameEnv
from envs.vector import GameVectorEnv

Config = TypeVar("Config", BoxWorldConfig, MiniPacmanConfig)


def make_boxworld(*, render_mode: str | None = None, **fields: Any) -> GameEnv:
    """One game of BoxWorld; the fields are those of `BoxWorldConfig`."""
    return _config(BoxWorldConfig, fields).make(render_mode=render_mode)


def make_boxworld_vector(
    num_envs: int,
    *,
    max_episode_steps: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    render_mode: str | None = None,
    **fields: Any,
) -> GameVectorEnv:
    """A batch of games of BoxWorld; the fields are those of `BoxWorldConfig`."""
    if max_episode_steps is not None:
        fields["max_steps"] = max_episode_steps
    config = _config(BoxWorldConfig, fields)
    return config.make_vector(num_envs, autoreset_mode=autoreset_mode, render_mode=render_mode)


def make_minipacman(*, render_mode: str | None = None, **fields: Any) -> GameEnv:
    """One game of Mini Pacman; the fields are those of `MiniPacmanConfig`."""
    return _config(MiniPacmanConfig, fields).make(render_mode=render_mode)


def make_minipacman_vector(
    num_envs: int,
    *,
    max_episode_steps: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    render_mode: str | None = None,
    **fields: Any,
) -> GameVectorEnv:
    """A batch of games of Mini Pacman; the fields are those of `MiniPacmanConfig`."""
    if max_episode_steps is not None:
        fields["frame_cap"] = max_episode_steps
    config = _config(MiniPacmanConfig, fields)
    return config.make_vector(num_envs, autoreset_mode=autoreset_mode, render_mode=render_mode)


def _config(kind: type[Config], fields: dict[str, Any]) -> Config:
    check_names(fields, [field.name for field in dataclasses.fields(kind)])
    return kind(**fields)
