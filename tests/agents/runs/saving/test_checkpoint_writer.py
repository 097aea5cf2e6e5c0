"""Checkpoints are written in a thread, one at a time, from a copy."""

import os
from pathlib import Path
from threading import Event

import pytest
import torch

from agents.cli.command_line import parse
from agents.cli.program import Names
from agents.impala.program import IMPALA
from agents.runs.checkpoint import CheckpointError, load
from agents.runs.run import Run
from agents.runs.saving.checkpoint_writer import CheckpointWriter, Outcome


def make_run(folder: Path) -> Run:
    flags = ["--core", "lstm", "--run-dir", str(folder / "run")]
    return Run.create(parse(flags, IMPALA).config, Names("boxworld", "lstm"), IMPALA)


def test_a_slow_disk_is_not_waited_for_and_later_changes_are_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, outcomes, go_on = make_run(tmp_path), list[Outcome](), Event()
    sync = os.fsync

    def slow(descriptor: int) -> None:
        assert go_on.wait(20)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    weight, moments = torch.ones(3), [torch.zeros(2), {"step": 1}]
    run.start_saving(outcomes.append, frame=5, weights={"w": weight}, state={"m": moments})
    weight.fill_(2)
    moments[0].fill_(2)
    moments[1] = {"step": 2}
    assert run.writer.is_busy and not outcomes and run.newest is None
    go_on.set()
    run.close()
    assert outcomes == [run.newest] and not run.writer.is_busy
    found = load(run.checkpoints)
    assert found.weights["w"].tolist() == [1, 1, 1]
    assert found.state["m"][0].tolist() == [0, 0] and found.state["m"][1] == {"step": 1}


def test_one_is_written_at_a_time_and_outcomes_come_in_order(tmp_path: Path) -> None:
    writer, written, outcomes = CheckpointWriter(), list[str](), list[Outcome]()
    go_on = Event()

    def write(name: str) -> Path:
        if name == "first":
            assert go_on.wait(20)
        written.append(name)
        return tmp_path / name

    writer.start(lambda: write("first"), outcomes.append)
    writer.start(lambda: write("second"), outcomes.append)
    writer.poll()
    assert outcomes == [] and written == [] and writer.is_busy
    go_on.set()
    writer.wait()
    writer.wait()
    assert written == ["first", "second"] and outcomes == [tmp_path / x for x in written]


def test_a_full_disk_is_an_outcome_and_any_other_error_is_raised() -> None:
    writer, outcomes = CheckpointWriter(), list[Outcome]()

    def fail(error: Exception) -> Path:
        raise error

    writer.start(lambda: fail(CheckpointError("no space")), outcomes.append)
    writer.wait()
    assert str(outcomes[0]) == "no space"
    writer.start(lambda: fail(KeyError("a mistake")), outcomes.append)
    with pytest.raises(KeyError, match="a mistake"):
        writer.wait()
    assert not writer.is_busy and len(outcomes) == 1
