"""The learner next to one busy process per core: `python scripts/bench/beside.py --out FILE.json`.

A fair share of a core is half of it, so an update should take twice its quiet time; the limit is
4.5 times. Each round times some updates alone, then as many next to processes that spin, one pinned
to each core. Times are wall times, medians of the rounds; ratios are the median and the maximum of
the ratios of each round.

`agents.runs.process.prepare` prevents threads from spinning while they wait. The last row measures
spinning threads, with `OMP_WAIT_POLICY=ACTIVE`, in a separate process, because it must be set
before PyTorch is imported.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.runs.process import prepare

prepare()

import torch
from agent import Agent

from agents.runs.versions import versions

LIMIT = 4.5
"""Largest ratio of an update's time to its quiet time."""
BUSY = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
parent = os.getppid()
print(flush=True)
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""
"""Keeps one core busy until this process or its parent ends."""
Figures = dict[str, float]


def main() -> None:
    """Measure every learner with each number of threads, and write the figures."""
    asked = arguments()
    results = {"versions": versions(), "load": os.getloadavg(), "limit": LIMIT}
    for name, figures in learners(asked):
        results[name] = figures
        print(name, json.dumps(figures), flush=True)
    asked.out.write_text(json.dumps(results, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--env", default="boxworld")
    parser.add_argument("--cores", nargs="+", default=["lstm", "rmc"], help="memory cores")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, len(cpus())}))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--updates", type=int, default=5, help="of each half of a round")
    asked = parser.parse_args()
    if min(asked.rounds, asked.updates, *asked.threads) < 1:
        parser.error("--rounds, --updates and --threads must be at least 1")
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    return asked


def learners(asked: argparse.Namespace) -> Iterator[tuple[str, Figures]]:
    """Name and figures of each learner; the last one spins, unless all do."""
    for core in asked.cores:
        learn = Agent(["--env", asked.env, "--core", core]).learn
        for threads in asked.threads:
            torch.set_num_threads(threads)
            yield row_name(core, threads), compare(learn, asked.rounds, asked.updates)
    if os.environ["OMP_WAIT_POLICY"] != "ACTIVE":
        core, threads = asked.cores[0], max(asked.threads)
        yield f"{row_name(core, threads)}, spinning", spinning(asked.env, core, threads)


def row_name(core: str, threads: int) -> str:
    """Name of a learner in the results."""
    return f"{core}, threads: {threads}"


def compare(work: Callable[[], object], rounds: int, calls: int) -> Figures:
    """Milliseconds of a call, alone and next to busy processes, and their ratio."""
    pairs: list[tuple[float, float]] = []
    for _ in range(rounds):
        quiet = wall_time(work, calls)
        with busy():
            pairs.append((quiet, wall_time(work, calls)))
    quiet, beside = (1e3 * statistics.median(times) for times in zip(*pairs, strict=True))
    ratios = [beside / quiet for quiet, beside in pairs]
    figures = {"quiet_ms": quiet, "beside_ms": beside}
    figures |= {"ratio": statistics.median(ratios), "worst_ratio": max(ratios)}
    return {name: float(f"{figure:.4g}") for name, figure in figures.items()}


def wall_time(work: Callable[[], object], calls: int) -> float:
    """Median seconds of a call, after one warm-up call."""
    times = []
    for _ in range(calls + 1):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


@contextmanager
def busy() -> Iterator[Sequence[subprocess.Popen]]:
    """One process on each core that computes all the time."""
    command = [sys.executable, "-c", BUSY]
    processes = [
        subprocess.Popen([*command, str(cpu)], stdout=subprocess.PIPE) for cpu in sorted(cpus())
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()  # it prints a line when it starts
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def spinning(env: str, core: str, threads: int) -> Figures:
    """Figures of a learner whose threads spin, in a new process; few, as they may take minutes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.json"
        flags = ["--env", env, "--cores", core, "--threads", str(threads), "--out", str(out)]
        command = [sys.executable, __file__, *flags, "--rounds", "3", "--updates", "1"]
        environment = os.environ | {"OMP_WAIT_POLICY": "ACTIVE"}
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        return json.loads(out.read_text())[row_name(core, threads)]


def cpus() -> set[int]:
    """Cores that this process may use."""
    return os.sched_getaffinity(0)


if __name__ == "__main__":
    main()
