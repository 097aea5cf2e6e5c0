"""Checkpoints that are damaged, disks that are full or slow, and run folders that are shared."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from agents.cli.exit_status import BAD_INPUT, OK
from agents.faults.processes import FAULTY, SMALL_SUPERVISED, Program
from agents.faults.row import Failed, Row
from agents.runs import checkpoint

FULL_MB = 8
"""Size of the file system that is filled."""
STALL_SECONDS = 2
_SLOW_FSYNC = """
import os, time
fsync, last = os.fsync, [0.0]

def slow(descriptor):
    if time.monotonic() - last[0] > 5:
        begun = time.time()
        time.sleep({seconds})
        last[0] = time.monotonic()
        with open({file!r}, "a") as log:
            log.write(f"{{begun}} {{time.time()}}\\n")
    fsync(descriptor)

os.fsync = slow
"""
"""A `sitecustomize` module: one call in each checkpoint stalls, and its times are logged."""


def flips(folder: Path, count: int) -> Row:
    """Flip single bits of the newest checkpoint, over all its files by their sizes."""
    with Program(folder, "supervised.py", f"{SMALL_SUPERVISED} --checkpoint-minutes 0") as run:
        run.wait_for(lambda: len(_checkpoints(run)) > 1)
        run.process.send_signal(signal.SIGTERM)
        run.end()
    checkpoints = run.run / "checkpoints"
    good = checkpoint.load(checkpoints)
    draw, noticed, fell_back = random.Random(0), 0, 0
    files = sorted(path for path in good.path.iterdir())
    for _ in range(count):
        file = draw.choices(files, [path.stat().st_size for path in files])[0]
        whole = file.read_bytes()
        bit = draw.randrange(8 * len(whole))
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        loaded = checkpoint.load(checkpoints)
        noticed += loaded.frame != good.frame and good.path.name in " ".join(loaded.warnings)
        fell_back += loaded.frame < good.frame
        file.write_bytes(whole)
    return Row(
        f"{count} single bits flipped in {len(files)} files of a checkpoint",
        f"{noticed} noticed and named, {fell_back} times the one before was loaded",
        f"{count} and {count}",
        noticed == fell_back == count,
    )


def disk_full(folder: Path, count: int) -> Row:
    """Fill the file system (a tmpfs) of a run, and free it again."""
    intact = continued = recovered = 0
    with _small_disk(folder) as disk:
        options = f"{SMALL_SUPERVISED} --checkpoint-minutes 0.01"
        with Program(disk, "supervised.py", options) as run:
            run.wait_for(lambda: _checkpoints(run))
            for _ in range(count):
                filler = disk / "filler"
                _fill(filler)
                before, size = _checkpoints(run)[-1], run.output.stat().st_size
                time.sleep(2)
                run.check()
                intact += checkpoint.load(run.run / "checkpoints").frame >= int(before)
                continued += run.output.stat().st_size >= size
                filler.unlink()
                newest = int(_checkpoints(run)[-1])
                run.wait_for(lambda last=newest: int(_checkpoints(run)[-1]) > last, 30.0)
                recovered += 1
            run.process.send_signal(signal.SIGTERM)
            status = run.end()
    return Row(
        f"{count} times no space on a tmpfs of {FULL_MB} MB",
        f"{intact} times the old checkpoint could be loaded, {continued} times training continued, "
        f"{recovered} times a new one was written once there was space; status {status}",
        f"{count} each, status {OK}",
        intact == continued == recovered == count and status == OK,
    )


def two_runs(folder: Path, count: int) -> Row:
    """Start a second run in, resume or overwrite the folder of one that is running."""
    refused = unnamed = 0
    with Program(folder, "supervised.py", SMALL_SUPERVISED) as run:
        run.wait_for(lambda: _checkpoints(run))
        for number in range(count):
            folder_flag = f"--run-dir {run.run}"
            options = (
                f"{SMALL_SUPERVISED} {folder_flag}",
                f"--resume {run.run}",
                f"{SMALL_SUPERVISED} {folder_flag} --overwrite",
            )[number % 3]
            with Program(folder / str(number), "supervised.py", options) as other:
                refused += other.end() == BAD_INPUT
                unnamed += number % 3 > 0 and f"process {run.process.pid}" not in other.words
        run.wait_for_updates()
    return Row(
        f"{count} second runs, resumes and overwrites of a folder in use",
        f"{refused} refused with status {BAD_INPUT}, {unnamed} without the holder's number; the "
        "first run continued",
        f"{count} and 0",
        refused == count and not unnamed,
    )


def slow_disk(folder: Path, count: int) -> Row:
    """Let one fsync of each checkpoint take two seconds; compare the speed during it and between.

    Environments sleep, so that other programs on the machine change the speed little.
    """
    modules, log = folder / "slow", folder / "stalls.txt"
    modules.mkdir(parents=True)
    stall = _SLOW_FSYNC.format(seconds=STALL_SECONDS, file=str(log))
    (modules / "sitecustomize.py").write_text(stall)
    # One checkpoint in ten seconds.
    options = f"{FAULTY} --env.kwargs.seconds 0.002 --workers 0 --checkpoint-minutes {10 / 60}"
    with Program(folder / "run", "impala.py", options, path=str(modules)) as run:
        run.wait_for_updates(10)
        time.sleep(count)
        times, frames = zip(*((x["time"], x["frame"]) for x in run.lines()), strict=True)
    stalls = [tuple(map(float, line.split())) for line in log.read_text().splitlines()]
    stalls = [(start, end) for start, end in stalls if times[0] < start and end < times[-1]]
    stalled = sum(end - start for start, end in stalls)
    during = sum(float(np.diff(np.interp(stall, times, frames))[0]) for stall in stalls)
    whole = times[-1] - times[0]
    rates = during / stalled, (frames[-1] - frames[0] - during) / (whole - stalled)
    loss = stalled / whole * (1 - rates[0] / rates[1])
    return Row(
        f"an fsync of {STALL_SECONDS} s in each of {len(stalls)} checkpoints in {whole:.0f} s",
        f"{rates[0]:,.0f} frames/s during it, {rates[1]:,.0f} otherwise: {loss:.1%} lost",
        "at most 2 % lost",
        loss <= 0.02,
    )


def _checkpoints(run: Program) -> list[str]:
    folder = run.run / "checkpoints"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.name.isdecimal())


@contextmanager
def _small_disk(folder: Path) -> Generator[Path]:
    """A file system of its own, which root can mount.

    Raises:
        Failed: it cannot be mounted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={FULL_MB}m", "faults", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"a tmpfs is needed, which root can mount: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _fill(file: Path) -> None:
    """Write until no space is left."""
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                free = shutil.disk_usage(file.parent).free
                if out.write(bytes(max(1, min(free, 1 << 16)))) == 0:
                    return
        except OSError:
            return
