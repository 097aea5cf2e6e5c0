"""What a training run does with the unrolls of its workers, scripted."""

import os
from collections.abc import Callable, Container
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch

from agents.cli.program import Names
from agents.impala.build import build_learner, build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.episodes import Episode
from agents.impala.learning.learner import NotFinite
from agents.impala.program import IMPALA
from agents.impala.rollout import Unroll
from agents.impala.training import MIN_EPISODES_FOR_BEST, Training
from agents.impala.workers import ActingGroup, UnrollRequest, UnrollResult, Workers
from agents.networks.config import PolicyConfig
from agents.runs.checkpoint import CheckpointError, load
from agents.runs.refused_updates import BATCH, MAX_IN_A_ROW
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


def test_the_first_update_is_saved_while_training_continues_and_the_end_waits_for_it(
    tmp_path, monkeypatch
) -> None:
    training, workers = prepare(tmp_path / "x", updates=4, checkpoint_minutes=60.0)
    go_on, seen, sync = Event(), list[str](), os.fsync

    def slow(descriptor: int) -> None:
        assert go_on.wait(10)
        sync(descriptor)

    def gather(room: int, wait: bool) -> list[UnrollResult]:
        seen.append(f"{training.learner.updates} updates, busy {training.run.writer.is_busy}")
        if training.learner.updates == 3:
            go_on.set()
            training.run.writer.wait()
            seen.extend(path.name for path in training.run.checkpoints.glob("0*"))
        return ScriptedWorkers.gather(workers, room, wait)

    monkeypatch.setattr(os, "fsync", slow)
    monkeypatch.setattr(workers, "gather", gather)
    training.train()
    assert seen == [
        "0 updates, busy False",
        "1 updates, busy True",
        "2 updates, busy True",
        "3 updates, busy True",
        "000000000004",
    ]
    assert load(tmp_path / "x" / "checkpoints").frame == 16


def poison(workers: ScriptedWorkers, bad: Container[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the rewards of some unrolls, by number, not finite."""
    gather, count = workers.gather, iter(range(10**6))

    def poisoned(room: int, wait: bool) -> list[UnrollResult]:
        results = gather(room, wait)
        if next(count) in bad:
            results[0].unroll.trajectory.inputs.last_rewards.fill_(float("nan"))
        return results

    monkeypatch.setattr(workers, "gather", poisoned)


def test_batches_that_are_not_finite_are_skipped_and_counted(tmp_path, monkeypatch, capsys) -> None:
    training, workers = prepare(tmp_path / "x", updates=4)
    poison(workers, {*range(1, 10), 11}, monkeypatch)
    training.train()
    assert training.learner.updates == 4 and len(workers.requests) == 14
    assert training.run.metrics()[-1]["updates/refused"] == 10
    assert load(tmp_path / "x" / "checkpoints").state["refused"] == 10
    assert capsys.readouterr().out.count("Training continues with the next batch.") == 2
    assert all(line["loss/total"] is not None for line in training.run.metrics())


def test_after_ten_in_a_row_the_weights_are_those_of_the_checkpoint(
    tmp_path, monkeypatch, capsys
) -> None:
    training, workers = prepare(tmp_path / "x", updates=4, checkpoint_minutes=60.0)
    poison(workers, range(3, 13), monkeypatch)
    training.train()
    of_update_1, of_update_3, after = (workers.requests[n].weights for n in (1, 12, 13))
    assert torch.equal(of_update_1, after) and not torch.equal(of_update_3, after)
    assert [workers.requests[n].version for n in (1, 12, 13)] == [1, 3, 4]
    assert training.learner.frames == 16 and training.learner.updates == 5
    path = tmp_path / "x" / "checkpoints" / "000000000004"
    assert f"training continues with the weights of {path}." in capsys.readouterr().out
    assert load(tmp_path / "x" / "checkpoints").frame == 16


def test_trajectories_of_the_weights_before_a_rollback_are_dropped(tmp_path, monkeypatch) -> None:
    training, workers = prepare(tmp_path / "x", updates=4)
    poison(workers, range(2, 12), monkeypatch)
    workers.lags = [0] * 12 + [1]
    training.train()
    assert training.queue.dropped == 2


def test_if_the_rollback_does_not_help_the_run_ends_and_keeps_the_batch(
    tmp_path, monkeypatch
) -> None:
    training, workers = prepare(tmp_path / "x", updates=4, checkpoint_minutes=60.0)
    poison(workers, range(2, 10**6), monkeypatch)
    with pytest.raises(NotFinite, match="is nan at update 3;"):
        training.train()
    assert len(workers.requests) == 2 + 2 * MAX_IN_A_ROW
    batch = torch.load(tmp_path / "x" / BATCH)
    assert any(not leaf.isfinite().all() for leaf in batch)
    assert load(tmp_path / "x" / "checkpoints").frame == 4


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
