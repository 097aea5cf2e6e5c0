"""Frames per CPU second of several revisions, in turn: which is faster, and by how much.

    git worktree add ../before 7a0e09f
    python scripts/bench/revisions.py ../before . --out docs/results/revisions.csv

Each round starts a process for each revision, which times an unroll of all actors and an update, on
one thread and in CPU time. A frame costs both. The ratio of two revisions is the median of those of
the rounds: other programs change the figures, but the ratios less.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

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
        agent = Agent(["--env", env, "--core", core, "--actors", "100"])
        acting, learning = cpu_time(agent.act, 5), cpu_time(agent.learn, 7)
        times = 1e6 * acting / agent.acted, 1e6 * learning / agent.learnt
        print(json.dumps([env, core, *times]), flush=True)
"""
"""Prints microseconds per frame; runs in the folder of a revision, with its code."""


def main() -> None:
    """Measure all revisions, write every figure, and print the ratios to the first one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("trees", nargs="+", type=Path, help="folders of the revisions")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--envs", nargs="+", default=["boxworld", "minipacman"])
    parser.add_argument("--cores", nargs="+", default=["lstm", "rmc", "convlstm"])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    names = [revision(tree) for tree in asked.trees]
    rates: dict[tuple[str, str, str], list[float]] = {}
    with asked.out.open("w", newline="") as file:
        writer = csv.writer(file)
        head = "env", "core", "revision", "round", "acting_us", "learning_us"
        writer.writerow((*head, "frames_per_cpu_second"))
        for turn in range(asked.rounds):
            for tree, name in zip(asked.trees, names, strict=True):
                for env, core, acting, learning in measure(tree, asked.envs, asked.cores):
                    rate = 1e6 / (acting + learning)
                    rates.setdefault((env, core, name), []).append(rate)
                    times = f"{acting:.1f}", f"{learning:.1f}"
                    writer.writerow((env, core, name, turn, *times, round(rate)))
                    file.flush()
    for (env, core, name), found in rates.items():
        first = rates[env, core, names[0]]
        ratio = statistics.median(b / a for a, b in zip(first, found, strict=True))
        print(f"{env}, {core}, {name}: {statistics.median(found):.0f}, ratio {ratio:.2f}")


def revision(tree: Path) -> str:
    """The commit of a folder."""
    command = ["git", "-C", str(tree), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def measure(tree: Path, envs: list[str], cores: list[str]) -> list[tuple[str, str, float, float]]:
    """Environment, core, and microseconds of acting and of learning per frame."""
    command = [sys.executable, "-c", MEASURE, " ".join(envs), " ".join(cores)]
    done = subprocess.run(command, cwd=tree, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


if __name__ == "__main__":
    main()
