"""Runs with Ray: workers act in their own processes, die, fail and are stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean

import pytest

from agents.cli.exit_status import ENVIRONMENT_FAILED
from agents.runs.checkpoint import load
from tests.agents.processes import descendants, name_of
from tests.agents.programs.t_maze import T_MAZE

ROOT = Path(__file__).parents[3]
SMALL = ["--actors", "8", "--batch", "4", "--unroll", "10", "--log-seconds", "0.2"]
EASY = ["--config", "boxworld-easy", "--core", "lstm", *SMALL]


@pytest.fixture
def start(tmp_path):
    """Starts `scripts/impala.py` with flags; whatever is left at the end is killed."""
    started = []

    def begin(*flags):
        command = [sys.executable, ROOT / "scripts/impala.py", *flags]
        command += ["--run-dir", tmp_path / "run"] * ("--resume" not in flags)
        process = subprocess.Popen(
            command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()


def lines(run):
    text = (run / "metrics.jsonl").read_text() if (run / "metrics.jsonl").exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def wait_until(condition, process, seconds=90):
    deadline = time.time() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.time() < deadline, "it takes too long"
        time.sleep(0.2)


@pytest.mark.slow
def test_a_run_with_workers_learns_to_solve_the_t_maze(start, tmp_path):
    process = start(*T_MAZE, "--frames", "24000", "--workers", "1")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    returns = load(tmp_path / "run" / "checkpoints").state["episodes"]["returns"]
    assert fmean(returns[-100:]) > 3, "4 is the most, a random agent gets less than 2"


def test_the_only_worker_is_killed_and_replaced_and_a_stopped_run_resumes(start, tmp_path):
    run = tmp_path / "run"
    process = start(*EASY, "--workers", "1", "--frames", "100000000")
    wait_until(lambda: len(lines(run)) > 2, process)
    family = descendants(process)
    victim = next(number for number, name in family.items() if "ray::_Worker" in name)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: lines(run)[-1]["workers/restarts"] == 1, process)
    reached = lines(run)[-1]["frame"]
    wait_until(lambda: lines(run)[-1]["frame"] > reached + 2000, process)
    assert lines(run)[-1]["workers/restarts"] == 1, "one loss counts once"

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    checkpoint = load(run / "checkpoints")
    assert checkpoint.frame >= reached
    time.sleep(1)
    alive = [name for number, name in family.items() if "ray" in name and name_of(number) == name]
    assert alive == []

    process = start("--resume", str(run), "--frames", str(checkpoint.frame + 2000))
    assert process.wait(timeout=90) == 0
    frames = [line["frame"] for line in lines(run)]
    assert frames == sorted(frames)
    assert frames[-1] >= checkpoint.frame + 2000
    assert load(run / "checkpoints").state["learner"]["updates"] == frames[-1] // 40


FAULTY = """
import time
from pathlib import Path
from statistics import fmean

import gymnasium as gym

class Faulty(gym.Env):
    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.Discrete(2)
    steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        self.steps += 1
        whole = Path(__file__).with_name("whole")
        if self.steps == 25 and not whole.exists():
            whole.touch()
            while Path(__file__).with_name("hangs").exists():
                time.sleep(1)
            raise OSError("the joystick fell off")
        return 0, 0.0, False, False, {}

gym.register("Faulty-v0", Faulty)
"""


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """Flags of a run whose environment fails once, at the 25th step of the first actor."""
    (tmp_path / "faulty.py").write_text(FAULTY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    flags = ["--env", "gymnasium", "--env.id", "faulty:Faulty-v0", "--core", "lstm", *SMALL]
    return [*flags, "--workers", "1"]


def test_an_environment_that_raises_ends_the_run_with_its_name_and_a_checkpoint(
    start, tmp_path, faulty
):
    process = start(*faulty, "--frames", "10000")
    output, _ = process.communicate(timeout=90)
    assert process.returncode == ENVIRONMENT_FAILED, output
    assert "the joystick fell off" in output
    assert 'raise OSError("the joystick fell off")' in output  # of its own traceback
    assert "actor 0, step 25" in output
    assert load(tmp_path / "run" / "checkpoints").frame > 0


def test_the_worker_of_an_environment_that_raises_is_replaced_if_the_run_says_so(
    start, tmp_path, faulty
):
    process = start(*faulty, "--on-env-error", "restart", "--frames", "2000")
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 0, output
    assert lines(tmp_path / "run")[-1]["workers/restarts"] == 1
    assert lines(tmp_path / "run")[-1]["frame"] == 2000


@pytest.mark.slow
def test_the_worker_of_an_environment_that_hangs_is_replaced_and_why_is_printed(
    start, tmp_path, faulty
):
    (tmp_path / "hangs").touch()
    process = start(*faulty, "--worker-deadline", "3", "--frames", "2000")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "actors 0 to 7 is replaced: no step for 3 seconds, its --worker-deadline: " in output
    assert "in step (faulty.py:" in output
    assert lines(tmp_path / "run")[-1]["workers/restarts"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("daemon", ["raylet/raylet ", "gcs/gcs_server "])
def test_a_process_of_ray_is_killed_and_the_run_says_so_with_a_checkpoint(start, tmp_path, daemon):
    process = start(*EASY, "--workers", "1", "--frames", "100000000", "--checkpoint-minutes", "99")
    wait_until(lambda: len(lines(tmp_path / "run")) > 2, process)
    victim = next(n for n, name in descendants(process).items() if daemon in name)
    os.kill(victim, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert daemon.split("/")[1].strip() in output and f"--resume {tmp_path / 'run'}" in output
    assert load(tmp_path / "run" / "checkpoints").frame > 0


def test_ray_without_its_token_is_refused_before_anything_starts(start, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    process = start(*EASY, "--workers", "1", "--frames", "1000")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "RAY_AUTH_MODE" in output
    assert not (tmp_path / "run").exists()
