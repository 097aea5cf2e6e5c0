"""A small fixed battery of memory tasks, for cores of one size and as many frames.

Every core has the same reader, optimiser, budget of parameters and stream of sequences, and its own
default options but for what makes it fit: fewer slots, layers, hops or heads where the default has
more than a small core can bear, and for `hmem` a tenfold gain and decay, since sequences are short.
No option was searched for: a figure says what a core does here, in a short training, not what it is
capable of. The layer that lays vectors out for a core of maps counts as its own.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from memory import CORES
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

SIZED: dict[str, Callable[[int], Any]] = {
    "convlstm": lambda width: CORES["convlstm"](channels=width),
    "dnc": lambda width: CORES["dnc"](hidden=width, output=width),
    "entnet": lambda width: CORES["entnet"](units=width, slots=8),
    "gru": lambda width: CORES["gru"](hidden=width),
    "gtrxl": lambda width: CORES["gtrxl"](hidden=2 * width, heads=2, memory=16),
    "hmem": lambda width: CORES["hmem"](units=width, gain=0.1, decay=0.1),
    "lstm": lambda width: CORES["lstm"](hidden=width),
    "lstm, 2 layers": lambda width: CORES["lstm"](hidden=width, layers=2),
    "lstm_bank": lambda width: CORES["lstm_bank"](units=4 * width),
    "lru": lambda width: CORES["lru"](hidden=width, units=width),
    "memory_net": lambda width: CORES["memory_net"](units=width),
    "memory_net, frozen_bn": lambda width: CORES["memory_net"](units=width, mode="frozen_bn"),
    "min_gru": lambda width: CORES["min_gru"](hidden=width),
    "none": lambda width: CORES["none"](hidden=width),
    "relation_network": lambda width: CORES["relation_network"](
        width=width, g_units=2 * width, f_units=2 * width, output=2 * width, g_layers=3
    ),
    "rmc": lambda width: CORES["rmc"](units=16 * width),
    "working_memory": lambda width: CORES["working_memory"](
        width=width, g_units=2 * width, hops=3, heads=4, buffer=16
    ),
}
"""Cores of the battery, each with the one number that makes it larger or smaller."""


class Result(NamedTuple):
    """What one core made of one task."""

    task: str
    core: str
    seed: int
    budget: int
    """Most parameters that the core may have."""
    parameters: int
    """That it has."""
    updates: int
    frames: int
    """Steps of sequences learnt from."""
    accuracy: float
    """Over the test."""
    loss: float
    seconds: float


def sized(name: str, features: int, budget: int) -> Any:
    """The widest configuration of a core with at most so many parameters.

    Raises:
        ValueError: even the narrowest has more.
    """
    widest = 0
    while _size(name, widest + 1, features) <= budget:
        widest += 1
    if not widest:
        least = _size(name, 1, features)
        raise ValueError(f"budget={budget}: {name} has at least {least} parameters")
    return SIZED[name](widest)


def run(task_name: str, core_name: str, seed: int, frames: int, budget: int) -> Result:
    """Train one core on one task, in this process and on one thread; test it at the end.

    Args:
        frames: steps of sequences to learn from; the last update may go a little beyond.
        budget: parameters of the core, at most.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    task = TASKS[task_name].build(seed)
    core = sized(core_name, task.encoder().output_shape[0], budget)
    trainer = Trainer(build_reader(task, core, READER), task, TRAINING)
    updates, per_update = updates_of(task, frames)
    begun = time.perf_counter()
    for _ in range(updates):
        trainer.update()
    seconds = time.perf_counter() - begun
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
    """Updates for so many frames, or a few more; and the frames of each."""
    per_update = TRAINING.batch * len(task.batch(0, 1).targets)
    return -(-frames // per_update), per_update


def _size(name: str, width: int, features: int) -> int:
    config = SIZED[name](width)
    with torch.device("meta"):
        adapter = InputAdapter((features,), config.input_kind)
        return num_parameters(config.build(adapter.output_shape)) + num_parameters(adapter)
