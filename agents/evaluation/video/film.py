"""Videos of agents: some episodes, a grid of levels, agents side by side, progress in training."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from math import isfinite
from pathlib import Path

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from agents.evaluation.evaluate import MAX_STEPS, evaluate
from agents.evaluation.player import Agent, playing
from agents.evaluation.video.choice import LEVELS, Pick, choose
from agents.evaluation.video.encoder import VideoError, check_suffix, writing
from agents.evaluation.video.picture import compose, in_grid, tile
from agents.evaluation.video.show import Show
from agents.impala.episodes import Episode
from envs import EnvConfig
from memory.options import positive

DEFAULT_FPS = 8.0
"""Frames per second if the environment specifies none."""
FPS = (1.0, 50.0)
"""Limits of the frames per second."""


def film(
    agent: Agent,
    env_config: EnvConfig,
    *,
    episodes: int,
    seed: int,
    greedy: bool,
    out: Path,
    level: int | Pick = 0,
    title: str = "",
    with_memory: bool = True,
    max_steps: int = MAX_STEPS,
) -> list[Episode]:
    """Record episodes: the level, what the agent sees and does, and what its memory holds.

    The episodes are those of game `level` of `evaluate` with the same seed. The last frame of each
    is shown for a second. The file is written atomically. The agent's mode and the global random
    state do not change.

    Args:
        out: an mp4 or a gif.
        level: number of the first game, or which of the first `choice.LEVELS` to show.
        title: of the pictures.
        with_memory: show what the memory holds.
        max_steps: as in `evaluate`.

    Raises:
        VideoError: the file format is not supported, the environment cannot be rendered, the file
            cannot be written, or there is no such level.
        EnvironmentFault: the environment failed.
    """
    check_suffix(out)
    positive(episodes=episodes)
    if isinstance(level, int):
        count, first, shown = 1, level, 0
    else:
        played = evaluate(
            agent, env_config, episodes=LEVELS, seed=seed, greedy=greedy, max_steps=max_steps
        ).episodes
        # All of the levels are played again: in another batch, rounding could change an action.
        count, first, shown = LEVELS, 0, choose(played, level)
    with _show(
        agent, env_config, count, seed, greedy, first, [shown], title, with_memory, max_steps
    ) as show:
        _write(out, _fps(show.env), (map(_first, _episode(show)) for _ in range(episodes)))
    return [episode._replace(actor=first + episode.actor) for episode in show.played]


def film_grid(
    agent: Agent,
    env_config: EnvConfig,
    *,
    games: int,
    seed: int,
    greedy: bool,
    out: Path,
    max_steps: int = MAX_STEPS,
) -> list[Episode]:
    """Record one episode of each of the first games of `evaluate`, all at once, in a grid."""
    check_suffix(out)
    positive(games=games)
    columns = int(np.ceil(np.sqrt(games * 1.3)))
    with _show(
        agent, env_config, games, seed, greedy, 0, range(games), "", False, max_steps
    ) as show:
        pictures = (in_grid([tile(s) for s in scenes], columns) for scenes in show.episode())
        _write(out, _fps(show.env), [pictures])
    return sorted(show.played, key=lambda episode: episode.actor)


def film_together(
    agents: Sequence[tuple[str, Agent]],
    env_config: EnvConfig,
    *,
    episodes: int,
    seed: int,
    greedy: bool,
    out: Path,
    level: int = 0,
    max_steps: int = MAX_STEPS,
) -> list[tuple[str, list[Episode]]]:
    """Record agents side by side on the same levels, each episode as long as the longest.

    Args:
        agents: with the titles of their pictures.
    """
    check_suffix(out)
    positive(episodes=episodes)
    with ExitStack() as stack:
        shows = [
            stack.enter_context(
                _show(agent, env_config, 1, seed, greedy, level, [0], title, False, max_steps)
            )
            for title, agent in agents
        ]
        _write(out, _fps(shows[0].env), (_side_by_side(shows) for _ in range(episodes)))
    return [(show.title, show.played) for show in shows]


def film_progress(
    agents: Iterable[tuple[str, Agent]],
    env_config: EnvConfig,
    *,
    episodes: int,
    seed: int,
    greedy: bool,
    out: Path,
    level: int = 0,
    with_memory: bool = True,
    max_steps: int = MAX_STEPS,
) -> list[tuple[str, list[Episode]]]:
    """Record agents one after the other on the same levels, such as one agent while it learns.

    Args:
        agents: with the titles of their pictures.
    """
    check_suffix(out)
    positive(episodes=episodes)
    filmed = list[tuple[str, list[Episode]]]()

    def each() -> Iterator[Iterator[np.ndarray]]:
        for title, agent in agents:
            with _show(
                agent, env_config, 1, seed, greedy, level, [0], title, with_memory, max_steps
            ) as show:
                for _ in range(episodes):
                    yield map(_first, _episode(show))
                filmed.append((title, show.played))

    with _drawable(env_config, 1) as env:
        fps = _fps(env)
    _write(out, fps, each())
    return filmed


@contextmanager
def _show(
    agent: Agent,
    env_config: EnvConfig,
    count: int,
    seed: int,
    greedy: bool,
    first: int,
    shown: Sequence[int],
    title: str,
    with_memory: bool,
    max_steps: int,
) -> Generator[Show, None, None]:
    """A show of `count` games, the first of which is game `first` of `evaluate`."""
    with (
        _drawable(env_config.bounded(max_steps), count) as env,
        playing(agent, env, seed=seed, greedy=greedy, first=first) as player,
    ):
        yield Show(
            env,
            env_config,
            player,
            shown,
            title=title,
            with_memory=with_memory,
        )


@contextmanager
def _drawable(env_config: EnvConfig, count: int) -> Generator[VectorEnv, None, None]:
    """Games that can be rendered.

    An environment that does not accept a render mode, or not this one, is made without: some draw
    themselves all the same.

    Raises:
        VideoError: the environment cannot be made.
    """
    errors = list[Exception]()
    for render_mode in ("rgb_array", None):
        try:
            env = env_config.make_vector(
                count, autoreset_mode=AutoresetMode.DISABLED, render_mode=render_mode
            )
        except Exception as error:  # an external environment may raise anything
            errors.append(error)
            continue
        try:
            yield env
        finally:
            env.close()
        return
    raise VideoError(f"the environment cannot be rendered: {errors[-1]}") from errors[0]


def _fps(env: VectorEnv) -> float:
    """Frames per second of an environment; it may specify none, zero, or nonsense."""
    try:
        fps = float(env.metadata.get("render_fps") or DEFAULT_FPS)
    except (TypeError, ValueError):
        return DEFAULT_FPS
    return min(max(fps, FPS[0]), FPS[1]) if isfinite(fps) and fps > 0 else DEFAULT_FPS


def _episode(show: Show) -> Iterator[list[np.ndarray]]:
    """The pictures of the next episode, of each shown game."""
    return ([compose(scene) for scene in scenes] for scenes in show.episode())


def _first(pictures: list[np.ndarray]) -> np.ndarray:
    return pictures[0]


def _side_by_side(shows: list[Show]) -> Iterator[np.ndarray]:
    """One episode of each, the last picture of the shorter ones until the longest ends."""
    last: list[np.ndarray] = []
    for pictures in zip_longest(*(map(_first, _episode(show)) for show in shows)):
        last = [new if new is not None else last[i] for i, new in enumerate(pictures)]
        yield in_grid(last, len(last))


def _write(out: Path, fps: float, episodes: Iterable[Iterator[np.ndarray]]) -> None:
    """Write episodes to a file, with a second of rest at the end of each."""
    with writing(out, fps) as write:
        for pictures in episodes:
            picture = None
            for picture in pictures:
                write(picture)
            if picture is not None:
                for _ in range(round(fps)):
                    write(picture)
