"""One run of a benchmark: a process of its own, started or resumed."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from agents.benchmark.plan import Job, check
from agents.cli.command import CommandError
from agents.cli.invocation import process_command
from agents.runs.run import RESULTS, Run, RunError
from memory.regular_file import read_regular

LOG = "output.txt"
"""Beside the folder of a run: what it printed."""
STOPPED = "it was stopped before its end, and resumes with the next start"
"""Error of a run that ended well without being done, as after Ctrl-C."""
LARGEST_RESULTS = 1 << 24
"""Bytes of a file of results."""
ROOM = 200_000_000
"""Bytes that must be free where a run is started."""
_processes: set[int] = set()
"""Ids of the processes of the runs that `execute` waits for."""


class Outcome(NamedTuple):
    """Result of one start of a run."""

    job: Job
    error: str
    """Last line of output of a failed run, or `STOPPED`; empty on success."""
    started: float
    """Seconds since 1970."""
    ended: float
    cpu_seconds: float
    """CPU seconds of the process and its children."""
    first_frame: int
    """Frames or updates at the start."""
    last_frame: int
    """Frames or updates at the end."""


def length_of(job: Job) -> int:
    """Frames or updates of the whole run."""
    config = check(job).config
    return config.frames if job.kind == "environments" else config.steps


def progress_of(job: Job) -> dict[str, Any]:
    """The last line of the log of a run; `{"frame": 0}` before the first."""
    try:
        lines = Run.open(job.folder, job.program).metrics()
    except RunError:
        lines = []
    return lines[-1] if lines else {"frame": 0}


def results_of(job: Job) -> dict[str, Any] | None:
    """Results of a finished run.

    Raises:
        CommandError: its file is damaged.
    """
    file = job.folder / RESULTS
    if not file.exists():
        return None
    try:
        results = json.loads(read_regular(file, LARGEST_RESULTS))
        for number in (results["test"][results["measure"]], results["step"], results["seconds"]):
            float(number)
        _ = results["parameters"], list(results["remarks"])
        if job.kind == "environments":
            float(results["frames"])
    except (ValueError, KeyError, TypeError, OSError, OverflowError, RecursionError) as error:
        raise CommandError(f"{file} is damaged ({error}); remove it and run again.") from None
    return results


def is_done(job: Job) -> bool:
    """Whether a run is finished: it has results, and it reached its last frame or ended early."""
    results = results_of(job)
    if results is None:
        return False
    length = length_of(job)
    if job.kind == "environments":
        return results["frames"] >= length
    # Results of an older version do not say how many updates there were.
    return results.get("ended_early", False) or results.get("updates", length) >= length


def execute(job: Job) -> Outcome:
    """Start or resume a run in a process of its own and wait for its end."""
    started, before = time.time(), progress_of(job)["frame"]
    wait_for_room(job.folder)
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    log = job.folder.with_name(f"{job.folder.name}-{LOG}")
    status, cpu_seconds = _call_with_room(job, log)
    error = _last_line(log, status) if status else "" if is_done(job) else STOPPED
    after = progress_of(job)["frame"]
    return Outcome(job, error, started, time.time(), cpu_seconds, before, after)


def signal_runs(number: int) -> None:
    """Send a signal to the processes of all runs that are executed here."""
    for process in tuple(_processes):
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _call_with_room(job: Job, log: Path) -> tuple[int, float]:
    """Call the program of a run, again whenever it failed with a full disk, once there is room."""
    cpu_seconds = 0.0
    while True:
        with log.open("a") as stream:
            command = [*process_command(job.program.name), *_arguments(job)]
            status, seconds = _call(command, stream)
        cpu_seconds += seconds
        if not status or has_room(job.folder):
            return status, cpu_seconds
        wait_for_room(job.folder)


def has_room(folder: Path) -> bool:
    """Whether a run can be started or resumed on the disk of its folder."""
    return shutil.disk_usage(_existing(folder)).free >= ROOM


def _existing(folder: Path) -> Path:
    return next(path for path in folder.absolute().parents if path.is_dir())


def wait_for_room(folder: Path, pause: float = 60.0) -> None:
    """Wait for free space on the disk; prints one message."""
    is_printed = False
    while not has_room(folder):
        if not is_printed:
            print(
                f"{_existing(folder)}: the disk is full; waiting for {ROOM / 1e6:.0f} MB.",
                file=sys.stderr,
            )
            is_printed = True
        time.sleep(pause)


def _arguments(job: Job) -> list[str]:
    """Options of the command that starts the run, or resumes it from a checkpoint."""
    if not any((job.folder / "checkpoints").glob("[0-9]*")):
        return [*job.flags, "--overwrite", "--run-dir", str(job.folder)]
    length = "frames" if job.kind == "environments" else "steps"
    return ["--resume", str(job.folder), f"--{length}", str(length_of(job))]


def _call(command: list[str], stream: Any) -> tuple[int, float]:
    """Exit status and CPU seconds of a command."""
    process = subprocess.Popen(command, stdout=stream, stderr=stream)
    _processes.add(process.pid)
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.terminate()
        raise
    finally:
        _processes.discard(process.pid)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def _last_line(log: Path, status: int) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
    return f"{lines[-1]} (exit status {status}; all output: {log})"
