"""Frames per second and resources of a training program at steady state.

The program appends lines of JSON with `frame`, `time` and other keys to a file while it learns;
`metrics.jsonl` of a run is such a file.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from process_tree import cpu_seconds, end, memory

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 600.0
"""Time limit for the first learned frames, seconds."""


class Ended(RuntimeError):
    """The program ended, or made no progress, during the measurement."""


class Steady(NamedTuple):
    """Measurements after the warm-up."""

    frames_per_second: float
    frames_per_cpu_second: float
    resident_mb: float
    proportional_mb: float
    processes: int


def watch(
    command: Sequence[str],
    progress: Path,
    warm_up: float,
    seconds: float,
    output: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Steady:
    """Start a program, measure it at steady state, and end it.

    Args:
        progress: file of its lines.
        warm_up: seconds that are not measured, after the first learned frames.
        seconds: length of the measurement.
        output: file for its output.
        folder: working directory of the program.

    Raises:
        Ended: it ended or made no progress; the message has its last output.
    """
    with output.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
        try:
            _wait_for_frames(process, progress, output)
            time.sleep(warm_up)
            return _count(process, progress, seconds, output)
        finally:
            end(process)


def watch_training(
    flags: Sequence[str], warm_up: float, seconds: float, tree: Path = ROOT
) -> Steady:
    """Measure a run of `scripts/impala.py` as `watch` does; its folder is deleted.

    Args:
        tree: folder of the revision.

    Raises:
        Ended: it ended or made no progress; the message has its last output.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [
            sys.executable,
            str(tree.resolve() / "scripts/impala.py"),
            *flags,
            "--run-dir",
            str(run),
            "--log-seconds",
            "1",
        ]
        return watch(command, run / "metrics.jsonl", warm_up, seconds, Path(folder) / "output")


def newest(progress: Path) -> tuple[int, float]:
    """The newest frame of a progress file, and its time; zeros if there is none."""
    lines = progress.read_text().split("\n")[:-1] if progress.exists() else []
    last = json.loads(lines[-1]) if lines else {"frame": 0, "time": 0.0}
    return last["frame"], last["time"]


def _wait_for_frames(process: subprocess.Popen, progress: Path, output: Path) -> None:
    limit = time.monotonic() + START_LIMIT
    while newest(progress)[0] == 0:
        if process.poll() is not None:
            raise Ended(f"it ended with status {process.returncode}: {_last_words(output)}")
        if time.monotonic() > limit:
            raise Ended(f"no frames were learned in {START_LIMIT:.0f} s: {_last_words(output)}")
        time.sleep(0.1)


def _count(process: subprocess.Popen, progress: Path, seconds: float, output: Path) -> Steady:
    cpu, started, before = cpu_seconds(process.pid), time.monotonic(), newest(progress)
    time.sleep(seconds)
    cpu, passed, after = (
        cpu_seconds(process.pid) - cpu,
        time.monotonic() - started,
        newest(progress),
    )
    if process.poll() is not None:
        raise Ended(f"it ended with status {process.returncode}: {_last_words(output)}")
    if after[0] == before[0]:
        raise Ended(f"no progress after frame {after[0]}: {_last_words(output)}")
    # Frames are counted between two lines of the file, CPU time between two readings here.
    rate = (after[0] - before[0]) / (after[1] - before[1])
    return Steady(rate, rate * passed / cpu, *memory(process.pid))


def _last_words(output: Path) -> str:
    said = output.read_text(errors="replace").strip().splitlines()
    return said[-1] if said else "it said nothing"
