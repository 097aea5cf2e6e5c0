"""A trained supervised model."""

import logging
from pathlib import Path
from typing import NamedTuple

from agents.runs.run import Run
from agents.runs.weights import load_weights
from agents.supervised.build import build
from agents.supervised.config import SupervisedConfig
from agents.supervised.program import SUPERVISED
from memory.supervised import Reader, Task

_log = logging.getLogger(__name__)


class TrainedModel(NamedTuple):
    """A trained reader, its task, and the settings of its run."""

    config: SupervisedConfig
    task: Task
    """Gives batches: `batch(number, size)` to learn from, `held_out("test")` to measure on."""
    reader: Reader
    """Encoder, core and read-out, in evaluation mode."""
    step: int
    """Updates learned from."""


def load_model(run: str | Path, *, best: bool = False) -> TrainedModel:
    """Load the newest checkpoint of a supervised run, or the best one by validation.

    Raises:
        RunError: there is no such run, or its configuration cannot be read.
        CheckpointError: there is no valid checkpoint, or its architecture differs.
        ValueError: the data of the task are missing.
    """
    opened = Run.open(Path(run), SUPERVISED)
    checkpoint = opened.load(best=best)
    for warning in checkpoint.warnings:
        _log.warning("%s The previous one is used.", warning)
    task, reader = build(opened.config, checkpoint)
    load_weights(reader, checkpoint)
    return TrainedModel(opened.config, task, reader.eval(), checkpoint.frame)
