"""Several learners make the updates of one, agree on what to do, and write one run."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import torch

from agents.cli.command_line import ParsedRun, parse
from agents.cli.exit_status import ENVIRONMENT_FAILED, NOT_FINITE
from agents.impala.build import build_learner, build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.distributed.resources import cpus_per_worker
from agents.impala.learners import build_together
from agents.impala.local_workers import LocalWorkers
from agents.impala.program import IMPALA
from agents.impala.rollout import Unroll
from agents.impala.training import Training
from agents.networks.policy import Policy
from agents.programs.impala import status_of
from agents.runs.checkpoint import load
from agents.runs.run import Run
from agents.runs.stop_signal import StopFile
from envs.fault import EnvironmentFault
from memory.group import Group
from tests.agents.impala.updates import CORE_OPTIONS, learn, make_batches, settings
from tests.agents.processes import descendants
from tests.memory.thread_group import together

SCRIPT = Path(__file__).parents[3] / "scripts" / "impala.py"
BATCH = 8


@pytest.mark.parametrize(("threads", "cpus"), [("auto", 1.0), (1, 1.0), (4, 0.0)])
def test_workers_reserve_only_what_the_learners_leave(
    threads: Any, cpus: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 10.0})
    config = ImpalaConfig(learner_threads=threads)
    assert cpus_per_worker(config, processes=2, learners=2) == cpus


def test_a_learner_that_cannot_be_built_ends_all_of_them_with_its_sentence(capsys: Any) -> None:
    built: Any = SimpleNamespace(closed=False, close=lambda: setattr(built, "closed", True))

    def build(group: Group) -> Any:
        def fail() -> Any:
            raise ValueError("no GPU here")

        return build_together(fail if group.rank == 1 else lambda: built, group)

    assert together(build) == [None, None] and built.closed
    assert "error: learner 1: ValueError: no GPU here" in capsys.readouterr().err


@pytest.mark.parametrize("core", CORE_OPTIONS)
def test_two_learners_make_the_updates_of_one(core: str) -> None:
    config = settings(core, BATCH)
    batches = make_batches(config)
    alone = learn(build_learner(config, build_policy(config)), batches)
    policies = [build_policy(config) for _ in range(2)]

    def share(group: Group) -> dict[str, Any]:
        return learn(build_learner(config, policies[group.rank], group), batches)

    first, second = together(share)
    assert first["frames"] == alone["frames"]
    for name, weights in alone["weights"].items():
        assert torch.equal(first["weights"][name], second["weights"][name]), name
        torch.testing.assert_close(first["weights"][name], weights, atol=2e-5, rtol=1e-3)
    for one, other in zip(alone["metrics"], first["metrics"], strict=True):
        names = one.keys() - {"loss/advantage_rms"}  # a mean of roots
        expected = {name: one[name] for name in names}
        assert {name: other[name] for name in names} == pytest.approx(expected, rel=1e-2, abs=1e-4)


def test_a_core_that_compares_losses_over_a_batch_is_refused(tmp_path: Path, capsys: Any) -> None:
    from agents.programs.impala import main

    flags = ["--core", "memory_net", "--core.mode", "td_fixed", "--learners", "2"]
    assert main([*flags, "--workers", "0", "--run-dir", str(tmp_path / "run")]) == 2
    assert "several learners cannot share one" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--batch 9", "--batch 9: must be a multiple of --learners 2, such as 8"),
        ("--actors 7", "--actors 7: must be a multiple of --learners 2, such as 8"),
        ("--workers 3", "--workers 3: must be a multiple of --learners 2, such as 4"),
    ],
)
def test_sizes_that_learners_cannot_share_are_refused(flags: str, message: str, capsys: Any):
    with pytest.raises(SystemExit):
        parse(["--learners", "2", "--actors", "8", "--batch", "8", *flags.split()], IMPALA)
    assert message in capsys.readouterr().err


FLAGS = "--env boxworld --core lstm --core.hidden 8 --policy.channels 2 2 --actors 4 --batch 4 "
FLAGS += "--unroll 5 --env.max-steps 5 --env.grid-size 8 --env.solution-length 1 --workers 0 "
FLAGS += "--env.num-distractors 0 --log-seconds 0"


def train(parsed: ParsedRun, policies: list[Policy], case: str, group: Group) -> list[int]:
    """One of two learners, the second of which has the fault; its status, updates and frames."""
    share, actors = parsed.config.share(group.rank)
    training = Training(
        share,
        build_learner(parsed.config, policies[group.rank], group),
        lambda: Run.create(parsed.config, parsed.names, IMPALA),
        partial(LocalWorkers, actors=actors),
        lambda *_: "",
        lambda *_: {},
        checkpoints=parsed.config.run_dir / "checkpoints",
    )
    stop = StopFile(parsed.config.run_dir.parent)
    if group.rank == 1:
        break_third_unroll(training, case, stop)
    status = status_of(training, stop, "boxworld")
    return [status, training.learner.updates, training.learner.frames]


def break_third_unroll(training: Training, case: str, stop: StopFile) -> None:
    """The environment fails, rewards are not finite, or a stop is requested."""
    assert isinstance(training.workers, LocalWorkers)
    rollout = training.workers.group.rollout
    unroll, count = rollout.unroll, iter(range(10**9))

    def broken(version: int) -> Unroll:
        number = next(count)
        if number < 2 or (number > 2 and case != "nan for ever"):
            return unroll(version)
        if case == "fault":
            raise EnvironmentFault(3, "the joystick fell off")
        if case == "stop":
            stop.request()
        made = unroll(version)
        if case.startswith("nan"):
            made.trajectory.inputs.last_rewards.fill_(float("nan"))
        return made

    rollout.unroll = broken


@pytest.mark.parametrize(
    ("case", "status", "updates"),
    [
        ("last frame", 0, 4),
        ("stop", 0, 2),
        ("nan", 0, 4),
        ("nan for ever", NOT_FINITE, 2),
        ("fault", ENVIRONMENT_FAILED, 2),
    ],
)
def test_both_learners_end_together(case: str, status: int, updates: int, tmp_path: Path) -> None:
    frames = 10**9 if case == "stop" else 80
    flags = [*FLAGS.split(), "--frames", str(frames), "--learners", "2"]
    parsed = parse([*flags, "--run-dir", str(tmp_path / "run")], IMPALA)
    policies = [build_policy(parsed.config) for _ in range(2)]
    ends = together(partial(train, parsed, policies, case))
    rollbacks = int(case == "nan for ever")  # counts as an update
    assert ends == [[status, updates + rollbacks, updates * 20]] * 2
    if case == "nan for ever":
        assert load(tmp_path / "run" / "checkpoints").frame == 20
    else:
        assert load(tmp_path / "run" / "checkpoints").frame == updates * 20
    if case == "last frame":
        lengths = load(tmp_path / "run" / "checkpoints").state["episodes"]["lengths"]
        assert len(lengths) == 16  # four actors, an episode of each unroll


def start(*flags: Any) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), *FLAGS.split(), *map(str, flags)]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, **output)


def finish(program: subprocess.Popen[str]) -> str:
    output = program.communicate(timeout=300)[0]
    assert program.returncode == 0, output[-3000:]
    return output


@pytest.mark.slow
def test_a_run_of_two_learners_over_ray_is_resumed_by_one(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Ray Train needs the extra `cluster`")
    run = tmp_path / "run"
    finish(start("--frames", 80, "--learners", 2, "--run-dir", run))
    assert load(run / "checkpoints").frame == 80 and not (run / "stop").exists()
    command = [sys.executable, str(SCRIPT), "--resume", str(run), "--frames", "160"]
    subprocess.run([*command, "--learners", "1"], check=True, timeout=300)
    assert load(run / "checkpoints").frame == 160


@pytest.mark.slow
def test_learners_resume_when_one_is_killed_and_stop_on_a_signal(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Ray Train needs the extra `cluster`")
    run = tmp_path / "run"
    flags = ["--learners", 2, "--workers", 2, "--checkpoint-minutes", 0.02, "--run-dir", run]
    program = start("--frames", 10**9, *flags)
    killed_at = wait_for_frame(program, run, 1000)
    learners = [n for n, name in descendants(program).items() if "RayTrainWorker" in name]
    assert len(learners) == 2
    os.kill(learners[1], signal.SIGKILL)
    began = time.monotonic()
    wait_for_frame(program, run, killed_at + 2000)
    assert time.monotonic() - began < 120  # a busy machine is slow to start it
    program.send_signal(signal.SIGTERM)
    finish(program)
    assert load(run / "checkpoints").frame > killed_at


def wait_for_frame(program: subprocess.Popen[str], run: Path, frame: int) -> int:
    """Wait until the newest checkpoint has a frame; returns it."""
    deadline = time.monotonic() + 300
    while True:
        assert program.poll() is None and time.monotonic() < deadline
        names = [p.name for p in (run / "checkpoints").glob("[0-9]*") if p.name.isdigit()]
        newest = max(map(int, names), default=0)
        if newest > frame:
            return newest
        time.sleep(0.2)


@pytest.mark.slow
def test_more_learners_than_the_cluster_holds_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    pytest.importorskip("pyarrow", reason="Ray Train needs the extra `cluster`")
    sizes = ["--actors", 100, "--batch", 100, "--learners", 100, "--run-dir", tmp_path / "run"]
    program = start("--frames", 80, *sizes)
    output = program.communicate(timeout=300)[0]
    assert program.returncode == 2
    assert "--learners 100: needs 100 CPUs, Ray has" in output
    assert not (tmp_path / "run").exists()
