"""When a run writes checkpoints."""

import os
from threading import Event

from agents.impala.workers import UnrollResult
from agents.runs.checkpoint import load
from tests.agents.impala.scripted_training import ScriptedWorkers, prepare


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
