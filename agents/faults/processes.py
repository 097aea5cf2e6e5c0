"""A training program as a process, with its descendants, from `/proc`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.faults.row import Failed

ROOT = Path(__file__).resolve().parents[2]
PROC = Path("/proc")
SMALL: str = (
    "--env boxworld --env.grid-size 6 --env.solution-length 1 --env.num-distractors 0 "
    "--env.max-steps 20 --core lstm --core.hidden 16 --policy.channels 4 4 --actors 8 --batch 4 "
    "--unroll 10 --log-seconds 0.2 --frames 1000000000"
)
"""Options of a run whose updates take milliseconds."""
FAULTY = (
    "--env gymnasium --env.id agents.faults.environments:Faulty-v0 --core lstm --core.hidden 16 "
    "--actors 8 --batch 4 --unroll 10 --log-seconds 0.2 --frames 1000000000"
)
"""Options of a run in `agents.faults.environments`."""
SMALL_SUPERVISED = (
    "--task delayed_recall --task.delay 1 --task.length 2 --core gru --core.hidden 8 "
    "--training.batch 8 --reader.readout 8 --validate-every 1000000 --steps 100000000 "
    "--log-seconds 0.2 --threads 1"
)


def environment(path: str = "") -> dict[str, str]:
    """Environment of a training program: one thread, and this project's modules."""
    paths = [path, str(ROOT), os.environ.get("PYTHONPATH", "")]
    modules = os.pathsep.join(filter(None, paths))
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": modules}


class Program:
    """A running script of Engram; ended when the block ends.

    Args:
        folder: for its output; a run goes to `run` in it.
        script: its name.
        options: of the script.
        path: folder of modules that are found first.
    """

    def __init__(self, folder: Path, script: str, options: str, path: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.run = folder, folder / "run"
        self.output = folder / "output.txt"
        command = [sys.executable, str(ROOT / "scripts" / script), *options.split()]
        if "--resume" not in options and "--run-dir" not in options:
            command += ["--run-dir", str(self.run)]
        self.started = time.monotonic()
        with self.output.open("a") as out:
            self.process = subprocess.Popen(
                command,
                stdout=out,
                stderr=out,
                cwd=folder,
                env=environment(path),
                process_group=0,
            )

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        family = descendants(self.process.pid)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for number in family:
            kill(number)

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.started

    @property
    def words(self) -> str:
        """The end of its output."""
        return self.output.read_text(errors="replace")[-2000:]

    def lines(self) -> list[dict[str, Any]]:
        """Lines of metrics so far."""
        return read_lines(self.run / "metrics.jsonl")

    def wait_for(self, condition: Callable[[], Any], seconds: float = 120.0) -> None:
        """Wait until a condition holds.

        Raises:
            Failed: the program ends first, or it takes too long.
        """
        waited, last = 0.0, time.monotonic()
        while not condition():
            self.check()
            if waited > seconds:
                raise Failed(f"nothing happened for {seconds:.0f} s: {self.words}")
            time.sleep(0.05)
            now = time.monotonic()
            waited += min(1.0, now - last)  # this process may be stopped and continued
            last = now

    def check(self) -> None:
        """Raise `Failed` if the program has ended."""
        if self.process.poll() is not None:
            raise Failed(f"it ended with status {self.process.returncode}: {self.words}")

    def wait_for_updates(self, count: int = 3) -> None:
        """Wait until so many more lines of metrics were written."""
        before = len(self.lines())
        self.wait_for(lambda: len(self.lines()) >= before + count)

    def end(self, seconds: float = 60.0) -> int:
        """Wait for its end; returns its status.

        Raises:
            Failed: it takes too long.
        """
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"no end after {seconds:.0f} s: {self.words}") from None


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The complete lines of a file of JSON lines."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().split("\n")[:-1]]


def descendants(process: int) -> dict[int, str]:
    """Numbers of all processes that stem from one, with their command lines."""
    return {number: name_of(number) for number in family(process) - {process}}


def family(process: int) -> set[int]:
    """The process and its descendants."""
    parents = {number: int(fields[1]) for number, fields in process_stats().items()}
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def workers_of(process: int) -> list[int]:
    """The Ray workers of a run."""
    return [number for number, name in descendants(process).items() if "ray::_Worker" in name]


def name_of(process: int) -> str:
    """Command line of a process; empty if it has ended."""
    try:
        return (PROC / str(process) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def allocated_mb(process: int) -> float:
    """Memory in MB that a process has allocated; 0 if it has ended.

    Pages of files are left out: the kernel drops them and reads them again, and a process's share
    of them changes when other programs start and end.
    """
    return _rollup(process, "Anonymous:", "Swap:")


def shared_mb(process: int) -> float:
    """A process's share of shared memory, such as Ray's object store, in MB; 0 if it has ended."""
    return _rollup(process, "Pss_Shmem:")


def _rollup(process: int, *names: str) -> float:
    try:
        text = (PROC / str(process) / "smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(names)) / 1e3


def num_files(process: int) -> int:
    """Open file descriptors of a process; 0 if it has ended."""
    try:
        return len(list((PROC / str(process) / "fd").iterdir()))
    except OSError:
        return 0


def sockets_of(process: int | str) -> set[str]:
    """What the links of a process's file descriptors name, sockets among them."""
    found: set[str] = set()
    for link in (PROC / str(process) / "fd").glob("*"):
        try:
            found.add(os.readlink(link))
        except OSError:  # closed meanwhile
            continue
    return found


def kill(process: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process, if it is still there."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def process_stats() -> dict[int, list[str]]:
    """Fields of each process after its name in `/proc/PID/stat`: state, parent, and so on."""
    found: dict[int, list[str]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it ended meanwhile
            continue
    return found
