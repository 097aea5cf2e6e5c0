"""Whole runs in this process: they learn, resume exactly and end cleanly."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean

import pytest
import torch

from agents.cli.command_line import parse
from agents.impala.local_workers import LocalWorkers
from agents.impala.program import IMPALA
from agents.programs import impala as door
from agents.runs.checkpoint import CheckpointError, accept_config, load, save
from tests.agents.programs.t_maze import T_MAZE

SMALL = ["--actors", "8", "--batch", "4", "--unroll", "10", "--workers", "0", "--log-seconds", "0"]


def train(folder, *flags):
    """A small run; returns its exit status."""
    if "--resume" in flags:
        return door.main([*flags])
    return door.main(["--config", "boxworld-easy", *SMALL, "--run-dir", str(folder), *flags])


def weights(folder):
    return load(folder / "checkpoints").weights


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def interrupt_at(frames, monkeypatch):
    """Send this process a SIGTERM when the learner has made so many frames."""
    from agents.impala.learning.learner import Learner

    learn = Learner.learn

    def learn_and_interrupt(self, batch):
        learn(self, batch)
        if self.frames == frames:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Learner, "learn", learn_and_interrupt)


@pytest.mark.parametrize(
    "core",
    [("lstm", "--core.hidden", "16"), ("memory_net", "--core.mode", "reinforce")],
    ids=lambda core: core[0],
)
def test_a_run_interrupted_and_resumed_ends_with_the_same_weights_bit_for_bit(
    core, tmp_path, monkeypatch
):
    flags = ("--core", *core, "--frames", "1200", "--grow-levels", "0.5", "--env.max-steps", "30")
    assert train(tmp_path / "whole", *flags) == 0
    with monkeypatch.context() as patch:
        interrupt_at(440, patch)
        assert train(tmp_path / "parts", *flags) == 0
    assert load(tmp_path / "parts" / "checkpoints").frame == 440
    assert train(None, "--resume", str(tmp_path / "parts")) == 0
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    frames = [line["frame"] for line in lines(tmp_path / "parts")]
    assert frames == sorted(frames) and frames[-1] == 1200
    whole_episodes, episodes = (
        load(tmp_path / name / "checkpoints").state["episodes"] for name in ("whole", "parts")
    )
    assert episodes == whole_episodes and len(episodes["returns"]) > 20


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path):
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert train(tmp_path / name, "--core", "lstm", "--frames", "400", "--seed", seed) == 0
    a, b, c = (weights(tmp_path / name)["value_head.weight"] for name in "abc")
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_a_corrupted_newest_checkpoint_is_named_and_the_one_before_is_resumed(tmp_path, capsys):
    flags = ("--core", "lstm", "--checkpoint-minutes", "0", "--frames", "800")
    assert train(tmp_path / "run", *flags) == 0
    newest = load(tmp_path / "run" / "checkpoints").path
    damaged = bytearray((newest / "weights.safetensors").read_bytes())
    damaged[-5] ^= 1
    (newest / "weights.safetensors").write_bytes(damaged)
    assert train(None, "--resume", str(tmp_path / "run"), "--frames", "1000") == 0
    assert newest.name in capsys.readouterr().err
    assert load(tmp_path / "run" / "checkpoints").frame == 1000


def test_the_checkpoint_with_the_best_return_is_kept_beside_the_newest(tmp_path):
    flags = ("--core", "lstm", "--checkpoint-minutes", "0", "--frames", "2400")
    assert train(tmp_path / "run", *flags, "--env.max-steps", "10") == 0
    best = load(tmp_path / "run" / "checkpoints", best=True)
    returns = {line["frame"]: line.get("episodes/return", 0) for line in lines(tmp_path / "run")}
    assert best.state["best_return"] == pytest.approx(returns[best.frame])
    late = [value for frame, value in returns.items() if frame >= best.frame]
    assert returns[best.frame] == max(late) and len(late) > 1


@pytest.mark.parametrize(("bad", "status"), [(range(5, 6), 0), (range(5, 10**6), door.NOT_FINITE)])
def test_losses_that_stay_not_finite_end_the_run_and_a_single_one_is_skipped(
    bad, status, tmp_path, capsys, monkeypatch
):
    from agents.impala.learning import losses

    real, calls = losses.vtrace, iter(range(10**6))

    def poisoned(*arguments):
        target = real(*arguments)
        return target._replace(targets=target.targets * (float("nan") if next(calls) in bad else 1))

    monkeypatch.setattr(losses, "vtrace", poisoned)
    flags = ("--core", "lstm", "--checkpoint-minutes", "0", "--frames", "1000")
    assert train(tmp_path / "run", *flags) == status
    output = capsys.readouterr()
    assert "loss/value is nan at update 5" in output.out
    assert ("loss/value is nan" in output.err) == (status != 0)
    checkpoint = load(tmp_path / "run" / "checkpoints")
    assert checkpoint.frame == (200 if status else 1000)
    if not status:
        assert checkpoint.state["refused"] == lines(tmp_path / "run")[-1]["updates/refused"] == 1
    assert torch.load(tmp_path / "run" / "not_finite_batch.pt")


SHELL = """
trap : INT
{python} {script} --config boxworld-easy --core lstm --actors 8 --batch 4 --unroll 10 --workers 0 \\
    --log-seconds 0 --checkpoint-minutes 30 --run-dir {run} 2>&1 | tee {run}.log > /dev/null
echo ${{PIPESTATUS[0]}} > {run}.status
"""


def test_ctrl_c_through_a_pipe_writes_a_checkpoint(tmp_path):
    run = tmp_path / "run"
    script = Path(door.__file__).parents[2] / "scripts/impala.py"
    line = SHELL.format(python=sys.executable, script=script, run=run)
    shell = subprocess.Popen(["bash", "-c", line], start_new_session=True)
    deadline = time.monotonic() + 120
    while not (run.is_dir() and len(lines(run)) > 2):
        assert shell.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(shell.pid, signal.SIGINT)  # ends tee, so that the next line of text has no reader
    shell.wait(60)
    assert Path(f"{run}.status").read_text() == "0\n"
    assert load(run / "checkpoints").frame > 0


def test_a_signal_before_training_writes_nothing(tmp_path, monkeypatch, capsys):
    def interrupted(config):
        os.kill(os.getpid(), signal.SIGTERM)
        return LocalWorkers

    monkeypatch.setattr(door, "workers_for", interrupted)
    assert train(tmp_path / "run", "--core", "lstm", "--frames", "40") == door.INTERRUPTED == 130
    assert "interrupted before training began" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_exits_ends_the_run_with_its_own_status(tmp_path, monkeypatch, capsys):
    from agents.impala.rollout import Rollout

    unroll, calls = Rollout.unroll, iter(range(100))

    def exiting(self, version):
        return sys.exit(3) if next(calls) == 2 else unroll(self, version)

    monkeypatch.setattr(Rollout, "unroll", exiting)
    status = train(tmp_path / "run", "--core", "lstm", "--frames", "4000")
    assert status == door.ENVIRONMENT_FAILED
    assert "an environment called sys.exit(3)" in capsys.readouterr().err
    assert load(tmp_path / "run" / "checkpoints").frame > 0


def test_an_error_is_not_hidden_by_a_checkpoint_that_cannot_be_written(
    tmp_path, monkeypatch, capsys
):
    from agents.impala.learning.learner import Learner
    from agents.runs import checkpoint
    from envs.fault import EnvironmentFault

    def fail(*_, **__):
        raise EnvironmentFault(0, "the joystick fell off")

    def full(*_, **__):
        raise CheckpointError("no space left")

    monkeypatch.setattr(Learner, "learn", fail)
    monkeypatch.setattr(checkpoint, "write", full)
    status = train(tmp_path / "run", "--core", "lstm", "--frames", "4000")
    assert status == door.ENVIRONMENT_FAILED
    said = capsys.readouterr()
    assert "joystick" in said.err and "no space left" in said.out


def test_a_video_that_fails_in_any_way_does_not_end_training(tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise ValueError("no renderer")

    monkeypatch.setattr(door, "record_video", fail)
    flags = ("--core", "lstm", "--frames", "400", "--video-every", "0.000001")
    assert train(tmp_path / "run", *flags) == 0
    assert caplog.text.count("video failed, training continues without: ValueError") == 1
    assert lines(tmp_path / "run")[-1]["side_work/failures"] > 1


def test_counters_continue_after_a_resume_and_another_schedule_is_said(tmp_path, capsys):
    run = tmp_path / "run"
    assert train(run, "--core", "lstm", "--frames", "400") == 0
    found = load(run / "checkpoints")
    assert (found.state["dropped"], found.state["restarts"]) == (0, 0)
    state = {**found.state, "dropped": 7, "restarts": 3}
    config = (run / "config.yaml").read_bytes()
    save(run / "checkpoints", frame=401, weights=found.weights, state=state, config=config)
    assert train(None, "--resume", str(run), "--frames", "1000") == 0
    assert (lines(run)[-1]["lag/dropped"], lines(run)[-1]["workers/restarts"]) == (7, 3)
    assert "--frames 1000 in place of 400: the learning rate" in capsys.readouterr().out


def test_the_first_lines_come_before_the_workers_and_name_the_folder(tmp_path, monkeypatch, capsys):
    said = []

    def start(config):
        said.append(capsys.readouterr().out)
        return LocalWorkers

    monkeypatch.setattr(door, "workers_for", start)
    monkeypatch.chdir(tmp_path)
    flags = ["--config", "boxworld-easy", *SMALL, "--core", "lstm", "--frames", "400"]
    assert door.main(flags) == 0
    (folder,) = Path("runs").iterdir()
    assert f"run folder  {folder}\n" in said[0]
    assert "boxworld with lstm: 8 actors, 400 frames" in said[0]
    assert "starting    actors in this process" in said[0]
    assert "weights" in said[0]


def test_the_last_lines_are_commands_that_work(tmp_path, monkeypatch, capsys):
    interrupt_at(440, monkeypatch)
    assert train(tmp_path / "run", "--core", "lstm", "--frames", "1200") == 0
    said = capsys.readouterr().out
    saved = load(tmp_path / "run" / "checkpoints")
    assert 440 <= saved.frame < 600
    assert f"saved     {saved.path} (frames {saved.frame} of 1,200)" in said
    (resume,) = [line for line in said.splitlines() if line.startswith("resume ")]
    _, python, script, *flags = resume.split()
    assert (python, script) == ("python", "scripts/impala.py")
    assert train(None, *flags) == 0
    assert "(frames 1,200 of 1,200)" in capsys.readouterr().out


def test_a_best_checkpoint_is_said_with_the_command_to_watch_it(tmp_path, capsys):
    flags = ("--core", "lstm", "--checkpoint-minutes", "0", "--frames", "2400")
    assert train(tmp_path / "run", *flags, "--env.max-steps", "10") == 0
    said = capsys.readouterr().out
    watch = f"python scripts/record.py {tmp_path}/run --best"
    assert "the best so far: return" in said and f"; {watch}\n" in said
    assert f"record    {watch}" in said


def test_a_quiet_run_prints_nothing_and_its_folder_does_not_remember(tmp_path, capsys):
    assert train(tmp_path / "run", "--core", "lstm", "--frames", "400", "--quiet") == 0
    assert capsys.readouterr().out == ""
    assert "quiet" not in (tmp_path / "run" / "config.yaml").read_text()


def test_without_the_package_of_wandb_nothing_is_started(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status = train(tmp_path / "run", "--core", "lstm", "--frames", "400", "--wandb", "memory")
    assert status == 2
    assert "--wandb memory needs the package wandb: pip install wandb" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_weights_of_early_on_are_kept(tmp_path):
    assert train(tmp_path / "run", "--core", "lstm", "--frames", "1200") == 0
    kept = (tmp_path / "run" / "checkpoints" / "progress").iterdir()
    assert sorted(int(path.name) for path in kept) == [40, 120]


@pytest.mark.parametrize(
    ("cpus", "workers", "threads"), [(1, "auto", 1), (2, "auto", 2), (16, "auto", 2), (16, 4, 13)]
)
def test_the_learner_takes_what_workers_leave_and_one_cpu_more(cpus, workers, threads, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cpus))
    config = parse(["--workers", str(workers)], IMPALA).config
    assert door.learner_threads(config) == threads


def test_a_second_signal_ends_the_process_at_once():
    program = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from agents.runs.stop_signal import StopSignal
with StopSignal() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
"""
    root = Path(door.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program, str(root)], timeout=60)
    assert done.returncode == 128 + signal.SIGINT


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--env", "boxword"), "boxworld"),
        (("--core", "rcm"), "rmc"),
        (("--config", "boxworld-eazy"), "boxworld-easy"),
        (("--actros", "3"), "--actors"),
        (("--actors", "0"), "actors"),
        (("--actors", "4", "--workers", "5"), "workers"),
        (("--core", "rmc", "--core.units", "1023"), "units"),
        (("--core", "lstm", "--core.slots", "4"), "slots"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_named_before_anything_is_written(flags, complaint, tmp_path, capsys):
    try:
        status = door.main([*flags, "--run-dir", str(tmp_path / "run")])
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_that_exists_is_left_alone_unless_told(tmp_path, capsys):
    flags = ("--core", "lstm", "--frames", "40")
    assert train(tmp_path / "run", *flags) == 0
    before = weights(tmp_path / "run")["value_head.weight"]
    assert train(tmp_path / "run", *flags, "--seed", "9") == 2
    message = capsys.readouterr().err
    assert "--resume" in message and "--overwrite" in message
    assert torch.equal(weights(tmp_path / "run")["value_head.weight"], before)
    assert train(tmp_path / "run", *flags, "--seed", "9", "--overwrite") == 0
    assert not torch.equal(weights(tmp_path / "run")["value_head.weight"], before)


@pytest.mark.parametrize("again", ["overwrite", "resume"])
def test_a_run_that_cannot_be_replaced_or_resumed_is_left_as_it_was(
    again, tmp_path, monkeypatch, capsys
):
    assert train(tmp_path / "run", "--core", "lstm", "--frames", "40") == 0
    before = {p: p.read_bytes() for p in sorted((tmp_path / "run").rglob("*")) if p.is_file()}

    def fail(*_):
        raise ConnectionError("no cluster there")

    monkeypatch.setattr(door, "workers_for", lambda config: fail)
    if again == "overwrite":
        flags = ("--core", "lstm", "--frames", "40", "--overwrite")
        assert train(tmp_path / "run", *flags) == door.BAD_INPUT
    else:
        assert train(None, "--resume", str(tmp_path / "run"), "--frames", "80") == door.BAD_INPUT
    assert "no cluster there" in capsys.readouterr().err
    monkeypatch.undo()
    after = {p: p.read_bytes() for p in sorted((tmp_path / "run").rglob("*")) if p.is_file()}
    before = {p: data for p, data in before.items() if p.name != ".lock"}
    assert {p: data for p, data in after.items() if p.name != ".lock"} == before


def test_resuming_a_folder_that_is_no_run_says_so(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        door.main(["--resume", str(tmp_path)])
    assert end.value.code == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_resuming_a_checkpoint_of_another_architecture_names_what_differs(tmp_path, capsys):
    assert train(tmp_path / "run", "--core", "lstm", "--frames", "40") == 0
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("hidden: 256", "hidden: 32"))
    flags = ("--resume", str(tmp_path / "run"), "--frames", "80")
    accept_config(tmp_path / "run" / "checkpoints", config.read_bytes())
    assert train(None, *flags) == 2
    assert "another architecture" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--resume", "--resume-weights"])
def test_weights_of_a_network_that_memory_cannot_hold_are_compared_without_it(
    flag, tmp_path, capsys
):
    run = tmp_path / "run"
    assert train(run, "--core", "lstm", "--frames", "40") == 0
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("hidden: 256", "hidden: 1000000"))  # 16 TB
    accept_config(run / "checkpoints", config.read_bytes())
    given = ["--frames", "80"] if flag == "--resume" else ["--config", str(config)]
    assert train(None, flag, str(run), *given) == 2
    assert "another architecture: core." in capsys.readouterr().err


def test_a_run_with_an_edited_configuration_is_not_resumed_but_new_options_are_kept(
    tmp_path, capsys
):
    run = tmp_path / "run"
    assert train(run, "--core", "lstm", "--frames", "40") == 0
    assert train(None, "--resume", str(run), "--frames", "80") == 0
    assert train(None, "--resume", str(run), "--frames", "120") == 0
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("frames: 120", "frames: 320"))
    assert train(None, "--resume", str(run)) == 2
    assert f"{config} is damaged or was edited" in capsys.readouterr().err


def test_a_run_folder_from_elsewhere_connects_nowhere(tmp_path, monkeypatch):
    run = tmp_path / "run"
    assert train(run, "--core", "lstm", "--frames", "40") == 0
    config = run / "config.yaml"
    config.write_text(config.read_text() + "ray_address: evil.example.org:6379\n")
    accept_config(run / "checkpoints", config.read_bytes())
    asked = []
    monkeypatch.setattr(door, "workers_for", lambda c: asked.append(c.ray_address) or LocalWorkers)
    assert train(None, "--resume", str(run), "--frames", "80") == 0
    assert asked == [None] and "ray_address" not in config.read_text()


def test_a_run_learns_to_solve_the_t_maze(tmp_path):
    assert door.main([*T_MAZE, "--workers", "0", "--run-dir", str(tmp_path / "run")]) == 0
    returns = load(tmp_path / "run" / "checkpoints").state["episodes"]["returns"]
    assert fmean(returns[:50]) < 3 < fmean(returns[-100:]), "4 is the most"
