"""The loop in two processes without Ray: rank 0 decides, and both end together."""

import json
import math
import os
from collections.abc import Container
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch

from agents.cli.command_line import parse
from agents.cli.exit_status import NOT_FINITE
from agents.runs.checkpoint import load
from agents.runs.refused_updates import BATCH, MAX_IN_A_ROW
from agents.runs.run import Run
from agents.runs.stop_signal import StopFile
from agents.supervised.build import build
from agents.supervised.program import SUPERVISED
from agents.supervised.training import SupervisedTraining, status_of
from memory.group import DistributedGroup
from memory.supervised import Trainer
from tests.two_processes import in_two_processes

FLAGS = "--task delayed_recall --task.delay 1 --task.length 2 --core gru --core.hidden 8 "
FLAGS += "--training.batch 7 --reader.readout 8 --validate-every 2 --steps 4 --log-seconds 0"


def work(rank: int, folder: Path, case: str) -> None:
    """Both processes evaluate to different marks; only rank 0's may count."""
    marks = iter({"patience": (0.9, 0.1, 0.1), "nan": (0.5, math.nan)}.get(case, (0.1,) * 9))

    def evaluate(self: Trainer, split: str = "test") -> dict[str, float]:
        return {"accuracy": next(marks) if rank == 0 else pytest.fail()}

    Trainer.evaluate = evaluate
    flags = [*FLAGS.split(), "--run-dir", str(folder / "run")]
    if case == "patience":
        flags += ["--patience", "1", "--steps", "100"]
    parsed = parse(flags, SUPERVISED)
    config = parsed.config
    run = Run.create(config, parsed.names, SUPERVISED) if rank == 0 else None
    task, reader = build(config)
    trainer = Trainer(reader, task, config.training, group=DistributedGroup())
    stop = StopFile(folder)
    if case == "stop" and rank == 0:
        stop.request()
    status = status_of(SupervisedTraining(config, trainer, run), stop)
    (folder / f"end-{rank}").write_text(json.dumps([status, trainer.updates]))


@pytest.mark.parametrize(
    ("case", "status", "updates"),
    [("last step", 0, 4), ("patience", 0, 4), ("nan", NOT_FINITE, 4), ("stop", 0, 0)],
)
def test_both_processes_end_where_rank_0_decides(case, status, updates, tmp_path):
    in_two_processes(work, tmp_path, case)
    ends = [json.loads((tmp_path / f"end-{rank}").read_text()) for rank in range(2)]
    assert ends == [[status, updates]] * 2
    assert (tmp_path / "run" / "results.json").exists() == (case in ("last step", "patience"))
    if case == "patience":
        assert load(tmp_path / "run" / "checkpoints", best=True).frame == 2


def prepare(folder: Path, *flags: str) -> SupervisedTraining:
    """A run of four updates without validations."""
    given = [*FLAGS.split(), "--validate-every", "99", "--run-dir", str(folder / "run"), *flags]
    parsed = parse(given, SUPERVISED)
    task, reader = build(parsed.config)
    trainer = Trainer(reader, task, parsed.config.training)
    return SupervisedTraining(
        parsed.config, trainer, Run.create(parsed.config, parsed.names, SUPERVISED)
    )


def poison(training: SupervisedTraining, bad: Container[int], monkeypatch: Any) -> list[Any]:
    """Make the gradients of some batches, by number, not finite; returns the weights before each
    update."""
    trainer, seen = training.trainer, list[Any]()
    find_gradient = trainer._find_gradient

    def poisoned(work: Any) -> Any:
        seen.append({name: x.clone() for name, x in trainer.reader.state_dict().items()})
        learnt = find_gradient(work)
        if trainer.updates in bad:
            trainer.weights[0].grad = torch.full_like(trainer.weights[0], math.nan)
        return learnt

    monkeypatch.setattr(trainer, "_find_gradient", poisoned)
    return seen


def test_the_first_update_is_saved_while_training_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = prepare(tmp_path)
    assert training.run
    go_on, busy, sync, update = Event(), list[bool](), os.fsync, training.trainer.update

    def slow(descriptor: int) -> None:
        assert go_on.wait(10)
        sync(descriptor)

    def watched() -> dict[str, float]:
        busy.append(training.run is not None and training.run.writer.is_busy)
        if training.trainer.updates == 3:
            go_on.set()
        return update()

    monkeypatch.setattr(os, "fsync", slow)
    monkeypatch.setattr(training.trainer, "update", watched)
    training.train()
    assert busy == [False, True, True, True]
    assert load(training.run.checkpoints).frame == 4


def test_a_best_checkpoint_that_could_not_be_written_is_not_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    training = prepare(tmp_path, "--validate-every", "2")
    marks, sync = [0.9, 0.5, 0.0], os.fsync

    def evaluate(split: str = "test") -> dict[str, float]:
        assert training.record
        training.record.run.writer.wait()
        return {"accuracy": marks.pop(0)}

    def full(descriptor: int) -> None:
        if len(marks) == 2:  # between the first validation and the second
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(training.trainer, "evaluate", evaluate)
    monkeypatch.setattr(os, "fsync", full)
    training.train()
    assert "No space left" in capsys.readouterr().out
    assert training.record and training.record.best == {"accuracy": 0.5}
    assert load(tmp_path / "run" / "checkpoints", best=True).frame == 4


def test_batches_that_are_not_finite_are_skipped_and_after_ten_the_weights_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    training = prepare(tmp_path, "--steps", "15", "--checkpoint-minutes", "60")
    weights = poison(training, {2, *range(4, 14)}, monkeypatch)
    training.train()
    first, before, after = (
        torch.cat([x.flatten() for x in weights[n].values()]) for n in (1, 13, 14)
    )
    assert torch.equal(first, after) and not torch.equal(first, before)
    found = load(tmp_path / "run" / "checkpoints")
    assert found.frame == 15 and found.state["refused"] == 11
    output = capsys.readouterr().out
    assert output.count("Training continues with the next batch.") == 2
    assert "10 updates in a row were not finite" in output
    assert torch.load(tmp_path / "run" / BATCH)


def test_a_gradient_that_stays_not_finite_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = prepare(tmp_path, "--steps", "99")
    poison(training, range(3, 99), monkeypatch)
    assert status_of(training) == NOT_FINITE
    assert training.trainer.updates == 3 + 2 * MAX_IN_A_ROW
    assert load(tmp_path / "run" / "checkpoints").frame == 1
