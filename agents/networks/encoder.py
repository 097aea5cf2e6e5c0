"""Encodes observations, last actions and last rewards as inputs of a core."""

# pyright: reportUnknownMemberType=false

import math
from typing import Any

import torch
from gymnasium import spaces
from jaxtyping import Float
from torch import Tensor, nn

from agents.networks.config import PolicyConfig
from agents.networks.distributions import Distribution
from agents.networks.inputs import Inputs
from agents.networks.leaves_torso import Features, LeavesTorso
from agents.networks.torso import DiscreteTorso, ImageTorso, VectorTorso, downsample_of
from envs.spaces.leaves import SUPPORTED, Reading, is_read_as_it_is
from envs.spaces.packing import PackedObservation
from memory.core import InputKind


class Encoder(nn.Module):
    """Observation, last action and last reward as a vector, a map or rows, as the core requires."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        distribution: Distribution,
        kind: InputKind,
        config: PolicyConfig,
    ) -> None:
        super().__init__()
        self.observation_space = observation_space
        self.torso = build_encoder_torso(observation_space, kind, config)
        self.kind = kind
        self.distribution = distribution
        self.last_action, self.last_reward = config.last_action, config.last_reward
        depth, height, width = self.torso.output_shape
        extra = config.last_action * distribution.num_features + config.last_reward
        extra += self.torso.vector_size if isinstance(self.torso, LeavesTorso) else 0
        self.output_shape: tuple[int, ...] = {
            "vector": (depth * height * width + extra,),
            "map": (depth + extra, height, width),
            "rows": (height * width, depth + extra),
        }[kind]

    @property
    def constants(self) -> range:
        """The numbers of a vector that are the same in all of them: planes of positions."""
        if self.kind != "vector" or not isinstance(self.torso, ImageTorso):
            return range(0)
        size = math.prod(self.torso.output_shape)
        return range(size - self.torso.positions.numel(), size)

    def forward(self, inputs: Inputs) -> Float[Tensor, "T B *features"]:
        time, batch = inputs.resets.shape
        observations = inputs.observations.flatten(0, 1)
        extra = self._feedback(inputs).flatten(0, 1)
        if self.kind == "vector" and isinstance(self.torso, ImageTorso):
            features = self.torso.with_numbers(observations, extra)
            return features.reshape(time, batch, *self.output_shape)
        maps = self.torso(observations)
        if isinstance(maps, Features):
            maps, extra = maps.maps, torch.cat([maps.vectors, extra], dim=1)
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
            parts.append(self.distribution.encode(inputs.last_actions).to(parts[0].dtype))
        if self.last_reward:
            parts.append(inputs.last_rewards.clamp(-1, 1)[..., None])
        return torch.cat(parts, dim=-1) * ~inputs.resets[..., None]


def build_encoder_torso(
    space: spaces.Space[Any], kind: InputKind, config: PolicyConfig
) -> LeavesTorso | ImageTorso | VectorTorso | DiscreteTorso:
    """Build the torso of a space; arrays that need no packing are read as they are.

    Raises:
        ValueError: the space is not supported.
    """
    if isinstance(space, PackedObservation):
        return LeavesTorso(space, kind, config)
    if isinstance(space, spaces.Discrete):
        return DiscreteTorso((int(space.n),), int(space.start))
    leaves = list(Reading().leaves(space))
    if is_read_as_it_is(space, leaves):
        (leaf,) = leaves
        if leaf.kind == "picture":
            return ImageTorso(leaf.shape, config.channels, downsample_of(leaf.shape, config))
        return VectorTorso(leaf.shape)
    raise ValueError(
        f"observation space {space} is not packed: {SUPPORTED} need a "
        "envs.spaces.packing.PackedObservation, except for pictures of bytes with the channels "
        "last, numbers that are not scaled, and Discrete."
    )
