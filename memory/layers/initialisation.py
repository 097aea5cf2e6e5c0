"""Initial weights as Sonnet 1 draws them, with which the papers' results were obtained."""

from torch import Tensor, nn


def truncated_normal_(weight: Tensor, fan_in: int) -> None:
    """Fill with a normal of deviation 1 / sqrt(fan_in), redrawn beyond two deviations."""
    deviation = fan_in**-0.5
    nn.init.trunc_normal_(weight, std=deviation, a=-2 * deviation, b=2 * deviation)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Linear layer with truncated normal weights and no bias to begin with."""
    layer = nn.Linear(inputs, outputs)
    truncated_normal_(layer.weight, inputs)
    nn.init.zeros_(layer.bias)
    return layer
