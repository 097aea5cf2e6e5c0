"""Frames per second of acting and learning on a GPU: without CUDA graphs, with them, with kernels.

    python scripts/bench/gpu/gpu.py --out docs/results/gpu.json --traces runs/gpu

Acting is timed in whole unrolls, with the environments on one CPU core and the network on the GPU;
learning in whole updates, with the batch on the CPU before each. They are timed separately: the
smaller rate is the limit for one process of each. The ways are `eager`, `captured` (CUDA graphs)
and, for a core that has kernels of Triton, `triton` (captured too). They are timed in turn, and
each figure is the median of the rounds. Before, the kernels are compared with plain PyTorch on the
GPU: `triton, error` is the largest difference of an output or a gradient, as a share of the largest
number of that tensor. `busy` is the sum of the times of the GPU's kernels in the profiler, as a
share of the time without a profiler. A trace of one update of each way, for
chrome://tracing or Perfetto, goes to --traces.

With `--device cpu` the same code runs without graphs, as a check; kernels then run only in Triton's
interpreter (`TRITON_INTERPRET=1`).
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.append(str(Path(__file__).resolve().parents[1]))

from agents.runs.process import prepare

prepare()

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.learning.learner import Learner
from agents.impala.rollout import Rollout
from agents.runs.device import compute_device
from envs import ENVS
from memory import CORES, CoreConfig, LSTMConfig, MinGRUConfig, RMCConfig, map_state, state_leaves
from memory.kernels.available import why_no_kernels

WAYS = ("eager", "captured")
TRITON = "triton"
NETWORKS: dict[str, Any] = {
    **{name: core() for name, core in CORES.items()},
    "min_gru-512x3": MinGRUConfig(hidden=512, layers=3),
    "min_gru-256x3": MinGRUConfig(hidden=256, layers=3),
}
"""Cores in their default sizes, and two in the size of PufferLib 5's."""
PRECISIONS = ("float32", "tf32", "bfloat16")
FEATURES = 256
"""Of the inputs with which kernels are compared."""
SETTLED = 6
"""Calls before the measurement: the warm-up, the capture, and some replays."""


class Agent:
    """One network that acts and learns on a device in one of the ways."""

    def __init__(self, config: ImpalaConfig, way: str, precision: str) -> None:
        graphs, device = way != "eager", config.device
        if way == TRITON:
            core: Any = config.core
            config = replace(config, core=replace(core, fused=TRITON))
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
    sizes = [name for name in NETWORKS if name.startswith("min_gru-")]
    parser.add_argument("--cores", nargs="+", choices=NETWORKS, default=["lstm", "rmc", *sizes])
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
    if reason := why_no_kernels(asked.device):
        print(f"without {TRITON}: {reason}", file=sys.stderr)
    return asked, figures


def device_name(device: str) -> str:
    """Name of the GPU or the processor."""
    return torch.cuda.get_device_name() if device == "cuda" else device


def ways_of(core: CoreConfig, precision: str, device: str) -> tuple[str, ...]:
    """The ways to measure. Under autocast kernels do not compute."""
    has_kernels = isinstance(core, LSTMConfig | RMCConfig) and precision != "bfloat16"
    return (*WAYS, TRITON) if has_kernels and why_no_kernels(device) is None else WAYS


def measure(
    core: str, trajectories: int, precision: str, asked: argparse.Namespace
) -> dict[str, float]:
    """Frames per second of all ways, their ratios, and the busy share of the GPU."""
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    config = ImpalaConfig(
        env=ENVS[asked.env],
        core=NETWORKS[core],
        actors=trajectories,
        batch=trajectories,
        unroll=asked.unroll,
        device=asked.device,
    )
    ways = ways_of(config.core, precision, asked.device)
    found: dict[str, float] = {}
    if TRITON in ways:
        found[f"{TRITON}, error"] = error_of_kernels(config.core, trajectories, asked)
    agents = {way: Agent(config, way, precision) for way in ways}
    run = f"{core}-{trajectories}-{precision}"
    for agent in agents.values():
        agent.settle()
    frames = trajectories * asked.unroll
    for name in ("learn",) if precision == "bfloat16" else ("act", "learn"):
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(asked.rounds):
            for way, agent in agents.items():
                seconds[way].append(time_of(getattr(agent, name), asked.device, asked.seconds))
        medians = {way: statistics.median(times) for way, times in seconds.items()}
        found |= {f"{name}, frames/s, {way}": frames / medians[way] for way in ways}
        for slow, fast in pairwise(ways):
            found[f"{name}, {fast} to {slow}"] = medians[slow] / medians[fast]
        for way, agent in agents.items():
            found[f"{name}, ms, {way}"] = 1e3 * medians[way]
            trace = asked.traces and asked.traces / f"{run}-{name}-{way}.json"
            kernels = kernel_seconds(getattr(agent, name), asked.device, trace)
            found[f"{name}, busy, {way}"] = kernels / medians[way]
    return {key: float(f"{value:.4g}") for key, value in found.items()}


def error_of_kernels(core: Any, trajectories: int, asked: argparse.Namespace) -> float:
    """Largest difference between kernels and plain PyTorch; see the docstring of the module."""
    torch.manual_seed(0)
    plain = replace(core, fused="never").build((FEATURES,)).to(asked.device)
    kernels = replace(core, fused=TRITON).build((FEATURES,)).to(asked.device)
    kernels.load_state_dict(plain.state_dict())
    inputs = torch.randn(asked.unroll, trajectories, FEATURES, device=asked.device)
    reset = torch.rand(asked.unroll, trajectories, device=asked.device) < 0.1
    reset[-1, 0] = True  # without any, an lstm is one call of PyTorch
    found: list[list[Tensor]] = []
    for one in (kernels, plain):
        state = map_state(lambda x: x.clone().requires_grad_(), plain.initial_state(trajectories))
        outputs, final = one(inputs, state, reset)
        results = [outputs, *state_leaves(final)]
        sources = [*state_leaves(state), *one.parameters()]
        weights = [torch.linspace(-1, 1, y.numel()).view_as(y).to(y) for y in results]
        found.append([*results, *torch.autograd.grad(results, sources, weights)])
    pairs = zip(*found, strict=True)
    return max(((a - b).abs().max() / b.abs().max().clamp(min=1e-6)).item() for a, b in pairs)


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
