"""Encodes observations, last actions and last rewards as inputs of a core.

Source: Santoro et al. 2018, appendix A.3: two 2x2 convolutions of 12 and 24 filters with ReLU, then
two planes of x and y positions in [-1, 1]. The paper does not state the padding; a "5x5" ConvLSTM
needs a 5x5 map, so it is SAME, at the bottom and right as in TensorFlow.
"""

import math
from itertools import pairwise
from typing import Any, cast

import torch
from gymnasium import spaces
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from agents.networks.inputs import Inputs
from memory.core import InputKind


class ImageTorso(nn.Module):
    """`[N, H, W, C]` bytes to a feature map `[N, channels + 2, H, W]`."""

    positions: Tensor

    def __init__(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> None:
        super().__init__()
        height, width, depth = shape
        sizes = (depth, *channels)
        self.convolutions = nn.ModuleList(_convolution(a, b) for a, b in pairwise(sizes))
        y, x = torch.meshgrid(
            torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
        )
        self.register_buffer("positions", torch.stack([x, y]), persistent=False)
        self.output_shape = (sizes[-1] + 2, height, width)

    def forward(self, images: Tensor) -> Tensor:
        x = images.movedim(-1, -3).to(self.positions.dtype) / 255
        for convolution in self.convolutions:
            x = F.relu(convolution(F.pad(x, (0, 1, 0, 1))))
        return torch.cat([x, self.positions.expand(len(x), -1, -1, -1)], dim=1)


def _convolution(channels: int, filters: int) -> nn.Conv2d:
    """A 2x2 convolution whose initialisation keeps the scale of its input; PyTorch's default would
    make the features much smaller than the position planes."""
    convolution = nn.Conv2d(channels, filters, kernel_size=2)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(cast("Tensor", convolution.bias))
    return convolution


class VectorTorso(nn.Module):
    """Numbers `[N, ...]` to a feature map of one cell, `[N, F, 1, 1]`."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__()
        self.output_shape = (math.prod(space.shape), 1, 1)

    def forward(self, observations: Tensor) -> Tensor:
        return observations.float().reshape(-1, *self.output_shape)


class DiscreteTorso(nn.Module):
    """Integers `[N]` to one-hot maps of one cell, `[N, F, 1, 1]`."""

    def __init__(self, space: spaces.Discrete) -> None:
        super().__init__()
        self.start = int(space.start)
        self.output_shape = (int(space.n), 1, 1)

    def forward(self, observations: Tensor) -> Tensor:
        hot = F.one_hot(observations.long() - self.start, self.output_shape[0])
        return hot.float().reshape(-1, *self.output_shape)


Torso = ImageTorso | VectorTorso | DiscreteTorso


def build_torso(space: spaces.Space[Any], channels: tuple[int, ...]) -> Torso:
    """Build the torso for a space of images, numbers or integers.

    Raises:
        ValueError: the space is not supported.
    """
    if isinstance(space, spaces.Box) and len(space.shape) == 3 and space.dtype == "uint8":
        return ImageTorso(space.shape, channels)
    if isinstance(space, spaces.Box):
        return VectorTorso(space)
    if isinstance(space, spaces.Discrete):
        return DiscreteTorso(space)
    raise ValueError(
        f"observation space {space} is not supported: expected a Box of bytes [H, W, C], a Box of "
        f"numbers, or a Discrete space."
    )


class Encoder(nn.Module):
    """Observation, last action and last reward as a vector, a map or rows, as the core requires."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        num_actions: int,
        kind: InputKind,
        channels: tuple[int, ...],
        last_action: bool,
        last_reward: bool,
    ) -> None:
        super().__init__()
        self.torso: Torso = build_torso(observation_space, channels)
        self.kind = kind
        self.num_actions, self.last_action, self.last_reward = num_actions, last_action, last_reward
        depth, height, width = self.torso.output_shape
        extra = last_action * num_actions + last_reward
        self.output_shape: tuple[int, ...] = {
            "vector": (depth * height * width + extra,),
            "map": (depth + extra, height, width),
            "rows": (height * width, depth + extra),
        }[kind]

    def forward(self, inputs: Inputs) -> Float[Tensor, "T B *features"]:
        time, batch = inputs.resets.shape
        maps = self.torso(inputs.observations.flatten(0, 1))
        extra = self._feedback(inputs).flatten(0, 1)
        if self.kind == "vector":
            features = torch.cat([maps.flatten(1), extra], dim=1)
        else:
            planes = extra[:, :, None, None].expand(-1, -1, *maps.shape[2:])
            features = torch.cat([maps, planes], dim=1)
            if self.kind == "rows":
                features = features.flatten(2).transpose(1, 2)
        return features.reshape(time, batch, *self.output_shape)

    def _feedback(self, inputs: Inputs) -> Float[Tensor, "T B extra"]:
        """Last action, one-hot, and last reward in [-1, 1]; zeros at the first step."""
        parts = [inputs.last_rewards.new_zeros(*inputs.resets.shape, 0)]
        if self.last_action:
            parts.append(F.one_hot(inputs.last_actions, self.num_actions).to(parts[0].dtype))
        if self.last_reward:
            parts.append(inputs.last_rewards.clamp(-1, 1)[..., None])
        return torch.cat(parts, dim=-1) * ~inputs.resets[..., None]
