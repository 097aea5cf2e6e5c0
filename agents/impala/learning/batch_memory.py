"""The memory that trajectories and an update need, before anything of them is allocated."""

# pyright: reportUnknownMemberType=false, reportPrivateUsage=false

import copy
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from agents.impala.config import ImpalaConfig
from agents.networks.policy import Policy
from agents.runs.device import compute_device

_LARGE = 30_000_000
"""Bytes of the observations of a batch from which on the torso counts, which takes a second."""


def check_memory(config: ImpalaConfig, policy: Policy) -> None:
    """Refuse trajectories for which this machine has not enough free memory.

    Counts the observations of all actors and of a batch, and for a learner on the CPU what the
    torso keeps for its gradient; all else is small beside them.

    Raises:
        ValueError: names the memory that is needed at least, and the options that change it.
    """
    space = policy.encoder.observation_space
    steps = config.unroll + 1
    stored = math.prod(space.shape or ()) * (space.dtype.itemsize if space.dtype else 0)
    needed = (config.actors + config.batch) * steps * stored
    is_large = config.batch * steps * stored > _LARGE
    if is_large and compute_device(config.device) == "cpu":
        needed += config.batch * steps * _bytes_for_gradient(policy.encoder.torso, space)
    if needed > (memory := _available()):
        raise ValueError(
            f"--actors {config.actors}, --batch {config.batch} and --unroll {config.unroll}: "
            f"trajectories of observations of {stored:,} bytes need at least "
            f"{needed / 1e9:,.0f} GB; {memory / 1e9:,.0f} GB of memory are free. Use smaller "
            "numbers, or wrappers that make observations smaller (--env.wrappers)."
        )


def _available() -> int:
    """Bytes of memory that programs can still get, where Linux says so."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    sizes = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return 1024 * int(sizes["MemAvailable"].split()[0])


def _bytes_for_gradient(torso: nn.Module, space: spaces.Space[Any]) -> int:
    """Bytes per observation: its numbers as floats, and the tensors that autograd keeps."""
    torso = copy.deepcopy(torso).to("meta")
    weights = {_storage(weight) for weight in torso.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if (storage := _storage(tensor)) not in weights:
            kept[storage] = tensor.untyped_storage().nbytes()
            alive.append(tensor)  # no other storage gets its number
        return tensor

    alive: list[Tensor] = []
    dtype = torch.from_numpy(np.empty(0, space.dtype)).dtype
    observation = torch.empty((1, *(space.shape or ())), dtype=dtype, device="meta")
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        torso(observation)
    return 4 * observation.numel() + sum(kept.values())


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
