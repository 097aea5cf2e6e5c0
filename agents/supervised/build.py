"""Builds the parts of a supervised run from its configuration."""

# pyright: reportUnknownMemberType=false

import torch

from agents.runs.checkpoint import Checkpoint
from agents.runs.weights import check_architecture
from agents.supervised.config import SupervisedConfig
from memory.supervised import Reader, Task, build_reader


def build(config: SupervisedConfig, checkpoint: Checkpoint | None = None) -> tuple[Task, Reader]:
    """Build the task and the network; its weights are drawn from the run's seed.

    Args:
        checkpoint: whose weights the network will have.

    Raises:
        CheckpointError: it is of another architecture; nothing was allocated.
    """
    task = config.task.build(config.seed)
    if checkpoint is not None:
        check_architecture(lambda: build_reader(task, config.core, config.reader), checkpoint)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return task, build_reader(task, config.core, config.reader)
