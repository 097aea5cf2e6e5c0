"""Videos of an agent."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from agents.evaluation.evaluate import MAX_STEPS
from agents.evaluation.picture import caption, compose
from agents.evaluation.player import Agent, Player, playing
from agents.impala.episodes import Episode
from agents.runs.atomic import atomic_path
from envs import EnvConfig
from envs.vector import GameVectorEnv
from memory.options import positive

ENCODINGS = {
    ".mp4": ("libx264", ["-vf", "format=yuv420p", "-movflags", "+faststart"]),
    # A palette per frame keeps the few colours of pixel art exact.
    ".gif": (
        "gif",
        [
            "-filter_complex",
            "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=none",
        ],
    ),
}
"""Codec and settings of each file format."""

DEFAULT_FPS = 8
"""Frames per second if the environment does not specify them."""


class VideoError(RuntimeError):
    """A video cannot be made; the message says which and why."""


def check_suffix(out: Path) -> None:
    """Refuse file formats that cannot be written."""
    if out.suffix not in ENCODINGS:
        raise VideoError(f"{out}: expected a file name that ends in {' or '.join(ENCODINGS)}.")


def film(
    agent: Agent,
    env_config: EnvConfig,
    *,
    episodes: int,
    seed: int,
    greedy: bool,
    out: Path,
    max_steps: int = MAX_STEPS,
) -> list[Episode]:
    """Record episodes: the whole game, the agent's view, and a line of text below.

    The episodes are those of the first game of `evaluate` with the same seed. The last frame of
    each is shown for a second. The file is written atomically. The agent's mode and the global
    random state do not change.

    Args:
        out: an mp4 or a gif.
        max_steps: as in `evaluate`.

    Raises:
        VideoError: the file format is not supported, the environment cannot be rendered, or the
            file cannot be written.
        EnvironmentFault: the environment failed.
    """
    check_suffix(out)
    positive(episodes=episodes, max_steps=max_steps)
    env = _drawable(env_config.bounded(max_steps))
    fps = _frames_per_second(env)
    played: list[Episode] = []
    try:
        with (
            playing(agent, env, seed=seed, greedy=greedy) as player,
            _writing(out, fps) as write,
        ):
            for _ in range(episodes):
                for picture in _pictures(player, env, env_config, played, rest=max(1, round(fps))):
                    write(picture)
    finally:
        env.close()
    return played


def _frames_per_second(env: VectorEnv) -> float:
    """As the environment says, if that is a speed."""
    fps: Any = env.metadata.get("render_fps")
    is_speed = isinstance(fps, int | float) and 0.01 <= fps <= 1000
    return float(fps if is_speed else DEFAULT_FPS)


def _drawable(env_config: EnvConfig) -> VectorEnv:
    """One game without automatic reset, so that the last frame of an episode can be rendered."""
    try:
        return env_config.make_vector(
            1, autoreset_mode=AutoresetMode.DISABLED, render_mode="rgb_array"
        )
    except (gymnasium.error.Error, TypeError) as error:
        raise VideoError(f"{env_config} cannot be rendered: {error}") from error


def _pictures(
    player: Player, env: VectorEnv, env_config: EnvConfig, played: list[Episode], rest: int
) -> Iterator[np.ndarray]:
    """Yield the pictures of one episode, the last one `rest` more times; adds it to `played`."""
    episode_return, step, ended = 0.0, 0, False
    yield _picture(env, env_config, episode_return, step)
    while not ended:
        observations, rewards, terminated, truncated, _ = env.step(player.act())
        episode_return, step = episode_return + float(rewards[0]), step + 1
        ended = bool(terminated[0] or truncated[0])
        picture = _picture(env, env_config, episode_return, step)
        yield picture
        if ended:
            yield from [picture] * rest
            observations, _ = env.reset(options={"reset_mask": np.array([True])})
        player.observe(observations, rewards, np.array([ended]))
    played.append(Episode(0, episode_return, step, {}))


def _picture(env: VectorEnv, env_config: EnvConfig, episode_return: float, step: int) -> np.ndarray:
    """The current frame of the game."""
    if isinstance(env, GameVectorEnv):
        info = {name: values[0] for name, values in env.game.info().items()}
        text = caption(env_config.caption(info), episode_return, step)
        return compose(env.game.frame(0), env.game.view(0), text)
    try:
        (frame,) = env.render() or (None,)
    except Exception as error:  # an external environment may raise anything
        raise VideoError(f"{env} cannot be rendered: {error}") from error
    if not isinstance(frame, np.ndarray):
        raise VideoError(f"{env} cannot be rendered: it returns {type(frame).__name__}.")
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise VideoError(
            f"{env} cannot be rendered: its picture is {frame.dtype} {list(frame.shape)}, expected "
            "uint8 [height, width, 3]."
        )
    return compose(frame, None, caption({}, episode_return, step))


@contextmanager
def _writing(out: Path, fps: float) -> Generator[Callable[[np.ndarray], None], None, None]:
    """Write pictures to a file, atomically."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(out) as unfinished, closing(Encoder(unfinished, fps)) as encoder:
            unfinished.touch()  # a clearer error than the encoder's if the folder is read-only
            yield encoder.write
            encoder.finish()
    except OSError as error:
        raise VideoError(f"{out} cannot be written: {error}") from error


class Encoder:
    """Writes a file picture by picture; the first sets the size."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self._writer: Any = None

    def write(self, picture: np.ndarray) -> None:
        """Add a picture."""
        if self._writer is None:
            # Slow to import, and most runs record no video.
            from moviepy.video.io.ffmpeg_writer import FFMPEG_VideoWriter

            codec, settings = ENCODINGS[self.path.suffix]
            size = (picture.shape[1], picture.shape[0])
            self._writer = FFMPEG_VideoWriter(
                str(self.path), size, self.fps, codec=codec, ffmpeg_params=settings
            )
        self._writer.write_frame(picture)

    def finish(self) -> None:
        """Wait for the encoder, and raise an error if it failed, which MoviePy does not."""
        process = self._writer.proc
        _, complaint = process.communicate()
        if process.returncode:
            raise OSError((complaint or b"").decode(errors="replace").strip() or "ffmpeg failed")

    def close(self) -> None:
        """Close the file, finished or not."""
        if self._writer is not None:
            self._writer.close()
