"""A linear layer over features of any number, at the speed of a round number.

The libraries behind PyTorch are slower in the backward pass where rows of a matrix do not begin at
multiples of a vector register.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

ALIGNMENT = 16
"""Numbers of float32 in the widest register of today's CPUs."""


def aligned_linear(
    x: Float[Tensor, "*N F"], weight: Float[Tensor, "D F"], bias: Float[Tensor, " D"] | None
) -> Float[Tensor, "*N D"]:
    """W x + b; where a gradient will be asked for on a CPU, zeros round the features up."""
    missing = -x.shape[-1] % ALIGNMENT
    if missing and x.device.type == "cpu" and torch.is_grad_enabled() and x.shape[-1] > ALIGNMENT:
        x, weight = (functional.pad(matrix, (0, missing)) for matrix in (x, weight))
    return functional.linear(x, weight, bias)
