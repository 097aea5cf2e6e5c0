"""Builds the parts of a supervised run from its configuration."""

# pyright: reportUnknownMemberType=false

import torch

from agents.supervised.config import SupervisedConfig
from memory.supervised import Reader, Task, build_reader


def build(config: SupervisedConfig) -> tuple[Task, Reader]:
    """Build the task and the network; its weights are drawn from the run's seed."""
    task = config.task.build(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return task, build_reader(task, config.core, config.reader)
