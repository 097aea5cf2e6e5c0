"""From a configuration to the parts of a supervised run."""

import torch

from agents.supervised.config import SupervisedConfig
from memory.supervised import Reader, Task, build_reader


def build(config: SupervisedConfig) -> tuple[Task, Reader]:
    """The task, and the network at its start."""
    task = config.task.build(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return task, build_reader(task, config.core, config.reader)
