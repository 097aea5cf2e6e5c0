"""`--data-parallel`: the run folder of several processes is that of one; and its mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agents.cli.exit_status import WORKERS_LOST
from agents.programs.supervised import main
from agents.runs.checkpoint import load, newest
from tests.agents.processes import descendants

SCRIPT = Path(__file__).parents[3] / "scripts" / "supervised.py"

FLAGS = ["--task", "delayed_recall", "--task.delay", "1", "--task.length", "2", "--core", "gru"]
FLAGS += ["--core.hidden", "8", "--training.batch", "7", "--log-seconds", "0", "--threads", "1"]
FLAGS += ["--reader.readout", "8", "--validate-every", "2"]


def losses_of(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["frame"]: line["train/loss"] for line in lines if "train/loss" in line}


def start(*flags):
    """The program as one would type it: Ray's workers cannot be checked by jaxtyping."""
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, flags)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(program):
    """What it printed."""
    out = program.communicate(timeout=500)[0].decode()
    assert program.returncode == 0, out[-3000:]
    return out


@pytest.mark.slow
def test_a_run_over_ray_is_the_run_of_one_process_and_is_resumed_by_either(tmp_path):
    pytest.importorskip("pyarrow", reason="Ray Train needs the extra `cluster`")
    one, two = tmp_path / "one", tmp_path / "two"
    finish(start(*FLAGS, "--steps", 6, "--run-dir", one))
    told = finish(start(*FLAGS, "--steps", 4, "--data-parallel", 2, "--run-dir", two))
    assert "test of the best, step" in told
    assert not (two / "ray").exists() and not (two / "stop").exists()
    finish(start("--resume", two, "--steps", 5))  # by two processes again
    finish(start("--resume", two, "--steps", 6, "--data-parallel", 1))
    assert losses_of(two) == pytest.approx(losses_of(one), rel=1e-4)
    results = [json.loads((run / "results.json").read_text())["test"] for run in (one, two)]
    assert results[1] == pytest.approx(results[0], rel=1e-2)
    assert load(two / "checkpoints").frame == 6


@pytest.mark.slow
def test_a_run_over_ray_that_is_interrupted_writes_a_checkpoint(tmp_path):
    pytest.importorskip("pyarrow", reason="Ray Train needs the extra `cluster`")
    flags = ["--steps", 10**6, "--validate-every", 10**6, "--data-parallel", 2]
    program = start(*FLAGS, *flags, "--run-dir", tmp_path / "run")
    assert program.stdout is not None
    for line in iter(program.stdout.readline, b""):
        if b"loss" in line:
            program.send_signal(signal.SIGINT)
            break
    finish(program)
    assert load(tmp_path / "run" / "checkpoints").frame >= 1
    assert not (tmp_path / "run" / "results.json").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--data-parallel 0", "--data-parallel 0: must be at least 1"),
        ("--data-parallel 8", "--data-parallel 8: must be at most 7"),
        (
            "--data-parallel 2 --core memory_net --core.mode reinforce",
            "several processes cannot share one",
        ),
        ("--ray-address x:1", "--ray-address has no effect with --data-parallel 1"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(flags, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [flag for flag in FLAGS if "memory_net" not in flags or "core" not in flag]
    given = [flag for flag in given if "memory_net" not in flags or flag not in ("gru", "8")]
    try:
        status = main([*given, *flags.split()])
    except SystemExit as end:
        status = end.code
    message = capsys.readouterr().err
    assert status == 2 and words in message and "Traceback" not in message
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_killed_worker_ends_the_run_with_the_command_that_resumes_what_was_saved(tmp_path):
    pytest.importorskip("pyarrow", reason="Ray Train needs the extra `cluster`")
    run = tmp_path / "run"
    flags = ["--steps", 10**6, "--validate-every", 10**6, "--data-parallel", 2]
    program = start(*FLAGS, *flags, "--checkpoint-minutes", 0.02, "--run-dir", run)
    saved = wait_for_update(program, run, 10)
    workers = [n for n, name in descendants(program).items() if "RayTrainWorker" in name]
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    out = program.communicate(timeout=100)[0].decode()
    assert program.returncode == WORKERS_LOST
    assert f"resume: python scripts/supervised.py --resume {run}" in out
    kept = load(run / "checkpoints").frame
    assert kept >= saved
    finish(start("--resume", run, "--steps", kept + 1, "--data-parallel", 1))
    assert load(run / "checkpoints").frame == kept + 1


def wait_for_update(program, run, update):
    """Wait until a checkpoint of at least an update was written; returns its update."""
    deadline = time.monotonic() + 200
    while True:
        assert program.poll() is None and time.monotonic() < deadline
        path = newest(run / "checkpoints")
        if path and int(path.name) >= update:
            return int(path.name)
        time.sleep(0.1)
