"""Actors in this process whose environment is slow, or does not return."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import Any

import gymnasium
import pytest
from gymnasium.spaces import Discrete

from agents.cli.command_line import parse
from agents.cli.exit_status import ENVIRONMENT_HANGS, OK
from agents.impala import local_workers, training
from agents.impala.program import IMPALA
from agents.programs import impala
from agents.runs.checkpoint import load


class Stuck(gymnasium.Env[Any, Any]):
    """Waits at one step for `release`, and takes `seconds` for each of the others."""

    observation_space = Discrete(2)
    action_space = Discrete(2)
    release = Event()
    at = 0
    seconds = 0.0
    steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        if self.at == 0 and current_thread() is not main_thread():  # which checks the spaces
            self.wait_for_the_emulator()
        return 0, {}

    def step(self, action: Any):
        type(self).steps += 1
        time.sleep(self.seconds)
        if self.steps == self.at:
            self.wait_for_the_emulator()
        return 0, 0.0, False, False, {}

    def wait_for_the_emulator(self) -> None:
        while not self.release.wait(0.05):
            pass


gymnasium.register("Stuck-v0", lambda **_: Stuck(), disable_env_checker=True)
ROOT = Path(__file__).parents[3]
FLAGS: str = "--env gymnasium --env.id Stuck-v0 --core lstm --core.hidden 4 --actors 1 --workers 0 "
FLAGS += "--batch 1 --unroll 4 --log-seconds 0"


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Stuck]]:
    monkeypatch.setattr(Stuck, "steps", 0)
    monkeypatch.setattr(Stuck, "release", Event())
    monkeypatch.setattr(local_workers, "LOOK_SECONDS", 0.1)
    yield Stuck
    Stuck.release.set()


def test_an_environment_that_hangs_ends_the_run_with_a_checkpoint_and_its_own_status(
    stuck: type[Stuck], monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: Any
) -> None:
    monkeypatch.setattr(stuck, "at", 11)
    flags = [*FLAGS.split(), "--frames", "40", "--run-dir", str(tmp_path / "run")]
    started = time.monotonic()
    assert impala.main([*flags, "--worker-deadline", "0.5"]) == ENVIRONMENT_HANGS
    assert time.monotonic() - started < 60
    error = capsys.readouterr().err
    assert "gymnasium: no step was finished for 0.5 seconds, the --worker-deadline: step 3" in error
    assert "wait" in error
    checkpoint = load(tmp_path / "run" / "checkpoints")
    assert checkpoint.frame == 8 and checkpoint.state["actors"] is None


def test_an_environment_that_hangs_in_its_first_reset_writes_nothing(
    stuck: type[Stuck], monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: Any
) -> None:
    monkeypatch.setattr(local_workers, "START_LIMIT", 0.2)
    flags = [*FLAGS.split(), "--frames", "40", "--run-dir", str(tmp_path / "run")]
    assert impala.main([*flags, "--worker-deadline", "0.5"]) == ENVIRONMENT_HANGS
    assert "step 1 of its unroll takes" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_screen_says_why_a_slow_environment_gives_no_update(
    stuck: type[Stuck], monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: Any
) -> None:
    monkeypatch.setattr(stuck, "at", -1)
    monkeypatch.setattr(stuck, "seconds", 0.3)
    monkeypatch.setattr(training, "NOTICE_SECONDS", 0.5)
    flags = [*FLAGS.split(), "--frames", "8", "--run-dir", str(tmp_path / "run")]
    assert impala.main([*flags, "--worker-deadline", "1"]) == OK
    output = capsys.readouterr().out
    assert "no update yet: 0 of the 1 trajectories of a batch are here, waiting for the" in output
    assert "of its unroll takes 0 s, in step (test_local_workers.py:" in output


def test_a_stop_waits_for_the_unroll_in_progress(
    stuck: type[Stuck], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stuck, "at", -1)
    monkeypatch.setattr(stuck, "seconds", 0.1)
    config = parse(FLAGS.split(), IMPALA).config
    policy = impala.build_policy(config)
    request = impala.flatten(policy)
    workers = local_workers.LocalWorkers(config, lambda: training.UnrollRequest(request, 0, {}))
    assert workers.gather(1, wait=True) == [] and workers.get_state() is None
    assert len(workers.finish()) == 1 and workers.finish() == []
    workers.close()


def test_an_error_of_the_thread_is_raised_in_the_learner_s() -> None:
    future = local_workers._Thread().call(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        future.result(10)


@pytest.mark.slow
def test_a_run_that_was_stopped_and_continued_goes_on(tmp_path: Path) -> None:
    """As by Ctrl-Z and `fg`: no step was finished for long, and nothing hangs."""
    flags = "--config debug --core lstm --env boxworld --worker-deadline 1 --frames 30000 --quiet"
    command = [sys.executable, "scripts/impala.py", *flags.split()]
    command += ["--run-dir", str(tmp_path / "run")]
    run = subprocess.Popen(command, cwd=ROOT)
    while not list(tmp_path.glob("run/checkpoints/*")):
        time.sleep(0.05)
    for _ in range(4):
        run.send_signal(signal.SIGSTOP)
        time.sleep(2)
        run.send_signal(signal.SIGCONT)
        time.sleep(0.2)
        assert run.poll() is None
    assert run.wait(timeout=120) == OK
