"""A training run whose workers deliver what a test says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.cli.program import Names
from agents.impala.build import build_learner, build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.episodes import Episode
from agents.impala.program import IMPALA
from agents.impala.rollout import Unroll
from agents.impala.training import Training
from agents.impala.workers import ActingGroup, UnrollRequest, UnrollResult, Workers
from agents.networks.config import PolicyConfig
from agents.runs.checkpoint import load
from agents.runs.run import Run
from envs import BoxWorldConfig
from memory import LSTMConfig

SOLVED, FAILED = Episode(0, 1.0, 2, {"solved": 1.0}), Episode(0, 0.0, 2, {"solved": 0.0})


class ScriptedWorkers(Workers):
    """Two actors, whose unrolls have the lags and episodes that a test gives."""

    num_processes = 1
    num_restarts: int = 0

    def __init__(self, config: ImpalaConfig, next_request: Callable[[], UnrollRequest]) -> None:
        self.group = ActingGroup(config, range(2), next_request())
        self.next_request = next_request
        self.requests: list[UnrollRequest] = []
        self.lags: list[int] = []
        self.episodes: list[Episode] = []

    def gather(self, room: int, wait: bool) -> list[UnrollResult]:
        request = self.next_request()
        self.requests.append(request)
        trajectory = self.group.act(request).unroll.trajectory
        lag = self.lags.pop(0) if self.lags else 0
        old = trajectory._replace(version=trajectory.version - lag)
        return [UnrollResult(Unroll(old, self.episodes), 0.0)]

    def close(self) -> None:
        self.group.rollout.env.close()


def no_video(*_: Any) -> str:
    return ""


def no_evaluation(*_: Any) -> dict[str, Any]:
    return {}


def prepare(folder: Path, updates: int, batch: int = 2, resume: bool = False, **fields: Any):
    """A run of so many updates, of unrolls of two steps; and its workers."""
    config = ImpalaConfig(
        env=BoxWorldConfig(grid_size=8, solution_length=(1, 2), num_distractors=(0,)),
        core=LSTMConfig(hidden=4),
        policy=PolicyConfig(channels=(2, 2)),
        actors=2,
        batch=batch,
        unroll=2,
        frames=2 * batch * updates,
        log_seconds=0.0,
        device="cpu",
        run_dir=folder,
        **fields,
    )
    learner = build_learner(config, build_policy(config))
    checkpoint = load(folder / "checkpoints") if resume else None

    def open_run() -> Run:
        if resume:
            return Run.open(folder, IMPALA)
        return Run.create(config, Names("boxworld", "lstm"), IMPALA)

    training = Training(
        config, learner, open_run, ScriptedWorkers, no_video, no_evaluation, checkpoint
    )
    assert isinstance(training.workers, ScriptedWorkers)
    return training, training.workers
