"""Runs beside each other: what an interrupt does to them."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from agents.benchmark import job, runner
from agents.benchmark.job import Outcome
from agents.benchmark.plan import Job

JOBS = [Job("tasks", "recall", "lstm", seed, (), Path(), (1, 2)) for seed in (1, 2, 3)]


def interrupted_side_by_side(monkeypatch, times: int):
    """Two of three runs in parallel; the first interrupts the program before it ends."""

    def execute(job):
        if job == JOBS[0]:
            for _ in range(times):
                time.sleep(0.3)
                os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1.0)
        return Outcome(job, "", 0.0, 1.0, 0.5, 0, 10)

    monkeypatch.setattr(runner, "execute", execute)
    started, ended = [], []
    with pytest.raises(KeyboardInterrupt):
        for outcome in runner.side_by_side(JOBS, 2, started.append):
            ended.append(outcome.job)
    return started, ended


def test_after_an_interrupt_the_outcomes_of_the_running_runs_are_awaited(monkeypatch, capsys):
    assert interrupted_side_by_side(monkeypatch, times=1) == (JOBS[:2], [JOBS[1], JOBS[0]])
    assert "Ctrl-C again does not wait" in capsys.readouterr().err


def test_a_second_interrupt_does_not_wait(monkeypatch):
    started, ended = interrupted_side_by_side(monkeypatch, times=2)
    assert started == JOBS[:2] and JOBS[0] not in ended


RUN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


def test_a_run_ends_with_the_benchmark_that_is_terminated(tmp_path, monkeypatch):
    ready = tmp_path / "ready"

    def execute(ran):
        if ran == JOBS[1]:
            while not ready.exists():
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)
            return Outcome(ran, "", 0.0, 1.0, 0.5, 0, 10)
        with (tmp_path / "log").open("w") as stream:
            status, _ = job._call([sys.executable, "-c", RUN, str(ready)], stream)
        return Outcome(ran, f"status {status}", 0.0, 1.0, 0.5, 0, 10)

    monkeypatch.setattr(runner, "execute", execute)
    before, ended = signal.getsignal(signal.SIGTERM), {}
    with pytest.raises(KeyboardInterrupt), runner.stopped_by_signals():
        for outcome in runner.side_by_side(JOBS, 2, lambda _: None):
            ended[outcome.job.seed] = outcome.error
    assert ended == {1: "status 7", 2: ""}
    assert signal.getsignal(signal.SIGTERM) is before
