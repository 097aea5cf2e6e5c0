"""The outcome of a run's process."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from agents.benchmark import job
from agents.benchmark.job import STOPPED, execute
from agents.benchmark.plan import Job


@pytest.mark.parametrize(
    ("status", "is_done", "error"),
    [(0, True, ""), (0, False, STOPPED), (1, False, "no room (exit status 1; all output: ")],
)
def test_a_run_that_was_stopped_is_told_from_one_that_failed(
    status: int, is_done: bool, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(command, stream):
        stream.write("no room\n")
        return status, 0.5

    monkeypatch.setattr(job, "_call", call)
    monkeypatch.setattr(job, "_arguments", lambda _: [])
    monkeypatch.setattr(job, "is_done", lambda _: is_done)
    outcome = execute(Job("tasks", "recall", "lstm", 1, (), tmp_path / "1", (1, 2)))
    assert outcome.error.startswith(error) and bool(outcome.error) == bool(error)


def test_a_run_that_filled_the_disk_goes_on_when_there_is_room(tmp_path, monkeypatch, capsys):
    free = iter([job.ROOM, 0, 0, job.ROOM])  # before it; after it failed; while waiting
    monkeypatch.setattr(job.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    monkeypatch.setattr(job.time, "sleep", lambda _: None)
    statuses = iter([(1, 0.5), (0, 0.25)])
    monkeypatch.setattr(job, "_call", lambda *_: next(statuses))
    monkeypatch.setattr(job, "_arguments", lambda _: [])
    monkeypatch.setattr(job, "is_done", lambda _: True)
    outcome = execute(Job("tasks", "recall", "lstm", 1, (), tmp_path / "1", (1, 2)))
    assert (outcome.error, outcome.cpu_seconds) == ("", 0.75)
    assert capsys.readouterr().err.count("the disk is full") == 1
