"""Compares all treatments of MANN-RL's memory on the logic task.

There are two families of treatments, with equal numbers of sequences. `program: ...` is the
published program (`mann_rl_program.py`), complete and without parts of its rule. `core: ...` is the
core `memory_net` in one of its modes, read by a small network and trained by the trainer of all
supervised tasks. Answers are scored where memory is needed: chance is one half there, while an echo
of the previous symbol is right at all other steps.
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.append(str(Path(__file__).resolve().parents[1]))

from agents.runs.process import prepare

prepare()

import torch
from mann_rl_program import Moment, ProgramConfig, Programs
from torch import Tensor

from agents.evaluation.intervals import student_interval
from memory import MemoryNetConfig
from memory.supervised.batch import Batch
from memory.supervised.reader import Reader, ReaderConfig, build_reader
from memory.supervised.tasks.logic import Logic, LogicConfig, is_answer
from memory.supervised.tasks.weighted_f1 import weighted_f1
from memory.supervised.trainer import Trainer, TrainingConfig

PROGRAMS = {
    "program: frozen": (False, False),
    "program: statistics only": (False, True),
    "program: published": (True, True),
}
"""Whether each does the step of RMSprop, and whether its statistics are updated."""
MODES = ("frozen", "frozen_bn", "published", "td_fixed", "reinforce", "bptt")
TREATMENTS = (*PROGRAMS, *(f"core: {mode}" for mode in MODES))
MEASURES = ("f1", "answer_accuracy", "longer_answer_accuracy")
COLUMNS: tuple[str, ...] = ("treatment", "seed", "sequences", *MEASURES)
LANES = 16
SYMBOLS_PER_SEQUENCE = 12.65
LONGER = (21, 40)
Row = dict[str, Any]


def train_programs(seeds: int, sequences: int) -> list[Row]:
    """Train all programs in parallel, on the same data for equal seeds."""
    kinds = list(PROGRAMS.values())
    teaches, adapts = (torch.tensor([kind[i] for kind in kinds] * seeds) for i in (0, 1))
    random = torch.Generator().manual_seed(0)
    classes = Logic.num_classes
    programs = Programs(classes, classes, teaches, adapts, ProgramConfig(), random)
    streams = [LogicConfig(steps=1000).build(seed) for seed in range(1, seeds + 1)]
    memory = programs.empty_memory(LANES)
    for number in range(updates_for(sequences, 1000, LANES)):
        pieces = [stream.batch(number, LANES) for stream in streams]
        inputs = _per_program([piece.inputs for piece in pieces], len(kinds))
        targets = _per_program([piece.targets for piece in pieces], len(kinds))
        for x, target in zip(inputs, targets, strict=True):
            memory = programs.train_step(x, memory, target)
    scores = [score_programs(programs, lengths) for lengths in ((2, 20), LONGER)]
    return [
        row(name, 1 + i // len(kinds), sequences, scores[0][i], scores[1][i])
        for i, name in enumerate(list(PROGRAMS) * seeds)
    ]


def _per_program(leaves: Sequence[Tensor], treatments: int) -> Tensor:
    """`[T, P, B, ...]`: the data of each seed, repeated for every treatment."""
    return torch.stack(list(leaves), dim=1).repeat_interleave(treatments, dim=1)


@torch.no_grad()
def score_programs(programs: Programs, lengths: tuple[int, int]) -> list[tuple[float, float]]:
    """Weighted F1 and answer accuracy of each program, from an empty memory."""
    batch = judged_stream(lengths)
    memory = programs.empty_memory(batch.targets.shape[1])
    answers = []
    for x in batch.inputs:
        x = x.expand(programs.programs, *x.shape)
        answers.append(programs.act(x, memory, training=False).argmax(-1))
        memory = programs.remember(x, memory)
    return [score(said, batch) for said in torch.stack(answers).unbind(dim=1)]


def train_core(mode: Any, seed: int, sequences: int) -> list[Row]:
    """Train one core with the trainer of the supervised tasks."""
    torch.manual_seed(seed)
    task = LogicConfig().build(seed)
    core = MemoryNetConfig(mode=mode, units=48, output="input_and_memory_before")
    reader = build_reader(task, core, ReaderConfig(readout=(128,)))
    config = TrainingConfig(batch=LANES, learning_rate=3e-3)
    trainer = Trainer(reader, task, config, seed=seed)
    for _ in range(updates_for(sequences, task.config.steps, LANES)):
        trainer.update()
    scores = [score_reader(reader, lengths) for lengths in ((2, 20), LONGER)]
    return [row(f"core: {mode}", seed, sequences, *scores)]


@torch.no_grad()
def score_reader(reader: Reader, lengths: tuple[int, int]) -> tuple[float, float]:
    """Weighted F1 and answer accuracy, from an empty memory."""
    batch = judged_stream(lengths)
    logits, _ = reader.eval()(batch.inputs, batch.loss_mask)
    return score(logits.argmax(-1).view(batch.targets.shape), batch)


def updates_for(sequences: int, steps: int, lanes: int) -> int:
    """Number of updates for `sequences` sequences."""
    return round(sequences * SYMBOLS_PER_SEQUENCE / steps / lanes)


def judged_stream(lengths: tuple[int, int]) -> Batch:
    """The stream that every treatment is tested on: 320 lanes, 400 steps."""
    task = LogicConfig(lengths=lengths, steps=400).build(seed=0)
    return next(task.held_out("test"))


def score(said: Tensor, batch: Batch) -> tuple[float, float]:
    """Weighted F1 over all symbols, and the share of right answers where an answer was due."""
    due = is_answer(batch)
    right = said[due].eq(batch.targets[due]).float().mean().item()
    return weighted_f1(said.flatten(), batch.targets.flatten()), right


def row(
    name: str, seed: int, sequences: int, usual: tuple[float, float], longer: tuple[float, float]
) -> Row:
    """A line of the table."""
    values = (name, seed, sequences, round(usual[0], 4), round(usual[1], 4), round(longer[1], 4))
    return dict(zip(COLUMNS, values, strict=True))


def gradient_check() -> dict[str, float]:
    """Change of the memory-net's gradient when the losses are replaced: zero."""
    torch.manual_seed(0)
    yes = torch.tensor([True])
    random = torch.Generator().manual_seed(0)
    programs = Programs(Logic.num_classes, Logic.num_classes, yes, yes, ProgramConfig(), random)
    batch = LogicConfig(steps=500).build(seed=1).batch(0, LANES)
    memory = programs.empty_memory(LANES)
    for x, target in zip(batch.inputs, batch.targets, strict=True):
        memory = programs.train_step(x[None], memory, target[None])
    moments = list(programs.history)
    losses = torch.stack([moment.losses for moment in moments])
    shuffled = losses.flatten()[torch.randperm(losses.numel())].view_as(losses)
    replaced = {"permuted": shuffled, "mean": losses.mean().expand_as(losses)}
    true = _gradient(programs, moments, losses)
    changes = {
        f"losses {name}": (_gradient(programs, moments, other) - true).abs().max().item()
        for name, other in replaced.items()
    }
    return {"largest component": true.abs().max().item(), **changes}


def _gradient(programs: Programs, moments: list[Moment], losses: Tensor) -> Tensor:
    changed = [m._replace(losses=loss) for m, loss in zip(moments, losses, strict=True)]
    loss = programs.memory_loss(changed, list(range(8)))
    return torch.autograd.grad(loss, programs.memory_net.leaf)[0]


def table(rows: Sequence[Row]) -> str:
    """All treatments, as Markdown."""
    names = MEASURES
    lines = ["| treatment | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    for treatment in TREATMENTS:
        found = [r for r in rows if r["treatment"] == treatment]
        if found:
            cells = (student_interval([float(r[name]) for r in found]) for name in names)
            shown = " | ".join(f"{mean:.3f} ± {half:.3f}" for mean, half in cells)
            lines.append(f"| `{treatment}` | {shown} |")
    return "\n".join(lines)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Answer accuracy of every treatment: a bar for the mean, and a dot for each seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    shown = [t for t in TREATMENTS if any(r["treatment"] == t for r in rows)]
    places = range(len(shown) - 1, -1, -1)
    kinds = (
        ("answer_accuracy", "as in training", "#3b6ea5", 0.2),
        ("longer_answer_accuracy", "21 to 40 operands", "#c98a2b", -0.2),
    )
    for name, label, colour, shift in kinds:
        seeds = [[float(r[name]) for r in rows if r["treatment"] == t] for t in shown]
        means = [statistics.mean(values) for values in seeds]
        axes.barh([p + shift for p in places], means, 0.36, color=colour, alpha=0.5, label=label)
        for place, values in zip(places, seeds, strict=True):
            axes.plot(values, [place + shift] * len(values), "o", color=colour, markersize=4)
    axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(list(places), shown)
    axes.set_xlim(0.4, 1.01)
    axes.set_xlabel("right answers (chance: dotted); bars: mean, dots: seeds")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.13), ncols=2, frameon=False)
    figure.savefig(path, dpi=150)


def read_rows(path: Path, sequences: int, seeds: int) -> list[Row]:
    """Rows of the same experiment that an earlier call finished.

    Raises:
        ValueError: the table is of another experiment and would be overwritten.
    """
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for found in rows:
        if int(found["sequences"]) != sequences or int(found["seed"]) > seeds:
            raise ValueError(
                f"{path} holds runs of {found['sequences']} sequences, seed {found['seed']}, which "
                f"--sequences {sequences} --seeds {seeds} leaves out; name another --out."
            )
    return rows


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """All rows so far, in the order of the table."""
    ordered = sorted(rows, key=lambda r: (TREATMENTS.index(r["treatment"]), int(r["seed"])))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(ordered)


def main(arguments: Sequence[str]) -> int:
    """Run the missing parts of the experiment, then draw it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sequences", type=int, default=150_000, help="per treatment")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=Path("docs/results/mann_rl.csv"))
    options = parser.parse_args(arguments)
    for name in ("seeds", "sequences", "workers"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} {getattr(options, name)}: must be at least 1")
    if not options.out.parent.is_dir():
        parser.error(f"--out {options.out}: there is no folder {options.out.parent}")
    try:
        rows = read_rows(options.out, options.sequences, options.seeds)
    except ValueError as error:
        parser.error(str(error))
    for name, value in gradient_check().items():
        print(f"gradient of the memory-net, {name}: {value:.3g}")
    started = time.monotonic()
    with ProcessPoolExecutor(
        options.workers, get_context("spawn"), torch.set_num_threads, (1,)
    ) as pool:
        for job in as_completed(submit(pool, rows, options.seeds, options.sequences)):
            rows += job.result()
            write_rows(rows, options.out)
            last = job.result()[-1]
            print(f"{time.monotonic() - started:5.0f} s  {last}", flush=True)
    draw(rows, options.out.with_suffix(".png"))
    print(table(rows))
    return 0


def submit(
    pool: ProcessPoolExecutor, rows: list[Row], seeds: int, sequences: int
) -> list[Future[list[Row]]]:
    """Submit all missing rows; the programs, which take longest, first."""
    there = {(r["treatment"], int(r["seed"])) for r in rows}
    numbers = range(1, seeds + 1)
    jobs = []
    if not there >= {(name, seed) for name in PROGRAMS for seed in numbers}:
        rows[:] = [r for r in rows if r["treatment"] not in PROGRAMS]
        jobs.append(pool.submit(train_programs, seeds, sequences))
    for mode in reversed(MODES):
        for seed in numbers:
            if (f"core: {mode}", seed) not in there:
                jobs.append(pool.submit(train_core, mode, seed, sequences))
    return jobs


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
