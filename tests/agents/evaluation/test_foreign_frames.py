"""Films of environments of others, whose speeds and pictures may be anything."""

from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from moviepy import VideoFileClip

from agents.evaluation.video import VideoError, film
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from envs import GymnasiumConfig
from memory import LSTMConfig


class Corridor(gymnasium.Env[np.ndarray, np.int64]):
    """Ends after three steps; its picture is what the test says."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012
    observation_space = Box(-9, 9, (2,), np.float32)
    action_space = Discrete(2)
    picture: ClassVar[Any] = np.zeros((48, 64, 3), np.uint8)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode, self.steps = render_mode, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return np.zeros(2, np.float32), 1.0, self.steps >= 3, False, {}

    def render(self) -> Any:
        return self.picture


gymnasium.register("test/Corridor-v0", entry_point=Corridor)


def filmed(out: Path) -> None:
    env = GymnasiumConfig(id="test/Corridor-v0")
    agent = build_policy(ImpalaConfig(env=env, core=LSTMConfig(hidden=4)))
    film(agent, env, episodes=1, seed=1, greedy=True, out=out)


@pytest.mark.parametrize(("given", "used"), [(0.5, 0.5), (0, 8), (float("nan"), 8), ("fast", 8)])
def test_a_film_has_the_speed_of_the_environment_if_it_is_one(
    given: Any, used: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Corridor.metadata, "render_fps", given)
    filmed(tmp_path / "a.mp4")
    with VideoFileClip(str(tmp_path / "a.mp4")) as clip:
        assert clip.fps == used and clip.n_frames == 4 + max(1, round(used))


@pytest.mark.parametrize(
    ("picture", "found"),
    [
        (np.zeros((48, 64, 3), np.float32), r"float32 \[48, 64, 3\]"),
        (np.zeros((48, 64), np.uint8), r"uint8 \[48, 64\]"),
        (np.zeros((48, 64, 4), np.uint8), r"uint8 \[48, 64, 4\]"),
        (np.zeros((0, 64, 3), np.uint8), r"uint8 \[0, 64, 3\]"),
    ],
)
def test_a_picture_that_cannot_be_filmed_is_described(
    picture: np.ndarray, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Corridor, "picture", picture)
    with pytest.raises(VideoError, match=f"cannot be rendered: its picture is {found}, expected"):
        filmed(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []
