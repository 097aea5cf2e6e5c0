"""Which threads of a run wait for each other: shares of the time of a run with one worker.

    python scripts/bench/waiting.py --cores lstm --out docs/results/waiting.csv

Two hundred times a second, the states of the busiest thread of the worker and of the learner's
threads are read from `/proc`: one that runs, or could run if there were a CPU, is busy. Of the
learner's, the two busiest count, and those that compiled code starts for a call. `idle` is the
share of the time of all CPUs in which no program of this machine ran.
"""

import argparse
import csv
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from agents.faults.processes import PROC, Program, workers_of
from agents.runs.versions import versions

RUN = "--env boxworld --actors 100 --workers 1 --learner-threads 2 --log-seconds 1"
INTERVAL = 0.005
COLUMNS = (
    *("core", "worker_busy", "learner_threads_busy", "share"),
    *("idle", "frames_per_second", "commit"),
)


def main() -> None:
    """Measure each core, and write a table."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("--cores", nargs="+", default=["lstm", "rmc"])
    arguments.add_argument("--seconds", type=float, default=15.0, help="seconds that count")
    arguments.add_argument("--out", type=Path)
    asked = arguments.parse_args()
    commit = str(versions().get("commit", ""))[:7]
    rows = []
    for core in asked.cores:
        shares, *others = measure(f"{RUN} --core {core}", asked.seconds)
        for (worker, learner), share in sorted(shares.items()):
            rows.append((core, int(worker), learner, f"{share:.3f}", *others, commit))
            print(*rows[-1], flush=True)
    if asked.out:
        with asked.out.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])


def measure(options: str, seconds: float) -> tuple[dict[tuple[bool, int], float], float, int]:
    """Shares of the time by worker busy and number of busy learner threads; idle; frames/s."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Program(Path(folder), "impala.py", options) as run,
    ):
        run.wait_for_updates(6)
        (worker,) = workers_of(run.process.pid)
        (acting,), learning = busiest(worker, 1), busiest(run.process.pid, 2)
        others = tasks_of(run.process.pid) - {*learning}
        counts: Counter[tuple[bool, int]] = Counter()
        first, end, ticks = run.lines()[-1], time.monotonic() + seconds, machine_ticks()
        while time.monotonic() < end:
            learner_busy = sum(map(is_busy, tasks_of(run.process.pid) - others))
            counts[is_busy(acting), min(learner_busy, 2)] += 1
            time.sleep(INTERVAL)
        idle, total = (now - then for now, then in zip(machine_ticks(), ticks, strict=True))
        last = run.lines()[-1]
    speed = (last["frame"] - first["frame"]) / (last["time"] - first["time"])
    shares = {key: count / counts.total() for key, count in counts.items()}
    return shares, round(idle / total, 3), round(speed)


def machine_ticks() -> tuple[int, int]:
    """Idle time and all time of the machine's CPUs so far."""
    fields = [*map(int, (PROC / "stat").read_text().split("\n")[0].split()[1:9])]
    return fields[3] + fields[4], sum(fields)


def busiest(process: int, count: int) -> list[Path]:
    """The threads of a process that take most CPU time within a second."""
    before = {task: cpu_ticks(task) for task in tasks_of(process)}
    time.sleep(1.0)
    return sorted(before, key=lambda task: before[task] - cpu_ticks(task))[:count]


def tasks_of(process: int) -> set[Path]:
    """The threads of a process."""
    return {*(PROC / str(process) / "task").iterdir()}


def cpu_ticks(task: Path) -> int:
    """User and system time of a thread; 0 if it has ended."""
    return sum(map(int, fields(task)[11:13]))


def is_busy(task: Path) -> bool:
    """Whether a thread runs or waits for a CPU only."""
    return fields(task)[:1] == ["R"]


def fields(task: Path) -> list[str]:
    """The fields of a thread's `stat` from its state on; none if it has ended."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


if __name__ == "__main__":
    main()
