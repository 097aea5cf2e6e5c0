"""The torso of a packed observation: one torso for each leaf."""

# pyright: reportUnknownMemberType=false

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from agents.networks.config import PolicyConfig
from agents.networks.torso import build_torso
from envs.spaces.packing import PackedObservation, Slot
from memory.core import InputKind

MAX_PLANES = 128
"""Numbers that may be added to every cell of a map; more are projected to `PROJECTED`."""
PROJECTED = 64


class Features(NamedTuple):
    """What torsos return for N observations."""

    maps: Float[Tensor, "N C H W"]
    """Of all images; C is 0, and the map one cell, if there are none."""
    vectors: Float[Tensor, "N V"]
    """Of all other leaves."""


class LeavesTorso(nn.Module):
    """Bytes `[N, size]` to the features of all leaves.

    The maps of all images are brought to the size of the first one by averaging.
    """

    def __init__(self, space: PackedObservation, kind: InputKind, config: PolicyConfig) -> None:
        super().__init__()
        self.slots = space.slots
        self.torsos = nn.ModuleList(build_torso(slot.leaf, config) for slot in self.slots)
        shapes: list[tuple[int, int, int]] = [torso.output_shape for torso in self.torsos]  # type: ignore[reportAssignmentType]
        images = [shape for slot, shape in zip(self.slots, shapes, strict=True) if _has_map(slot)]
        self.map_size = images[0][1:] if images else (1, 1)
        self.output_shape = (sum(shape[0] for shape in images), *self.map_size)
        self.vector_size = sum(shape[0] for shape in shapes) - self.output_shape[0]
        self.projection: nn.Linear | None = None
        if images and kind != "vector" and self.vector_size > MAX_PLANES:
            self.projection = nn.Linear(self.vector_size, PROJECTED)
            self.vector_size = PROJECTED

    def forward(self, observations: Tensor) -> Features:
        maps = [observations.new_zeros(len(observations), 0, *self.map_size, dtype=torch.float32)]
        vectors = [maps[0].new_zeros(len(observations), 0)]
        for slot, torso in zip(self.slots, self.torsos, strict=True):
            features = torso(unpack(observations, slot))
            if not _has_map(slot):
                vectors.append(features.flatten(1))
            elif features.shape[2:] == self.map_size:
                maps.append(features)
            else:
                maps.append(F.adaptive_avg_pool2d(features, self.map_size))
        vector = torch.cat(vectors, dim=1)
        if self.projection is not None:
            vector = F.relu(self.projection(vector))
        return Features(torch.cat(maps, dim=1), vector)


def unpack(observations: Tensor, slot: Slot) -> Tensor:
    """The values of a leaf, `[N, *shape]`, from bytes `[N, size]`."""
    data = observations[:, slot.start : slot.stop].contiguous()
    return data.view(_torch_type(slot.leaf.dtype)).reshape(-1, *slot.leaf.shape)


def _torch_type(dtype: type) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype)).dtype


def _has_map(slot: Slot) -> bool:
    return slot.leaf.kind in ("picture", "planes")
