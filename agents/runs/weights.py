"""Load the weights of a checkpoint, or transfer weights as one vector."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from agents.runs.checkpoint import Checkpoint, CheckpointError


def load_weights(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Load a checkpoint's weights into a network.

    Raises:
        CheckpointError: the architecture differs; names the first difference.
    """
    _compare(network, checkpoint)
    network.load_state_dict(checkpoint.weights)


def check_architecture(build: Callable[[], nn.Module], checkpoint: Checkpoint) -> None:
    """Check that a network has the weights of a checkpoint, without memory for them.

    Raises:
        CheckpointError: the architecture differs; names the first difference.
    """
    with torch.device("meta"):
        network = build()
    _compare(network, checkpoint)


def _compare(network: nn.Module, checkpoint: Checkpoint) -> None:
    wanted = {name: tuple(x.shape) for name, x in network.state_dict().items()}
    found = {name: tuple(x.shape) for name, x in checkpoint.weights.items()}
    if wanted != found:
        name = min(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        raise CheckpointError(
            f"{checkpoint.path} is of another architecture: {name} is "
            f"{found.get(name, 'missing')} there, "
            f"{wanted.get(name, 'missing')} in this configuration."
        )


def flatten(network: nn.Module) -> Tensor:
    """Weights and running statistics of a network as one vector on the CPU."""
    return torch.cat([x.detach().reshape(-1) for x in network.state_dict().values()]).cpu()


def unflatten(network: nn.Module, vector: Tensor) -> None:
    """Load the result of `flatten` into a network of the same architecture."""
    leaves = list(network.state_dict().values())
    parts = torch.split(vector.to(leaves[0].device), [leaf.numel() for leaf in leaves])
    for leaf, part in zip(leaves, parts, strict=True):
        leaf.copy_(part.view_as(leaf))
