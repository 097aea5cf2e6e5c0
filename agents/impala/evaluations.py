"""Evaluations of an agent while it is trained, and its test at the end."""

import json
import logging
from collections.abc import Callable
from typing import Any

from agents.impala.config import ImpalaConfig
from agents.networks.policy import Policy
from agents.runs.atomic import atomic_write
from agents.runs.clock import Clock
from agents.runs.run import RESULTS, Run

Evaluate = Callable[[Policy, ImpalaConfig, int], dict[str, Any]]
"""Takes a policy, the run's configuration and a seed of levels; returns scores in values of JSON,
among them `measure`, the name of the one that counts."""
VALIDATION, TEST = 0, 1
"""Seeds of the levels: of the evaluations during training, and of the test at the end."""
_log = logging.getLogger(__name__)


class Evaluations:
    """Evaluates the agent at every multiple of `evaluate_every` frames.

    Args:
        frame: at which the run starts or resumes.
        clock: of the run.
    """

    def __init__(
        self, config: ImpalaConfig, run: Run, evaluate: Evaluate, frame: int, clock: Clock
    ) -> None:
        self.config, self.run, self.evaluate, self.clock = config, run, evaluate, clock
        self.every = config.evaluate_every
        self._passed = frame // self.every if self.every else 0

    def due(self, frame: int) -> bool:
        """Whether a multiple of `evaluate_every` was passed since the last call."""
        if self.every is None or frame // self.every == self._passed:
            return False
        self._passed = frame // self.every
        return True

    def validate(self, policy: Policy, frame: int) -> str:
        """Add the scores of the current weights to the run's log; returns a message."""
        scores = self._scores(policy, VALIDATION)
        try:
            self.run.evaluations.append({"frame": frame, **scores})
        except OSError as error:
            _log.warning("The evaluation at frame %d is not written: %s", frame, error)
        measure = scores["measure"]
        return f"evaluation at {frame:,} frames: {measure} {scores[measure]:.4g}"

    def test(self, policy: Policy, frame: int) -> None:
        """Write the run's results, if evaluations were asked for."""
        if self.every is None:
            return
        scores = self._scores(policy, TEST)
        about = {name: scores.pop(name) for name in ("seconds", "cpu_seconds", "parameters")}
        results: dict[str, Any] = {
            "measure": scores.pop("measure"),
            "test": scores,
            "baselines": {},
            "remarks": [],
            "step": frame,
            "frames": frame,
            **about,
        }
        atomic_write(self.run.folder / RESULTS, json.dumps(results, indent=1) + "\n")

    def _scores(self, policy: Policy, seed: int) -> dict[str, Any]:
        weights = (weight for weight in policy.parameters() if weight.requires_grad)
        return {
            **self.evaluate(policy, self.config, seed),
            "seconds": self.clock.seconds,
            "cpu_seconds": self.clock.cpu_seconds,
            "parameters": sum(weight.numel() for weight in weights),
        }
