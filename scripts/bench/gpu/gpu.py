"""Frames per second of acting and learning on a GPU, with and without CUDA graphs.

    python scripts/bench/gpu/gpu.py --out docs/results/gpu.json --traces runs/gpu

Acting is timed in whole unrolls, with the environments on one CPU core and the network on the GPU;
learning in whole updates, with the batch on the CPU before each. They are timed separately: the
smaller rate is the limit for one process of each. Both ways are timed in turn, and each figure is
the median of the rounds. `busy` is the sum of the times of the GPU's kernels in the profiler, as a
share of the time without a profiler. A trace of one update of each way, for
chrome://tracing or Perfetto, goes to --traces.

With `--device cpu` the same code runs without graphs, as a check.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.append(str(Path(__file__).resolve().parents[1]))

from agents.runs.process import prepare

prepare()

import torch
from torch.profiler import ProfilerActivity, profile

from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.learning.learner import Learner
from agents.impala.rollout import Rollout
from agents.runs.device import compute_device
from envs import ENVS
from memory import CORES

WAYS = ("eager", "captured")
PRECISIONS = ("float32", "tf32", "bfloat16")
SETTLED = 6
"""Calls before the measurement: the warm-up, the capture, and some replays."""


class Agent:
    """One network that acts and learns on a device in one of the two ways."""

    def __init__(self, config: ImpalaConfig, way: str, precision: str) -> None:
        graphs, device = way == "captured", config.device
        self.device, self.updates = device, 0
        actors = range(config.actors)
        env, policy = config.env.make_vector(config.actors), build_policy(config).to(device)
        self.rollout = Rollout(
            env, policy, actors=actors, unroll=config.unroll, seed=config.seed, graphs=graphs
        )
        learning = build_policy(config)
        if precision == "bfloat16":  # of the update alone: what acts keeps its state in float32
            halves = torch.autocast(device, torch.bfloat16, cache_enabled=False)
            learning.forward = halves(learning.forward)
        self.learner = Learner(
            learning, config.loss, config.optimizer, config.frames, device, graphs
        )
        for _ in range(3):  # so that episodes end at different steps
            self.batch = self.rollout.unroll(0).trajectory

    def act(self) -> None:
        """One unroll."""
        self.rollout.unroll(0)

    def learn(self) -> None:
        """One update, launched without waiting for it."""
        self.learner.learn(self.batch)

    def settle(self) -> None:
        """Run the warm-up and the capture."""
        for _ in range(SETTLED):
            self.act()
            self.learn()
        self.learner.read()


def main() -> None:
    """Measure each core at each size and precision, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--traces", type=Path, help="folder for the traces")
    parser.add_argument("--env", default="boxworld")
    parser.add_argument("--cores", nargs="+", default=["lstm", "rmc"])
    parser.add_argument("--trajectories", nargs="+", type=int, default=[32, 256, 1024])
    parser.add_argument("--unroll", type=int, default=40)
    asked, figures = begin(parser)
    for core in asked.cores:
        for trajectories in asked.trajectories:
            for precision in asked.precisions:
                row = {"core": core, "trajectories": trajectories, "precision": precision}
                figures["rows"].append(row | measure(core, trajectories, precision, asked))
                print(json.dumps(figures["rows"][-1]), flush=True)
                asked.out.write_text(json.dumps(figures, indent=1) + "\n")


def begin(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, dict[str, Any]]:
    """The command line, with the options common to GPU measurements, and results without rows."""
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each timing, at least")
    asked = parser.parse_args()
    try:
        compute_device(asked.device)
    except ValueError as error:
        parser.error(str(error))
    figures = {"torch": torch.__version__, "device": device_name(asked.device), "rows": []}
    return asked, figures


def device_name(device: str) -> str:
    """Name of the GPU or the processor."""
    return torch.cuda.get_device_name() if device == "cuda" else device


def measure(
    core: str, trajectories: int, precision: str, asked: argparse.Namespace
) -> dict[str, float]:
    """Frames per second of both ways, their ratio, and the busy share of the GPU."""
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    config = ImpalaConfig(
        env=ENVS[asked.env],
        core=CORES[core](),
        actors=trajectories,
        batch=trajectories,
        unroll=asked.unroll,
        device=asked.device,
    )
    agents = {way: Agent(config, way, precision) for way in WAYS}
    found: dict[str, float] = {}
    run = f"{core}-{trajectories}-{precision}"
    for agent in agents.values():
        agent.settle()
    frames = trajectories * asked.unroll
    for name in ("learn",) if precision == "bfloat16" else ("act", "learn"):
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(asked.rounds):
            for way, agent in agents.items():
                seconds[way].append(time_of(getattr(agent, name), asked.device, asked.seconds))
        medians = {way: statistics.median(times) for way, times in seconds.items()}
        found |= {f"{name}, frames/s, {way}": frames / medians[way] for way in WAYS}
        found[f"{name}, captured to eager"] = medians["eager"] / medians["captured"]
        for way, agent in agents.items():
            found[f"{name}, ms, {way}"] = 1e3 * medians[way]
            trace = asked.traces and asked.traces / f"{run}-{name}-{way}.json"
            kernels = kernel_seconds(getattr(agent, name), asked.device, trace)
            found[f"{name}, busy, {way}"] = kernels / medians[way]
    return {key: float(f"{value:.4g}") for key, value in found.items()}


def time_of(work: Callable[[], object], device: str, least: float) -> float:
    """Mean seconds of a call, over calls that take at least `least` seconds."""
    calls = 0
    wait(device)
    started = time.perf_counter()
    while not calls or time.perf_counter() - started < least:
        work()
        calls += 1
    wait(device)
    return (time.perf_counter() - started) / calls


def wait(device: str) -> None:
    """Wait until the GPU has finished."""
    if device == "cuda":
        torch.cuda.synchronize()


def kernel_seconds(work: Callable[[], object], device: str, trace: Path | None) -> float:
    """Seconds of the GPU's kernels and copies in one call; writes its trace. Zero on a CPU."""
    activities = [ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        work()
        wait(device)
    if trace:
        trace.parent.mkdir(parents=True, exist_ok=True)
        profiler.export_chrome_trace(str(trace))
    return device_seconds(profiler.key_averages())


def device_seconds(events: Iterable[Any]) -> float:
    """Seconds of events on the GPU, without the operations that launched them."""
    on_gpu = (event for event in events if event.device_type.name == "CUDA")
    return sum(event.self_device_time_total for event in on_gpu) / 1e6


if __name__ == "__main__":
    main()
