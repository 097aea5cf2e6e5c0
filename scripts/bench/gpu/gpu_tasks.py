"""Updates per second of supervised tasks on a GPU: without CUDA graphs, with them, with kernels.

    python scripts/bench/gpu/gpu_tasks.py --out docs/results/gpu_tasks.json

Times whole updates, each from the same batch, which is on the CPU before. The ways are those of
gpu.py, timed in turn, and each figure is the median of the rounds. No data sets are needed.

With `--device cpu` the same code runs without graphs, as a check.
"""

import argparse
import json
import statistics
import sys
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.append(str(Path(__file__).resolve().parents[1]))

from agents.runs.process import prepare

prepare()

from gpu import SETTLED, TRITON, begin, time_of, ways_of

from agents.cli.command_line import parse
from agents.supervised.program import SUPERVISED
from memory.supervised import Trainer, build_reader

RUNS = {
    "nth farthest, rmc": "--task nth_farthest --core rmc",
    "nth farthest, lstm": "--task nth_farthest --core lstm",
    "nth farthest, dnc": "--task nth_farthest --core dnc",
    "program, lstm": "--task learning_to_execute --core lstm --task.programs program",
    "program, rmc": "--task learning_to_execute --core rmc --task.programs program",
    "delayed recall, gru": "--task delayed_recall --core gru",
}
"""Name and flags of each measured run."""


def main() -> None:
    """Measure all selected runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--batch", type=int, help="sequences; as in the run if left out")
    asked, figures = begin(parser)
    for run in asked.runs:
        for precision in asked.precisions:
            figures["rows"].append(measure(run, precision, asked))
            print(json.dumps(figures["rows"][-1]), flush=True)
            asked.out.write_text(json.dumps(figures, indent=1) + "\n")


def measure(run: str, precision: str, asked: argparse.Namespace) -> dict[str, float | str]:
    """Milliseconds of an update in all ways, their ratios, and sequences per second."""
    core = parse(RUNS[run].split(), SUPERVISED).config.core
    ways = ways_of(core, precision, asked.device)
    trainers = {way: trainer(run, precision, way, asked) for way in ways}
    for one in trainers.values():
        for _ in range(SETTLED):
            one.update()
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(asked.rounds):
        for way, one in trainers.items():
            seconds[way].append(time_of(one.update, asked.device, asked.seconds))
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    size = trainers["captured"].config.batch
    found = {f"update, ms, {way}": 1e3 * medians[way] for way in ways}
    found |= {f"sequences/s, {way}": size / medians[way] for way in ways}
    for slow, fast in pairwise(ways):
        found[f"{fast} to {slow}"] = medians[slow] / medians[fast]
    rounded = {key: float(f"{value:.4g}") for key, value in found.items()}
    return {"run": run, "precision": precision, "sequences": size, **rounded}


def trainer(run: str, precision: str, way: str, asked: argparse.Namespace) -> Trainer:
    """A trainer that repeats one batch."""
    flags = [*RUNS[run].split(), "--training.precision", precision]
    if way == TRITON:
        flags += ["--core.fused", TRITON]
    if asked.batch is not None:
        flags += ["--training.batch", str(asked.batch)]
    config = parse(flags, SUPERVISED).config
    task = config.task.build(0)
    reader = build_reader(task, config.core, config.reader)
    one = Trainer(reader, task, config.training, asked.device, graphs=way != "eager")
    batch = task.batch(0, config.training.batch)
    one.prefetcher.take = lambda number: batch
    return one


if __name__ == "__main__":
    main()
