"""Tensors without numbers that say they are on a GPU: whoever asks for a number is caught."""

from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)

from memory.core import map_state

ASKED = (DataDependentOutputException, DynamicOutputShapeException)
"""What is raised where a number is asked for."""


def pretend(monkeypatch: pytest.MonkeyPatch) -> FakeTensorMode:
    """A mode in which there is such a GPU."""
    monkeypatch.setattr(FakeTensor, "is_cuda", True, raising=False)
    return FakeTensorMode()


def lose_numbers(module: nn.Module, mode: FakeTensorMode) -> None:
    """Leave a module the shapes of its weights and buffers only."""
    fakes: dict[int, torch.Tensor] = {}
    for part in module.modules():
        for named in (part._parameters, part._buffers):
            weights: dict[str, Any] = named
            for name, leaf in weights.items():
                if leaf is not None:
                    weights[name] = fakes.setdefault(id(leaf), _fake(leaf, mode))
    vars(module)["to"] = lambda *_: module


def _fake(leaf: torch.Tensor, mode: FakeTensorMode) -> torch.Tensor:
    fake = mode.from_tensor(leaf.detach())
    return nn.Parameter(fake, leaf.requires_grad) if isinstance(leaf, nn.Parameter) else fake


def without_numbers(state: Any, mode: FakeTensorMode) -> Any:
    """The shapes of a state."""
    return map_state(lambda x: mode.from_tensor(x.detach().clone()), state)
