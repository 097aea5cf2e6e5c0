"""The optimiser that a configuration names."""

import torch

from agents.impala.config import OptimizerConfig
from agents.networks.policy import Policy
from memory.layers.penalty import parameter_groups


def build_optimizer(policy: Policy, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimiser of the policy's trainable weights."""
    weights = parameter_groups([policy])
    if config.name == "adam":
        return torch.optim.Adam(
            weights, config.learning_rate, betas=(config.momentum, config.decay), eps=config.epsilon
        )
    return torch.optim.RMSprop(
        weights,
        config.learning_rate,
        alpha=config.decay,
        eps=config.epsilon,
        momentum=config.momentum,
    )
