"""The optimiser's steps, against the equations with the numbers of a configuration."""

from typing import Literal

import pytest
import torch
from gymnasium import spaces

from agents.impala.config import OptimizerConfig
from agents.impala.learning.optimizer import build_optimizer
from agents.networks.config import PolicyConfig
from agents.networks.policy import Policy
from memory import LSTMConfig

RATE, DECAY, EPSILON, MOMENTUM = 0.1, 0.75, 0.5, 0.25
GRADIENTS = (2.0, -1.0, 3.0)


def weight_after(name: Literal["rmsprop", "adam"]) -> float:
    """A weight that starts at 0, after one step for each gradient."""
    core = LSTMConfig(hidden=2)
    policy = Policy(spaces.Discrete(2), spaces.Discrete(2), core, PolicyConfig())
    optimizer = build_optimizer(
        policy,
        OptimizerConfig(
            name=name, learning_rate=RATE, decay=DECAY, epsilon=EPSILON, momentum=MOMENTUM
        ),
    )
    bias = policy.value_head.bias
    with torch.no_grad():
        bias.zero_()
    for gradient in GRADIENTS:
        bias.grad = torch.full_like(bias, gradient)
        optimizer.step()
    return bias.item()


def test_rmsprop_has_the_decay_epsilon_and_momentum_of_the_configuration() -> None:
    weight = square = step = 0.0
    for g in GRADIENTS:
        square = DECAY * square + (1 - DECAY) * g**2
        step = MOMENTUM * step + g / (square**0.5 + EPSILON)
        weight -= RATE * step
    assert weight_after("rmsprop") == pytest.approx(weight)


def test_adam_takes_momentum_as_beta1_and_decay_as_beta2() -> None:
    weight = mean = square = 0.0
    for n, g in enumerate(GRADIENTS, 1):
        mean = MOMENTUM * mean + (1 - MOMENTUM) * g
        square = DECAY * square + (1 - DECAY) * g**2
        corrected = (square / (1 - DECAY**n)) ** 0.5
        weight -= RATE * mean / (1 - MOMENTUM**n) / (corrected + EPSILON)
    assert weight_after("adam") == pytest.approx(weight)
