"""What a training run does with the unrolls of its workers, scripted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.cli.program import Names
from agents.impala.build import build_learner, build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.episodes import Episode
from agents.impala.program import IMPALA
from agents.impala.rollout import Unroll
from agents.impala.training import MIN_EPISODES_FOR_BEST, Training
from agents.impala.workers import ActingGroup, UnrollRequest, UnrollResult, Workers
from agents.networks.config import PolicyConfig
from agents.runs.checkpoint import CheckpointError, load
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


def test_old_trajectories_are_dropped_and_the_lag_of_the_others_is_logged(tmp_path) -> None:
    training, workers = prepare(tmp_path / "x", updates=2, batch=4, max_lag=3)
    workers.lags = [0, 1, 9, 0, 2]
    training.train()
    lines = training.run.metrics()
    first, second = (next(x for x in lines if x["frame"] == frame) for frame in (8, 16))
    assert (first["lag/mean"], first["lag/max"], first["lag/dropped"]) == (0.5, 1, 0)
    assert (second["lag/mean"], second["lag/max"], second["lag/dropped"]) == (1, 2, 2)


def test_the_levels_of_a_stage_are_sent_to_the_actors_and_kept_over_a_resume(tmp_path) -> None:
    easy, all_levels = BoxWorldConfig(solution_length=(1, 2), num_distractors=(0,)).stages
    training, workers = prepare(tmp_path / "x", updates=2, grow_levels=0.5)
    workers.episodes = [SOLVED] * 300
    training.train()
    assert [request.level_options for request in workers.requests] == [easy, all_levels]
    resumed, workers = prepare(tmp_path / "x", updates=3, grow_levels=0.5, resume=True)
    resumed.train()
    assert [request.level_options for request in workers.requests] == [all_levels]


def test_the_first_update_is_saved_before_the_first_interval_ends(tmp_path, monkeypatch) -> None:
    training, workers = prepare(tmp_path / "x", updates=3, checkpoint_minutes=60.0)
    saved: list[list[str]] = []

    def gather(room: int, wait: bool) -> list[UnrollResult]:
        saved.append(sorted(path.name for path in training.run.checkpoints.glob("0*")))
        return ScriptedWorkers.gather(workers, room, wait)

    monkeypatch.setattr(workers, "gather", gather)
    training.train()
    assert saved == [[], ["000000000004"], ["000000000004"]]


@pytest.mark.parametrize(
    ("episodes", "grow_levels", "has_best"),
    [
        ([FAILED] * (MIN_EPISODES_FOR_BEST - 1), None, False),
        ([FAILED] * MIN_EPISODES_FOR_BEST, None, True),
        ([FAILED] * MIN_EPISODES_FOR_BEST, 0.5, False),
    ],
    ids=["too few episodes", "enough episodes", "not all levels"],
)
def test_a_best_checkpoint_needs_enough_episodes_on_all_levels(
    episodes, grow_levels, has_best, tmp_path
) -> None:
    training, workers = prepare(tmp_path / "x", updates=1, grow_levels=grow_levels)
    workers.episodes = episodes
    training.train()
    if has_best:
        assert load(tmp_path / "x" / "checkpoints", best=True).frame == 4
    else:
        with pytest.raises(CheckpointError, match="There is none"):
            load(tmp_path / "x" / "checkpoints", best=True)


def test_a_resumed_run_that_gets_worse_keeps_its_best_checkpoint(tmp_path) -> None:
    training, workers = prepare(tmp_path / "x", updates=1)
    workers.episodes = [SOLVED] * MIN_EPISODES_FOR_BEST
    training.train()
    resumed, workers = prepare(tmp_path / "x", updates=2, resume=True)
    workers.episodes = [FAILED] * MIN_EPISODES_FOR_BEST
    resumed.train()
    assert load(tmp_path / "x" / "checkpoints").frame == 8
    assert load(tmp_path / "x" / "checkpoints", best=True).frame == 4
