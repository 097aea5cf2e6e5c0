"""Whether batches are made as fast as they are learnt from: `python scripts/bench/batches.py`.

Presets and programs in turn, over and over: the processor time of one thread that making a batch
takes, and that one update takes. Training makes batches in a thread of its own, so that what counts
is their ratio, and that what is left of the waiting is next to nothing (`speed/waiting` of a run).
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.process import prepare

prepare()

import torch

from agents.command_line import parse
from agents.supervised import SUPERVISED
from memory.supervised import Trainer, build_reader

SMALL = "--config learning_to_execute-small --core"
CASES = {
    **{
        f"{programs}, small, lstm": f"{SMALL} lstm --task.programs {programs}"
        for programs in ("add", "copy", "reverse", "double")
    },
    "add, small, rmc": f"{SMALL} rmc",
    "program, lstm": "--task learning_to_execute --core lstm --task.programs program",
    "program, rmc": "--task learning_to_execute --core rmc --task.programs program",
    "zaremba, lstm": "--task learning_to_execute --core lstm --task.programs zaremba",
    "nth farthest, small, rmc": "--config nth_farthest-small --core rmc",
    "nth farthest, small, lstm": "--config nth_farthest-small --core lstm",
    "nth farthest, lstm": "--task nth_farthest --core lstm",
    "nth farthest, rmc": "--task nth_farthest --core rmc",
}
"""What is measured, by the command of a run."""


class Case:
    """One run and how long its parts take."""

    def __init__(self, flags: str) -> None:
        config = parse(flags.split(), SUPERVISED).config
        self.task, self.size = config.task.build(0), config.training.batch
        reader = build_reader(self.task, config.core, config.reader)
        self.trainer = Trainer(reader, self.task, config.training)
        self.number = 0
        self.made: list[float] = []
        self.learnt: list[float] = []

    def measure(self) -> None:
        """Make a batch, and learn from another."""
        batch = self.task.batch(self.number, self.size)
        self.trainer.supply.take = lambda number: batch
        self.made.append(_milliseconds(lambda: self.task.batch(self.number, self.size)))
        self.learnt.append(_milliseconds(self.trainer.update))
        self.number += 1


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return 1000 * (time.process_time() - begun)


def main() -> None:
    """Measure all and write a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases = {name: Case(flags) for name, flags in CASES.items()}
    for _ in range(options.rounds + 1):
        for case in cases.values():
            case.measure()
    rows = [("run", "sequences", "batch_ms", "update_ms", "share")]
    for name, case in cases.items():
        made, learnt = (statistics.median(times[1:]) for times in (case.made, case.learnt))
        rows.append((name, case.size, f"{made:.2f}", f"{learnt:.1f}", f"{made / learnt:.4f}"))
        print(f"{name}: {made:.2f} of {learnt:.1f} ms, {made / learnt:.1%}")
    if options.out:
        with options.out.open("w", newline="") as file:
            csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main()
