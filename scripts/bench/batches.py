"""Time to make a batch against time to learn from it: `python scripts/bench/batches.py`.

Measures, for each task in turn and in several rounds, the processor time of one thread to make a
batch and to do one update. Other programs on the machine change processor time less than wall time.
Training makes batches in a background thread; `waiting` is the share of time, over further updates,
in which it waits for a batch. Tasks without data are skipped, with a message.
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.runs.process import prepare

prepare()

import torch

from agents.cli.command_line import parse
from agents.supervised.program import SUPERVISED
from memory.supervised import Trainer, build_reader
from memory.supervised.data.data_folder import MissingData

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
    "babi 1, entnet": "--config babi-entnet",
    "babi 1, hmem": "--config babi-hmem",
    "babi joint, working_memory": "--config babi-working_memory --core working_memory "
    "--task.source completed",
    "nlvr, pictures": "--config nlvr-wmemnn --training.batch 64",
    "nlvr, things, lstm": "--task nlvr --core lstm --task.given things",
    "language model, lstm": "--config language_model-wikitext2 --core lstm",
    "language model, rmc": "--config language_model-wikitext2 --core rmc",
    "logic, gru": "--task logic --core gru",
    "pos tagging, gru": "--task pos_tagging --core gru",
    "sentences, gru": "--task sentences --core gru",
    "image association, hmem": "--config image_association-small --core hmem",
    "image association, lstm": "--config image_association-small --core lstm",
    "delayed recall, gru": "--task delayed_recall --core gru",
    "associative recall, gru": "--task associative_recall --core gru",
}
"""Name and flags of each measured run."""


class Case:
    """One run and the times of its parts."""

    def __init__(self, flags: str) -> None:
        config = parse(flags.split(), SUPERVISED).config
        self.task, self.size = config.task.build(0), config.training.batch
        reader = build_reader(self.task, config.core, config.reader)
        self.trainer = Trainer(reader, self.task, config.training)
        self.made: list[float] = []
        self.learnt: list[float] = []
        self.waited: list[float] = []

    def measure(self) -> None:
        """Make a batch, learn from it, then learn from the next as training does."""
        number, prefetcher = self.trainer.updates, self.trainer.prefetcher
        batch = self.task.batch(number, self.size)
        self.made.append(_milliseconds(lambda: self.task.batch(number, self.size)))
        take, prefetcher.take = prefetcher.take, lambda number: batch
        self.learnt.append(_milliseconds(self.trainer.update))
        prefetcher.take = take
        self.trainer.update()  # restarts the prefetcher, so its wait does not count
        before, started = prefetcher.seconds_waited, time.perf_counter()
        for _ in range(UPDATES):
            self.trainer.update()
        waited = prefetcher.seconds_waited - before
        self.waited.append(waited / (time.perf_counter() - started))

    def row(self) -> tuple[float, float, float]:
        """Medians without the first round, whose caches are empty."""
        made, learnt, waited = (
            statistics.median(values[1:]) for values in (self.made, self.learnt, self.waited)
        )
        return made, learnt, waited


COLUMNS = (
    "run",
    "sequences",
    "batch_ms",
    "update_ms",
    "share",
    "waiting",
    "sequences_per_cpu_second",
)
UPDATES = 3
"""Consecutive updates in which the waiting time is measured."""


def cases() -> Iterator[tuple[str, Case]]:
    """Every run whose data are available."""
    for name, flags in CASES.items():
        try:
            yield name, Case(flags)
        except MissingData as error:
            print(f"{name} is left out: {error}")


def report(name: str, case: Case) -> tuple[str | int, ...]:
    """Print the measurements of a run and return its row."""
    made, learnt, waited = case.row()
    speed = 1000 * case.size / (made + learnt)
    print(
        f"{name}: {made:.2f} of {learnt:.1f} ms, {made / learnt:.1%}, waiting {waited:.1%}, "
        f"{speed:.0f} sequences per CPU second"
    )
    times = (f"{made:.2f}", f"{learnt:.1f}", f"{made / learnt:.4f}", f"{waited:.4f}")
    return name, case.size, *times, f"{speed:.0f}"


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return 1000 * (time.thread_time() - started)


def main() -> None:
    """Measure all runs and write a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = dict(cases())
    for _ in range(options.rounds + 1):
        for case in found.values():
            case.measure()
    rows = [COLUMNS, *(report(name, case) for name, case in found.items())]
    if options.out:
        with options.out.open("w", newline="") as file:
            csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main()
