"""Processes of a run that are killed, and runs that are stopped by signals."""

import random
import signal
import time
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median

from agents.cli.exit_status import INTERRUPTED, OK
from agents.faults.processes import (
    FAULTY,
    SMALL,
    SMALL_SUPERVISED,
    Program,
    descendants,
    kill,
    name_of,
    workers_of,
)
from agents.faults.row import Failed, Row
from agents.runs import checkpoint

KILL_SECONDS = 6.0
"""Between two kills of workers: 100 in ten minutes."""
WINDOWS = 3
"""Of ten seconds, whose median is the speed: other programs slow the machine at times."""


def kill_workers(folder: Path, count: int) -> Row:
    """Kill one of two workers, at random, again and again."""
    draw = random.Random(0)
    # Environments that sleep, so that other programs on the machine hardly change the speed.
    options = f"{FAULTY} --env.kwargs.seconds 0.01 --workers 2 --checkpoint-minutes 99"
    with Program(folder, "impala.py", options) as run:
        run.wait_for_updates(20)
        before = _speed(run)
        noticed: list[float] = []
        for number in range(1, count + 1):
            run.wait_for(lambda: workers_of(run.process.pid))
            kill(draw.choice(workers_of(run.process.pid)))
            killed = time.monotonic()
            run.wait_for(lambda expected=number: _restarts(run) >= expected)
            noticed.append(time.monotonic() - killed)
            time.sleep(max(0.0, KILL_SECONDS - noticed[-1]))
        time.sleep(10.0)
        after = _speed(run)
        restarts = _restarts(run)
        run.process.send_signal(signal.SIGTERM)
        status = run.end()
        frames = [line["frame"] for line in run.lines()]
    return Row(
        f"{count} kills of one of two workers, {KILL_SECONDS:g} s apart",
        f"{restarts} replaced, noticed after {fmean(noticed):.1f} s (at most {max(noticed):.1f}); "
        f"speed from 10 s after the last kill on {after / before:.0%}; status {status}",
        "each replaced, noticed within 2 s, frames never fewer, 95 % of the speed, status 0",
        restarts == count
        and max(noticed) <= 2
        and after >= 0.95 * before
        and status == OK
        and frames == sorted(frames),
    )


def kill_all_workers(folder: Path, count: int) -> Row:
    """Kill all workers at once."""
    seconds: list[float] = []
    with Program(folder, "impala.py", f"{SMALL} --workers 2") as run:
        run.wait_for_updates(10)
        for _ in range(count):
            run.wait_for(lambda: len(workers_of(run.process.pid)) == 2)
            for worker in workers_of(run.process.pid):
                kill(worker)
            killed, restarts = time.monotonic(), _restarts(run)
            run.wait_for(lambda least=restarts + 2: _restarts(run) >= least)
            frame = run.lines()[-1]["frame"]
            run.wait_for(lambda least=frame + 200: run.lines()[-1]["frame"] > least)
            seconds.append(time.monotonic() - killed)
    return Row(
        f"{count} kills of both workers at once",
        f"200 further frames after {fmean(seconds):.1f} s (at most {max(seconds):.1f})",
        "within 15 s",
        max(seconds) <= 15,
    )


def kill_learner(folder: Path, count: int) -> Row:
    """Kill a supervised run at random times and resume it; compare it with an unbroken one."""
    draw, steps = random.Random(0), 100 * count
    options = SMALL_SUPERVISED.replace("--steps 100000000", f"--steps {steps}")
    options += " --checkpoint-minutes 0"
    with Program(folder / "whole", "supervised.py", options) as whole:
        whole.end(max(200.0, 60.0 * count))
    broken = folder / "broken"
    kills, resume = 0, options
    while True:
        with Program(broken, "supervised.py", resume) as run:
            least = _newest(run) + draw.randrange(5, 60)
            while run.process.poll() is None and (kills == count or _newest(run) < least):
                time.sleep(0.005)
            if run.process.poll() is not None:
                break
            run.process.kill()
            kills += 1
        resume = f"--resume {run.run}"
    ends = [checkpoint.load(path / "run" / "checkpoints") for path in (folder / "whole", broken)]
    same = all(bool((ends[0].weights[n] == x).all()) for n, x in ends[1].weights.items())
    return Row(
        f"{kills} kills of a supervised run, each resumed",
        f"ends at update {ends[1].frame:,} of {steps:,}; weights "
        + ("equal, bit for bit, those of an unbroken run" if same else "differ"),
        "bit for bit",
        same and kills == count and ends[1].frame == steps == ends[0].frame,
    )


def kill_while_saving(folder: Path, count: int) -> Row:
    """Kill a run that writes a checkpoint after each update."""
    draw, unusable, backwards, last = random.Random(0), 0, 0, -1
    options = f"{SMALL_SUPERVISED} --checkpoint-minutes 0"
    for number in range(count):
        with Program(folder, "supervised.py", options) as run:
            newest = _newest(run)
            run.wait_for(lambda least=newest: _newest(run) > least)
            time.sleep(draw.uniform(0, 0.1))
            run.process.kill()
            run.process.wait()
        try:
            frame = checkpoint.load(run.run / "checkpoints").frame
            backwards += frame < last
            last = frame
        except checkpoint.CheckpointError:
            unusable += 1
        options = f"--resume {run.run}"
        del number
    return Row(
        f"{count} kills while checkpoints are written",
        f"{unusable} without a checkpoint to load, {backwards} older than the one before",
        "0 and 0",
        unusable == backwards == 0,
    )


def signals(folder: Path, count: int) -> Row:
    """Send SIGTERM to runs with a worker, in turn to the process and to its group."""
    seconds: list[float] = []
    statuses: list[int] = []
    orphans = unsaved = 0
    for number in range(count):
        with Program(folder / str(number), "impala.py", f"{SMALL} --workers 1") as run:
            run.wait_for_updates(3)
            family = {n: name for n, name in descendants(run.process.pid).items() if "ray" in name}
            sent = time.monotonic()
            kill(run.process.pid if number % 2 == 0 else -run.process.pid, signal.SIGTERM)
            statuses.append(run.end())
            seconds.append(time.monotonic() - sent)
            time.sleep(2)
            orphans += sum(name_of(n) == name for n, name in family.items())
            unsaved += _newest(run) < run.lines()[-1]["frame"]
    return Row(
        f"{count} SIGTERMs, in turn to the process and to its group",
        f"{statuses.count(OK)} ended with status 0, after {fmean(seconds):.1f} s (at most "
        f"{max(seconds):.1f}); {unsaved} without a checkpoint, {orphans} processes left",
        f"{count} with status 0 within 5 s, 0 and 0",
        set(statuses) == {OK} and max(seconds) <= 5 and orphans == unsaved == 0,
    )


def early_signals(folder: Path, count: int) -> Row:
    """Send SIGINT to runs that start Ray, at different times; in turn to an agent's run with a
    worker and to a supervised one of two processes."""
    statuses: list[int] = []
    seconds: list[float] = []
    tracebacks = orphans = 0
    starts = (
        ("impala.py", f"{SMALL} --workers 1", 5),
        ("supervised.py", f"{SMALL_SUPERVISED} --data-parallel 2", 15),
    )
    for number in range(count):
        script, options, longest = starts[number % 2]
        with Program(folder / str(number), script, options) as run:
            run.wait_for(lambda: "starting" in run.words)
            time.sleep(longest * number / count)
            family = {n: name for n, name in descendants(run.process.pid).items() if "ray" in name}
            sent = time.monotonic()
            kill(-run.process.pid, signal.SIGINT)
            statuses.append(run.end())
            seconds.append(time.monotonic() - sent)
            time.sleep(2)
            orphans += sum(name_of(n) == name for n, name in family.items())
            tracebacks += "Traceback" in run.words or "Fatal" in run.words
    return Row(
        f"{count} SIGINTs to the group while Ray starts, in turn with --workers 1 and "
        "--data-parallel 2",
        f"{statuses.count(INTERRUPTED)} ended with status {INTERRUPTED} and "
        f"{statuses.count(OK)} with {OK}, after at most {max(seconds):.1f} s; {tracebacks} with a "
        f"traceback, {orphans} processes left",
        f"{INTERRUPTED}, or {OK} once training has begun; no traceback, no process",
        set(statuses) <= {OK, INTERRUPTED} and not tracebacks and not orphans,
    )


def daemons(folder: Path, count: int) -> Row:
    """Kill Ray's raylet and gcs_server in turn."""
    said, saved, seconds = 0, 0, list[float]()
    for number in range(count):
        part = ("raylet/raylet ", "gcs/gcs_server ")[number % 2]
        options = f"{SMALL} --workers 1 --checkpoint-minutes 99"
        with Program(folder / str(number), "impala.py", options) as run:
            run.wait_for_updates(3)
            names = descendants(run.process.pid).items()
            victim = next((n for n, name in names if part in name), None)
            if victim is None:
                raise Failed(f"no process {part}: {list(names)}")
            kill(victim)
            killed = time.monotonic()
            run.end()
            seconds.append(time.monotonic() - killed)
            time.sleep(0.5)
            said += part.split("/")[1].strip() in run.words and "--resume" in run.words
            saved += _newest(run) > 0
    return Row(
        f"{count} kills of Ray's raylet and gcs_server in turn",
        f"{said} named with the command that resumes, {saved} with a checkpoint; the run ended "
        f"after {fmean(seconds):.1f} s (at most {max(seconds):.1f})",
        f"{count} and {count}, within 30 s",
        said == saved == count and max(seconds) <= 30,
    )


def _speed(run: Program) -> float:
    """Frames a second."""
    lines = [run.lines()[-1]]
    for _ in range(WINDOWS):
        time.sleep(10.0)
        lines.append(run.lines()[-1])
    return median((b["frame"] - a["frame"]) / (b["time"] - a["time"]) for a, b in pairwise(lines))


def _restarts(run: Program) -> int:
    lines = run.lines()
    return int(lines[-1]["workers/restarts"]) if lines else 0


def _newest(run: Program) -> int:
    path = checkpoint.newest(run.run / "checkpoints")
    return int(path.name) if path else 0
