"""Speed of the environments, and a check that every level can be solved.

    python scripts/bench/envs.py --out docs/results/envs.json

Random actions, episodes restarted in the same step, through the public API: `step` of the vector
environment at each batch size, and `step` of the environment from `gymnasium.make`. Each round
measures all of them in turn, so that other load on the machine affects all equally; figures are
medians of the rounds, per second of wall time and per second of processor time (one thread). The
first step is that of a new process, imports included: once with an empty cache of compiled code,
once with a filled one. Levels are drawn in batches and checked by the planner of the scripted
players: it follows the chain from the gem back to the loose key, and each object on it must have an
empty neighbouring cell that the agent can reach.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from agents.runs.process import prepare

prepare()

import gymnasium
import matplotlib
import numpy as np

from agents.runs.versions import versions
from envs import ENVS, BoxWorldConfig
from envs.boxworld import BoxWorld
from envs.boxworld.plan import count_unsolvable
from envs.game_config import GameConfig

matplotlib.use("Agg")
from matplotlib import pyplot

IDS = tuple(config.id for config in ENVS.values() if isinstance(config, GameConfig))
LEVELS = {
    "mix": BoxWorldConfig(),
    "hardest": BoxWorldConfig(solution_length=(5,), num_distractors=(5,)),
}
"""Levels of the Relational Memory Core paper, and the hardest of them."""
FIRST_STEP = """
import sys
import gymnasium
import envs
env = gymnasium.make(sys.argv[1])
env.reset(seed=0)
env.step(0)
"""
Times = dict[str, list[float]]


def main() -> None:
    """Measure, print, and write the figures."""
    asked = arguments()
    rates: dict[str, dict[str, Times]] = {id: {} for id in IDS}
    players = {(id, n): player(id, n) for id in IDS for n in ("single", *asked.sizes)}
    for _ in range(asked.rounds):
        for (id, n), play in players.items():
            note(rates[id].setdefault(str(n), {}), play, asked.seconds)
    results: dict[str, Any] = {
        "versions": versions(),
        "cpu": cpu(),
        "load": os.getloadavg(),
        "rounds": asked.rounds,
        "steps": {id: {n: middle(t) for n, t in r.items()} for id, r in rates.items()},
        "first_step_seconds": {id: first_steps(id, asked.starts) for id in IDS if asked.starts},
        "levels": {name: levels(c, asked.levels, asked.rounds) for name, c in LEVELS.items()},
    }
    print(json.dumps({name: results[name] for name in ("steps", "first_step_seconds", "levels")}))
    asked.out.write_text(json.dumps(results, indent=1) + "\n")
    draw(results["steps"], asked.sizes, asked.out.with_suffix(".png"))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1, 16, 256, 1024])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="of one measurement")
    parser.add_argument("--starts", type=int, default=3, help="fresh processes for each id")
    parser.add_argument("--levels", type=int, default=1_000_000, help="levels to draw and solve")
    asked = parser.parse_args()
    if min(asked.rounds, asked.levels, *asked.sizes) < 1:
        parser.error("--rounds, --levels and --sizes must be at least 1")
    if asked.starts < 0 or asked.seconds <= 0:
        parser.error("--starts must not be negative, and --seconds must be more than 0")
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    return asked


def player(id: str, size: int | str) -> Callable[[], int]:
    """A function that plays some steps at random and returns their number."""
    if size == "single":
        return single_player(id)
    env = gymnasium.make_vec(id, int(size), autoreset_mode="SameStep")
    env.reset(seed=0)
    actions = random_actions(int(env.single_action_space.n), 64, int(size))  # type: ignore[attr-defined]

    def play() -> int:
        for chosen in actions:
            env.step(chosen)
        return actions.size

    return play


def single_player(id: str) -> Callable[[], int]:
    """One game, through `gymnasium.make`."""
    env = gymnasium.make(id)
    env.reset(seed=0)
    actions = random_actions(int(env.action_space.n), 1000).tolist()  # type: ignore[attr-defined]

    def play() -> int:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return len(actions)

    return play


def random_actions(count: int, *shape: int) -> np.ndarray:
    """Actions drawn in advance, so that drawing them is not timed."""
    return np.random.default_rng(0).integers(count, size=shape)


def note(times: Times, work: Callable[[], int], seconds: float) -> None:
    """Repeat `work` for some seconds and record its rates per second of wall and processor time."""
    work()
    done, started, started_cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        done += work()
    wall, used = time.perf_counter() - started, time.process_time() - started_cpu
    times.setdefault("per_second", []).append(done / wall)
    times.setdefault("per_cpu_second", []).append(done / used)


def middle(times: Times) -> dict[str, float]:
    """Medians over the rounds."""
    return {name: float(f"{statistics.median(values):.4g}") for name, values in times.items()}


def first_steps(id: str, starts: int) -> dict[str, dict[str, float]]:
    """Seconds from the start of a process to the end of its first step, wall and processor time."""
    cold: Times = {}
    warm: Times = {}
    for _ in range(starts):
        with tempfile.TemporaryDirectory() as cache:
            start(id, cache, cold)
            start(id, cache, warm)
    return {"cold": middle(cold), "warm": middle(warm)}


def start(id: str, cache: str, times: Times) -> None:
    """Take the first step in a new process."""
    environment = os.environ | {"NUMBA_CACHE_DIR": cache, "PYTHONPATH": str(ROOT)}
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", FIRST_STEP, id], env=environment, check=True)
    wall, after = time.perf_counter() - started, os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    times.setdefault("wall", []).append(wall)
    times.setdefault("cpu", []).append(used)


def levels(config: BoxWorldConfig, count: int, rounds: int) -> dict[str, float]:
    """Draw levels, count those that cannot be solved, and measure levels per second."""
    size = min(count, 10_000)
    game, every = BoxWorld(size, config), np.ones(size, np.bool_)
    game.seed(np.arange(size, dtype=np.uint64), every)
    drawn = unsolvable = 0
    while drawn < count:
        game.begin(every)
        unsolvable += count_unsolvable(game.cells, game.rooms)
        drawn += size
    few = np.arange(size) < 1000  # as many as start at once; they stay in the cache
    rates: Times = {}
    for _ in range(rounds):
        note(rates, lambda: game.begin(few) or int(few.sum()), 0.2)
    return {"levels": drawn, "unsolvable": unsolvable, **middle(rates)}


def draw(steps: dict[str, dict[str, dict[str, float]]], sizes: list[int], file: Path) -> None:
    """Steps per second of processor time against batch size."""
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for id, rates in steps.items():
        line = [rates[str(n)]["per_cpu_second"] for n in sizes]
        (drawn,) = axes.plot(sizes, line, marker="o", label=id)
        alone = rates["single"]["per_cpu_second"]
        axes.plot(1, alone, marker="x", linestyle="none", color=drawn.get_color())
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("games in a batch (x: one game through gymnasium.make)")
    axes.set_ylabel("steps in a second of processor time")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=150)
    pyplot.close(figure)


def cpu() -> str:
    """The processor's name, if Linux reports it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
