"""Size and speed of every core in its default size: `python scripts/bench/cores.py --out FILE.csv`.

The input of each core is the output of the paper's torso for the BoxWorld viewport. Each round
measures all cores in turn, so that other load on the machine affects all equally; the figures are
medians of the rounds, of processor time, which other programs change less than wall time.
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.impala.program import IMPALA
from agents.runs.process import prepare

prepare()

import torch

from agents.cli.command_line import parse
from agents.impala.build import build_policy
from memory import CORES, state_leaves
from memory.core import DecidingCore
from memory.fused.held import weights_held

ACTING, STEPS, LEARNING = 100, 40, 32
"""Batch of an acting step; length and batch of an unroll."""


class Bench:
    """One core and its inputs."""

    def __init__(self, name: str) -> None:
        policy = build_policy(parse(["--env", "boxworld", "--core", name], IMPALA).config)
        self.shape, self.core = policy.encoder.output_shape, policy.core
        self.one = self._inputs(ACTING)
        self.many = self._inputs(STEPS, LEARNING)
        self.reset = torch.rand(STEPS, LEARNING) < 0.02
        self.acting, self.learning = (self.core.initial_state(n) for n in (ACTING, LEARNING))
        with torch.no_grad():  # a step in the middle of an episode, when a buffer is full
            _, self.acting = self.core(self._inputs(STEPS, ACTING), self.acting)
        self.times: dict[str, list[float]] = {"step": [], "unroll": []}

    def _inputs(self, *leading: int) -> torch.Tensor:
        """Random inputs, but for the numbers that are the same in all inputs."""
        inputs = torch.randn(*leading, *self.shape)
        inputs.flatten(len(leading))[..., [*self.core.constants]] = 0.5
        return inputs

    def measure(self) -> None:
        """Time a step and an unroll once each."""
        with weights_held(self.core):  # as in an unroll of the actors
            self._step()
            self._time("step", self._step)
        self._time("unroll", self._unroll)

    def _time(self, name: str, work: Callable[[], None]) -> None:
        started = time.process_time()
        work()
        self.times[name].append(time.process_time() - started)

    @torch.no_grad()
    def _step(self) -> None:
        self.core.step(self.one, self.acting)

    def _unroll(self) -> None:
        inputs = self.many.detach().requires_grad_()
        self.core.zero_grad()
        if isinstance(self.core, DecidingCore):
            decisions = torch.zeros(STEPS, LEARNING, self.core.decision_size)
            outputs, logits = self.core.replay(inputs, self.learning, self.reset, decisions)
            (outputs.sum() + logits.sum()).backward()
        else:
            self.core(inputs, self.learning, self.reset)[0].sum().backward()

    def row(self, name: str) -> dict[str, str | int]:
        """Row of the table."""
        state = self.core.initial_state(1)
        step, unroll = (statistics.median(times[1:]) for times in self.times.values())
        return {
            "core": name,
            "parameters": sum(p.numel() for p in self.core.parameters()),
            "state_floats": sum(leaf.numel() for leaf in state_leaves(state)),
            "output": self.core.output_size,
            "acting_us_per_frame": f"{1e6 * step / ACTING:.3g}",
            "learning_us_per_frame": f"{1e6 * unroll / (STEPS * LEARNING):.3g}",
        }


def main() -> None:
    """Measure every core and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cores", nargs="+", choices=CORES, default=[*CORES])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    if asked.rounds < 1 or asked.threads < 1:
        parser.error("--rounds and --threads must be at least 1")
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    benches = {name: Bench(name) for name in asked.cores}
    for _ in range(asked.rounds + 1):  # the first is a warm-up
        for bench in benches.values():
            bench.measure()
    rows = [bench.row(name) for name, bench in benches.items()]
    with asked.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(asked.out.read_text(), end="")


if __name__ == "__main__":
    main()
