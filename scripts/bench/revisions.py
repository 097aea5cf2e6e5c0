"""Frames per CPU second of whole runs of several revisions, in turn: which is faster, by how much.

    git worktree add ../before 7a0e09f
    python scripts/bench/revisions.py ../before . --out docs/results/revisions.csv

Each round runs each revision with the same flags, acting and learning in one process on one thread.
The ratio of two revisions is the median of the ratios of the rounds. What other programs do on the
machine changes the figures, but not the ratios much.
"""

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from steady import Steady, watch

FLAGS = ("--workers", "0", "--learner-threads", "1", "--frames", "1000000000")
"""One process, one thread, more frames than it will see."""


def main() -> None:
    """Measure all revisions and write every figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("trees", nargs="+", type=Path, help="folders of the revisions")
    parser.add_argument("--out", type=Path, required=True, help="rows are added to it")
    parser.add_argument("--envs", nargs="+", default=["boxworld", "minipacman"])
    parser.add_argument("--cores", nargs="+", default=["lstm", "rmc", "convlstm"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=float, default=3.0, help="seconds not counted")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds that count")
    asked = parser.parse_args()
    names = {tree: revision(tree) for tree in asked.trees}
    for env in asked.envs:
        for core in asked.cores:
            rates: dict[Path, list[float]] = {tree: [] for tree in asked.trees}
            for turn in range(asked.rounds):
                for tree in asked.trees:
                    flags = ["--env", env, "--core", core, *FLAGS]
                    rate = run(tree, flags, asked).frames_per_cpu_second
                    rates[tree].append(rate)
                    add_row(asked.out, (env, core, names[tree], turn, round(rate)))
            first, *others = rates.values()
            for tree, other in zip(asked.trees[1:], others, strict=True):
                ratio = statistics.median(b / a for a, b in zip(first, other, strict=True))
                print(f"{env}, {core}: {names[tree]} is {ratio:.2f} times as fast", flush=True)


def revision(tree: Path) -> str:
    """The commit of a folder."""
    command = ["git", "-C", str(tree), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def run(tree: Path, flags: list[str], asked: argparse.Namespace) -> Steady:
    """One run at steady state."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        command = [sys.executable, str(tree.resolve() / "scripts/impala.py"), *flags]
        command += ["--run-dir", str(directory), "--log-seconds", "1"]
        progress, output = directory / "metrics.jsonl", Path(folder) / "output"
        return watch(command, progress, asked.warm_up, asked.seconds, output)


def add_row(file: Path, row: tuple[str | int, ...]) -> None:
    """Add a row to a table, with its head if it is new."""
    is_new = not file.exists()
    with file.open("a", newline="") as opened:
        writer = csv.writer(opened)
        if is_new:
            writer.writerow(("env", "core", "revision", "round", "frames_per_cpu_second"))
        writer.writerow(row)


if __name__ == "__main__":
    main()
