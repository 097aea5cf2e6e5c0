"""A small fixed set of memory tasks, for cores of equal size and equal numbers of frames.

Every core has the same reader, optimiser, number of parameters and stream of sequences, and the
options that `of_width` of its configuration sets. The name of a core can include further options:
"lstm, layers=2". Options were not tuned: a result shows what a core learns in a short training, not
its best performance. The layer that turns vectors into maps for a core of maps counts as part of
the core.
"""

import time
from dataclasses import fields, replace
from typing import Any, NamedTuple

import torch
import yaml

from memory import CORES, CoreConfig
from memory.options import one_of
from memory.supervised.reader import InputAdapter, ReaderConfig, build_reader, num_parameters
from memory.supervised.task import Task
from memory.supervised.tasks.associative_recall import AssociativeRecallConfig
from memory.supervised.tasks.delayed_recall import DelayedRecallConfig
from memory.supervised.tasks.nth_farthest import NthFarthestConfig
from memory.supervised.trainer import Trainer, TrainingConfig

TASKS = {
    "delayed recall": DelayedRecallConfig(symbols=8, length=3, delay=5),
    "associative recall": AssociativeRecallConfig(keys=8, values=8, pairs=3),
    "nth farthest": NthFarthestConfig(vectors=3, dimensions=1),
}
READER = ReaderConfig(readout=(64,))
TRAINING = TrainingConfig(batch=32, learning_rate=1e-3, clip_norm=1.0)


class Result(NamedTuple):
    """Result of one core on one task."""

    task: str
    core: str
    seed: int
    budget: int
    """Largest number of parameters of the core."""
    parameters: int
    """Number of parameters of the core."""
    updates: int
    frames: int
    """Training steps of sequences."""
    accuracy: float
    """On the test."""
    loss: float
    seconds: float


def config_of(name: str, width: int) -> CoreConfig:
    """A core of a given width; the name can include options: "lstm, layers=2".

    Raises:
        ValueError: there is no such core, or option.
    """
    core, *options = name.split(", ")
    one_of("core", core, CORES)
    config: Any = CORES[core].of_width(width)
    for option in options:
        key, _, value = option.partition("=")
        one_of(f"option of {core}", key, [field.name for field in fields(config)])
        config = replace(config, **{key: yaml.safe_load(value)})
    return config


def sized(name: str, features: int, budget: int) -> CoreConfig:
    """The widest configuration of a core with at most `budget` parameters.

    Raises:
        ValueError: the narrowest has more.
    """
    widest = 0
    while _size(name, widest + 1, features) <= budget:
        widest += 1
    if not widest:
        least = _size(name, 1, features)
        raise ValueError(f"budget={budget}: {name} has at least {least} parameters")
    return config_of(name, widest)


def run(task_name: str, core_name: str, seed: int, frames: int, budget: int) -> Result:
    """Train one core on one task, in this process and on one thread; test it at the end.

    Args:
        frames: steps of sequences to learn from; the last update may exceed it slightly.
        budget: parameters of the core, at most.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    task = TASKS[task_name].build(seed)
    core = sized(core_name, task.encoder().output_shape[0], budget)
    trainer = Trainer(build_reader(task, core, READER), task, TRAINING)
    updates, per_update = updates_of(task, frames)
    started = time.perf_counter()
    for _ in range(updates):
        trainer.update()
    seconds = time.perf_counter() - started
    test = trainer.evaluate()
    return Result(
        task_name,
        core_name,
        seed,
        budget,
        num_parameters(trainer.reader.core) + num_parameters(trainer.reader.input_adapter),
        updates,
        updates * per_update,
        test["accuracy"],
        test["loss"],
        round(seconds, 1),
    )


def updates_of(task: Task, frames: int) -> tuple[int, int]:
    """Number of updates for `frames` frames, rounded up, and frames per update."""
    per_update = TRAINING.batch * len(task.batch(0, 1).targets)
    return -(-frames // per_update), per_update


def _size(name: str, width: int, features: int) -> int:
    config = config_of(name, width)
    with torch.device("meta"):
        adapter = InputAdapter((features,), config.input_kind)
        return num_parameters(config.build(adapter.output_shape)) + num_parameters(adapter)
