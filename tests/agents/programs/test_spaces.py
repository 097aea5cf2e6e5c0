"""Every space of observations with every space of actions: trained, resumed, evaluated, filmed."""

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from agents.programs.evaluate import main as evaluate_main
from agents.programs.impala import main
from agents.programs.record import main as record_main
from agents.runs.checkpoint import load

BYTES, FLOAT = np.uint8, np.float32
OBSERVATIONS: dict[str, spaces.Space[Any]] = {
    "picture": spaces.Box(0, 255, (6, 5, 3), BYTES),
    "channels first": spaces.Box(0, 1, (3, 7, 7), FLOAT),
    "stacked pictures": spaces.Box(0, 255, (2, 8, 8, 1), BYTES),
    "large picture": spaces.Box(0, 255, (60, 40, 3), BYTES),
    "categories": spaces.Box(0, 10, (5, 5, 3), BYTES),
    "numbers": spaces.Box(-np.inf, np.inf, (3,), np.float64),
    "one number": spaces.Box(-1, 1, (), FLOAT),
    "integers": spaces.Box(-5, 5, (2, 2), np.int32),
    "discrete": spaces.Discrete(5, start=-2),
    "multi": spaces.MultiDiscrete([3, 4], start=[1, -1]),
    "binary": spaces.MultiBinary((2, 2)),
    "nested": spaces.Dict(
        image=spaces.Box(0, 255, (5, 5, 3), BYTES),
        more=spaces.Tuple([spaces.Discrete(3), spaces.Text(8), spaces.Box(-1, 1, (2,))]),
    ),
}
ACTIONS: dict[str, spaces.Space[Any]] = {
    "discrete": spaces.Discrete(3, start=-1),
    "masked": spaces.Discrete(4),
    "multi": spaces.MultiDiscrete([2, 3], start=[1, 0]),
    "masked multi": spaces.MultiDiscrete([3, 2]),
    "binary": spaces.MultiBinary(3),
    "numbers": spaces.Box(np.array([-2, 0], FLOAT), np.array([2, 9], FLOAT)),
    "one number": spaces.Box(-1, 1, (), FLOAT),
    "unbounded": spaces.Box(-np.inf, np.inf, (2,), FLOAT),
    "integers": spaces.Box(-3, 3, (2,), np.int32),
    "nested": spaces.Dict(
        a=spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 1, (2,))]), b=spaces.MultiBinary(2)
    ),
}
CORES = ("lstm", "--core.hidden", "8"), ("rmc", "--core.units", "8", "--core.heads", "1")
SMALL = ["--env", "gymnasium", "--env.id", "Spaces-v0", "--workers", "0", "--learner-threads", "1"]
SMALL += ["--actors", "4", "--batch", "2", "--unroll", "6", "--log-seconds", "0"]
SMALL += ["--policy.channels", "4"]


class Spaces(gymnasium.Env):
    """Draws observations from its space, and refuses actions outside its own or its mask."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012

    def __init__(self, observations: str, actions: str, render_mode: str | None = None):
        self.observation_space = OBSERVATIONS[observations]
        self.action_space = ACTIONS[actions]
        self.render_mode, self.masked = render_mode, actions.startswith("masked")

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.steps = 0
        return self.observation_space.sample(), self._info()

    def step(self, action):
        assert self.action_space.contains(action), action
        if self.masked:
            assert all(m[a] for m, a in zip(self.masks, np.ravel(action), strict=True)), action
        self.steps += 1
        ended = self.np_random.random() < 0.2
        observation = self.observation_space.sample()
        return observation, float(self.steps), ended, self.steps == 7, self._info()

    def _info(self):
        """One action of each part is allowed, or two."""
        if not self.masked:
            return {}
        sizes = np.ravel(getattr(self.action_space, "nvec", getattr(self.action_space, "n", 0)))
        self.masks = tuple(
            (np.arange(n) % 3 == self.np_random.integers(2)).astype(np.int8) for n in sizes
        )
        is_multi = isinstance(self.action_space, spaces.MultiDiscrete)
        return {"action_mask": self.masks if is_multi else self.masks[0]}

    def render(self):
        return np.zeros((16, 16, 3), BYTES)


@pytest.fixture(autouse=True)
def registered():
    gymnasium.register("Spaces-v0", lambda **given: Spaces(**given), disable_env_checker=True)
    yield
    del gymnasium.registry["Spaces-v0"]


def check(observations: str, actions: str, core: tuple[str, ...], folder) -> None:
    """One combination through all programs."""
    run, scores, video = folder / "run", folder / "scores.json", folder / "agent.gif"
    flags = ["--env.kwargs.observations", observations, "--env.kwargs.actions", actions]
    flags += ["--env.scale", "categories"] if observations == "categories" else []
    assert main([*SMALL, *flags, "--core", *core, "--frames", "24", "--run-dir", str(run)]) == 0
    assert main(["--resume", str(run), "--frames", "48"]) == 0
    assert load(run / "checkpoints").state["learner"]["updates"] == 4
    assert evaluate_main([str(run), "--episodes", "3", "--json", str(scores)]) == 0
    assert json.loads(scores.read_text())["episodes"] == 3
    assert record_main([str(run), "--episodes", "1", "--out", str(video)]) == 0
    assert video.stat().st_size > 100


ONCE = [
    (name, list(ACTIONS)[i % len(ACTIONS)], CORES[i % 2]) for i, name in enumerate(OBSERVATIONS)
]
"""Every space once."""


@pytest.mark.parametrize(("observations", "actions", "core"), ONCE)
def test_every_space_trains_resumes_is_evaluated_and_filmed(observations, actions, core, tmp_path):
    check(observations, actions, core, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("core", CORES, ids=lambda core: core[0])
@pytest.mark.parametrize("actions", ACTIONS)
def test_every_pair_of_spaces_trains_resumes_is_evaluated_and_filmed(actions, core, tmp_path):
    for observations in OBSERVATIONS:
        check(observations, actions, core, tmp_path / observations)
