"""LSTM and GRU against torch.nn's: `python scripts/bench/recurrences.py --out FILE.json`.

torch.nn does not support episodes and is timed without them. Ours are timed without resets, with
resets that are all false, and with episodes that start at one step in fifty. The last are also
timed as `loop`: step by step, with the gradient by autograd. The unroll for learning has 40 steps
of 32; acting is forty single steps of 100. Inputs are those of the BoxWorld agent. Each round
measures all in turn; times are medians of the rounds, ratios medians of the ratios of each round.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.runs.process import prepare

prepare()

import torch
from torch import Tensor, nn

from agents.runs.versions import versions
from memory import GRUConfig, LSTMConfig, map_state
from memory.core import Core
from memory.fused.held import weights_held

FEATURES, UNITS, STEPS, LEARNING, ACTING = 655, 256, 40, 32, 100
OPENING = 0.02
"""Share of steps that start an episode."""
THEIRS = "torch.nn"


def main() -> None:
    """Measure both cores with each number of threads, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    if asked.rounds < 1 or min(asked.threads) < 1:
        parser.error("--rounds and --threads must be at least 1")
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    results = {"versions": versions(), "rounds": asked.rounds}
    for threads in asked.threads:
        torch.set_num_threads(threads)
        for name, works in cases().items():
            figures = compare(works, asked.rounds)
            results[f"{name}, threads: {threads}"] = figures
            print(name, threads, json.dumps(figures, indent=1))
    asked.out.write_text(json.dumps(results, indent=1) + "\n")


def cases() -> dict[str, dict[str, Callable[[], None]]]:
    """The compared functions, by comparison and by implementation."""
    torch.manual_seed(0)
    found = {}
    for name, config, module in (("lstm", LSTMConfig, nn.LSTM), ("gru", GRUConfig, nn.GRU)):
        core, theirs = config(hidden=UNITS).build((FEATURES,)), module(FEATURES, UNITS)
        found[f"{name} learning"] = learning(core, theirs)
        cell = (nn.LSTMCell if name == "lstm" else nn.GRUCell)(FEATURES, UNITS)
        found[f"{name} acting"] = acting(core, cell)
    return found


def learning(core: Core, theirs: nn.Module) -> dict[str, Callable[[], None]]:
    """An unroll and its backward pass."""
    inputs = torch.randn(STEPS, LEARNING, FEATURES, requires_grad=True)
    state = core.initial_state(LEARNING)
    nowhere = torch.zeros(STEPS, LEARNING, dtype=torch.bool)
    somewhere = torch.rand(STEPS, LEARNING) < OPENING

    def timed(unroll: Callable[[], Tensor]) -> Callable[[], None]:
        def work() -> None:
            inputs.grad = None
            for module in (core, theirs):
                module.zero_grad()
            unroll().sum().backward()

        return work

    unrolls = {
        THEIRS: lambda: theirs(inputs)[0],
        "ours": lambda: core(inputs, state)[0],
        "ours, resets nowhere": lambda: core(inputs, state, nowhere)[0],
        "ours, resets": lambda: core(inputs, state, somewhere)[0],
        "loop, resets": lambda: Core.forward(core, inputs, state, somewhere)[0],
    }
    return {name: timed(unroll) for name, unroll in unrolls.items()}


def acting(core: Core, theirs: nn.Module) -> dict[str, Callable[[], None]]:
    """Single steps without gradients, with the weights held as an unroll of the actors does."""
    inputs, state = torch.randn(ACTING, FEATURES), core.initial_state(ACTING)
    given = map_state(torch.clone, state)

    @torch.no_grad()
    def ours() -> None:
        with weights_held(core):
            for _ in range(STEPS):
                core.step(inputs, state)

    @torch.no_grad()
    def cell() -> None:
        for _ in range(STEPS):
            theirs(inputs, given)

    return {THEIRS: cell, "ours": ours}


def compare(works: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Milliseconds of each, and speed relative to torch.nn; the first round is a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - started)
    figures = {f"{name}, ms": 1e3 * statistics.median(spent[1:]) for name, spent in times.items()}
    for name in [*works][1:]:
        pairs = zip(times[THEIRS][1:], times[name][1:], strict=True)
        figures[f"{name}, ratio"] = statistics.median(a / b for a, b in pairs)
    return {name: float(f"{figure:.4g}") for name, figure in figures.items()}


if __name__ == "__main__":
    main()
