"""Frames per second of a whole run against the limit of its network on the same CPUs.

    python scripts/bench/throughput.py --cores lstm rmc --out docs/results/throughput.json

For each core, a run of `scripts/impala.py` is measured at steady state: frames that the learner
consumed, wall seconds, CPU seconds of all its processes. Then acting (an unroll of all actors) and
learning (one update) are each timed on one thread, by as many processes at once as there are CPUs:
two CPUs may be threads of one core. The inverse of their sum per frame is the upper bound of frames
per second of one CPU.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.runs.process import prepare

prepare()

import torch
from agent import Agent, cpu_time
from steady import watch_training

from agents.runs.versions import versions


def main() -> None:
    """Measure each core and write the results."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("--env", default="boxworld")
    arguments.add_argument("--cores", nargs="+", default=["lstm", "rmc"])
    arguments.add_argument("--actors", default="100")
    arguments.add_argument("--warm-up", type=float, default=20.0, help="seconds not counted")
    arguments.add_argument("--seconds", type=float, default=30.0, help="seconds that count")
    arguments.add_argument("--rounds", type=int, default=3, help="run and bound, in turn")
    arguments.add_argument("--out", type=Path)
    asked = arguments.parse_args()
    results = {"versions": versions(), "cpus": os.cpu_count(), "machine": platform.processor()}
    for core in asked.cores:
        flags = ["--env", asked.env, "--core", core, "--actors", asked.actors]
        rounds = [(steady_run(flags, asked), bound(flags)) for _ in range(asked.rounds)]
        results[core] = summary(*zip(*rounds, strict=True))
        print(core, json.dumps(results[core], indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(results, indent=1) + "\n")


def summary(runs: tuple[dict, ...], bounds: tuple[dict, ...]) -> dict:
    """Medians over the rounds, and the run as a share of its bound, round by round."""
    middle = {name: statistics.median(r[name] for r in runs) for name in runs[0]}
    middle |= {name: statistics.median(b[name] for b in bounds) for name in bounds[0]}
    cpus = os.cpu_count() or 1
    middle["bound_frames_per_second"] = cpus * middle["bound_frames_per_cpu_second"]
    for unit, scale in (("second", cpus), ("cpu_second", 1)):
        shares = [
            run[f"frames_per_{unit}"] / (scale * limit["bound_frames_per_cpu_second"])
            for run, limit in zip(runs, bounds, strict=True)
        ]
        middle[f"share_of_bound_per_{unit}"] = statistics.median(shares)
    return {name: float(f"{value:.4g}") for name, value in middle.items()}


def steady_run(flags: list[str], asked: argparse.Namespace) -> dict[str, float]:
    """Measure a run at steady state."""
    steady = watch_training(flags, asked.warm_up, asked.seconds)
    return {
        "frames_per_second": steady.frames_per_second,
        "frames_per_cpu_second": steady.frames_per_cpu_second,
    }


def bound(flags: list[str]) -> dict[str, float]:
    """Time acting and learning, each on one thread of every CPU; CPU microseconds per frame."""
    cpus = os.cpu_count() or 1
    with get_context("spawn").Pool(cpus) as pool:
        times = pool.map(act_and_learn, [flags] * cpus, chunksize=1)
    acting, learning = (statistics.mean(each) for each in zip(*times, strict=True))
    return {
        "acting_us_per_frame": 1e6 * acting,
        "learning_us_per_frame": 1e6 * learning,
        "bound_frames_per_cpu_second": 1 / (acting + learning),
    }


def act_and_learn(flags: list[str]) -> tuple[float, float]:
    """CPU seconds of acting and of learning, per frame."""
    torch.set_num_threads(1)
    agent = Agent(flags)
    found = [(cpu_time(agent.act), cpu_time(agent.learn)) for _ in range(3)]
    acting, learning = (statistics.median(each) for each in zip(*found, strict=True))
    return acting / agent.acted, learning / agent.learnt


if __name__ == "__main__":
    main()
