"""Updates that are not finite."""

from collections.abc import Container

import pytest
import torch

from agents.impala.learning.learner import NotFinite
from agents.impala.workers import UnrollResult
from agents.runs.checkpoint import load
from agents.runs.refused_updates import BATCH, MAX_IN_A_ROW
from tests.agents.impala.scripted_training import ScriptedWorkers, prepare


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
