"""Frames per CPU second of several revisions, in turn: which is faster, and by how much.

    git worktree add ../before 7a0e09f
    python scripts/bench/revisions.py ../before . --out docs/results/revisions.csv
    python scripts/bench/revisions.py . --flags "" "--core.fused bf16" --out docs/results/bf16.csv
    python scripts/bench/revisions.py ../before . --whole 12 --out docs/results/whole_runs.csv

Each round starts a process for each revision, which times an unroll of all actors and an update, on
one thread and in CPU time. A frame costs both. With `--whole` it is a run of `scripts/impala.py`
that is measured, on one thread, and the CPU time of all that it does. The ratio of two revisions is
the median of those of the rounds: other programs change the figures, but the ratios less.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from steady import watch_training

MEASURE = """
import json, sys
sys.path[:0] = [".", "scripts/bench"]
from agents.runs.process import prepare
prepare()
import torch
from agent import Agent, cpu_time
torch.set_num_threads(1)
for env in sys.argv[1].split():
    for core in sys.argv[2].split():
        agent = Agent(["--env", env, "--core", core, "--actors", "100", *sys.argv[3].split()])
        acting, learning = cpu_time(agent.act, 5), cpu_time(agent.learn, 7)
        times = 1e6 * acting / agent.acted, 1e6 * learning / agent.learnt
        print(json.dumps([env, core, *times]), flush=True)
"""
"""Prints microseconds per frame; runs in the folder of a revision, with its code."""


ONE_THREAD = ("--workers", "0", "--learner-threads", "1", "--actors", "100")
WARM_UP = 4.0
"""Seconds of a whole run that do not count, after its first update."""


class Variant(NamedTuple):
    """A revision with flags."""

    tree: Path
    revision: str
    flags: str


class Measured(NamedTuple):
    """One figure; the times are microseconds per frame, those of a whole run empty."""

    env: str
    core: str
    acting: float | None
    learning: float | None
    rate: float


def main() -> None:
    """Measure all revisions, write every figure, and print the ratios to the first one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("trees", nargs="+", type=Path, help="folders of the revisions")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--flags", nargs="+", default=[""], help="each in a variant of its own")
    parser.add_argument("--envs", nargs="+", default=["boxworld", "minipacman"])
    parser.add_argument("--cores", nargs="+", default=["lstm", "rmc", "convlstm"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--whole", type=float, metavar="SECONDS", help="of each whole run")
    asked = parser.parse_args()
    variants = [Variant(tree, revision(tree), f) for tree in asked.trees for f in asked.flags]
    rates: dict[tuple[str, str, Variant], list[float]] = {}
    with asked.out.open("w", newline="") as file:
        writer = csv.writer(file)
        head = "env", "core", "revision", "flags", "round", "acting_us", "learning_us"
        writer.writerow((*head, "frames_per_cpu_second"))
        for turn in range(asked.rounds):
            for variant in variants:
                for found in measure(variant, asked):
                    rates.setdefault((found.env, found.core, variant), []).append(found.rate)
                    times = ("" if t is None else f"{t:.1f}" for t in found[2:4])
                    row = found.env, found.core, *variant[1:], turn, *times, round(found.rate)
                    writer.writerow(row)
                    file.flush()
    for (env, core, variant), found in rates.items():
        first = rates[env, core, variants[0]]
        ratio = statistics.median(b / a for a, b in zip(first, found, strict=True))
        name = " ".join(variant[1:])
        print(f"{env}, {core}, {name}: {statistics.median(found):.0f}, ratio {ratio:.2f}")


def revision(tree: Path) -> str:
    """The commit of a folder."""
    command = ["git", "-C", str(tree), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def measure(variant: Variant, asked: argparse.Namespace) -> Iterator[Measured]:
    """All environments and cores with one variant."""
    if asked.whole:
        for env in asked.envs:
            for core in asked.cores:
                flags = "--env", env, "--core", core, *ONE_THREAD, *variant.flags.split()
                steady = watch_training(flags, WARM_UP, asked.whole, variant.tree)
                yield Measured(env, core, None, None, steady.frames_per_cpu_second)
        return
    words = " ".join(asked.envs), " ".join(asked.cores), variant.flags
    command = [sys.executable, "-c", MEASURE, *words]
    done = subprocess.run(command, cwd=variant.tree, check=True, stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        if line.startswith("["):
            env, core, acting, learning = json.loads(line)
            yield Measured(env, core, acting, learning, 1e6 / (acting + learning))


if __name__ == "__main__":
    main()
