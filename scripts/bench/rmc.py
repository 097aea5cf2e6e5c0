"""The relational memory core: a direct port of its formulas, plain PyTorch and compiled code.

    python scripts/bench/rmc.py --out docs/results/rmc_speed.json

The port follows the paper's program: step by step, with queries and the perceptron for the input
row as well. All have the same weights, and their outputs are compared before they are timed, with a
larger tolerance for bfloat16. Acting is forty single steps, which hold the weights as in an unroll
of the actors. Each round measures all in turn, so that other load on the machine affects all
equally; times are medians of the rounds, ratios medians of the ratios of each round.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.runs.process import prepare

prepare()

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.runs.versions import versions
from memory import RMC, RMCConfig
from memory.core import select
from memory.fused.call import Fused
from memory.fused.held import weights_held
from memory.fused.rmc import code

FEATURES = 234
SMALL, LARGE = {"slots": 4, "heads": 4, "units": 1024}, {"slots": 8, "heads": 8, "units": 2048}
CASES = {
    "acting, 4 x 256": (SMALL, 1, 100),
    "40 steps of 32, 4 x 256": (SMALL, 40, 32),
    "40 steps of 32, 8 x 256": (LARGE, 40, 32),
    "8 steps of 1600, 4 x 256": (SMALL, 8, 1600),
}
"""Sizes of the core, steps, batch."""
ACTING_STEPS = 40
Unroll = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


class Port:
    """The formulas of the authors' program, step by step, with the weights of an Engram core."""

    def __init__(self, core: RMC) -> None:
        self.core, self.block = core, core.blocks[0]

    def __call__(self, inputs: Tensor, state: Tensor, reset: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and last state of an unroll."""
        fresh, outputs = self.core.initial_state(inputs.shape[1]), []
        for x, is_first in zip(inputs, reset, strict=True):
            state = self._step(x, select(is_first, fresh, state))
            outputs.append(state.flatten(1))
        return torch.stack(outputs), state

    def _step(self, x: Tensor, memory: Tensor) -> Tensor:
        core, block = self.core, self.block
        embedded = core.embed(x).unsqueeze(1)
        rows = torch.cat([memory, embedded], dim=1)
        rows = block.attention_norm(rows + self._attend(rows))
        rows = block.mlp_norm(rows + core.mlp(rows))
        candidate = torch.tanh(rows[:, : core.slots])
        gates = core.gate_memory(torch.tanh(memory)) + core.gate_input(embedded)
        input_gate, forget_gate = gates.chunk(2, dim=2)
        input_gate = torch.sigmoid(input_gate + core.input_bias)
        forget_gate = torch.sigmoid(forget_gate + core.forget_bias)
        return input_gate * candidate + forget_gate * memory

    def _attend(self, rows: Tensor) -> Tensor:
        heads = self.block.heads
        projected = self.block.qkv_norm(self.block.qkv(rows)).unflatten(2, (heads.count, -1))
        sizes = [heads.key_size, heads.key_size, heads.value_size]
        queries, keys, values = projected.permute(0, 2, 1, 3).split(sizes, dim=-1)
        weights = functional.softmax(queries * heads.scale @ keys.transpose(2, 3), dim=-1)
        return (weights @ values).transpose(1, 2).flatten(2)


class Bench:
    """The ways to compute one case."""

    def __init__(self, sizes: dict[str, Any], steps: int, batch: int) -> None:
        options: dict[str, Fused] = {"plain": "never", "fused": "auto", "bf16": "bf16"}
        if code.missing or not code.has_halves:
            del options["bf16"]
        cores = {
            way: RMCConfig(**sizes, fused=how).build((FEATURES,)) for way, how in options.items()
        }
        for core in cores.values():
            core.load_state_dict(cores["plain"].state_dict())
        self.inputs = torch.randn(steps, batch, FEATURES, requires_grad=True)
        self.state = cores["plain"].initial_state(batch)
        self.reset = torch.rand(steps, batch) < 0.02
        self.cores = [*cores.values()]
        self.ways: dict[str, Unroll] = {"port": Port(cores["plain"]), **cores}
        self.times: dict[str, dict[str, list[float]]] = {
            work: {way: [] for way in self.ways} for work in ("forward", "forward_backward")
        }
        with torch.no_grad():
            expected = self._unroll("port")
            for way in self.ways:
                apart = (self._unroll(way) - expected).norm() / expected.norm()
                if apart > (2e-2 if way == "bf16" else 1e-5):
                    raise SystemExit(f"{way}: outputs differ from the port by {apart:.1e}")

    def _unroll(self, way: str) -> Tensor:
        return self.ways[way](self.inputs, self.state, self.reset)[0]

    def measure(self) -> None:
        """Time each way once, without and with the backward pass."""
        for way in self.ways:
            calls = ACTING_STEPS if len(self.inputs) == 1 else 1
            with torch.no_grad():
                started = time.perf_counter()
                with weights_held(nn.ModuleList(self.cores)):
                    for _ in range(calls):
                        self._unroll(way)
                self.times["forward"][way].append((time.perf_counter() - started) / calls)
            for core in self.cores:
                core.zero_grad()
            self.inputs.grad = None
            started = time.perf_counter()
            self._unroll(way).sum().backward()
            self.times["forward_backward"][way].append(time.perf_counter() - started)

    def figures(self) -> dict[str, float]:
        """Milliseconds, and speed relative to the port; the first round is a warm-up."""
        figures = {}
        for work, times in self.times.items():
            for way, spent in times.items():
                figures[f"{work}_{way}_ms"] = 1e3 * statistics.median(spent[1:])
            for way in [*times][1:]:
                pairs = zip(times["port"][1:], times[way][1:], strict=True)
                figures[f"{work}_{way}_ratio"] = statistics.median(a / b for a, b in pairs)
        return {name: float(f"{figure:.4g}") for name, figure in figures.items()}


def main() -> None:
    """Measure every case with each number of threads, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=[*CASES])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    if asked.rounds < 1 or min(asked.threads) < 1:
        parser.error("--rounds and --threads must be at least 1")
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    if reason := code.missing:
        parser.error(f"there is no compiled code to measure: {reason}")
    results = {"versions": versions(), "cpu": cpu(), "rounds": asked.rounds, "cases": {}}
    for threads in asked.threads:
        torch.set_num_threads(threads)
        for case in asked.cases:
            torch.manual_seed(0)
            bench = Bench(*CASES[case])
            for _ in range(asked.rounds + 1):
                bench.measure()
            figures = bench.figures()
            results["cases"][f"{case}, {threads} threads"] = figures
            print(case, threads, json.dumps(figures))
    asked.out.write_text(json.dumps(results, indent=1) + "\n")


def cpu() -> str:
    """The processor's name, if Linux reports it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
