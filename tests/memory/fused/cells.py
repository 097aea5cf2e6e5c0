"""Cores whose state is a hidden state and a cell, small, and what goes into and out of them."""

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor

from memory import LSTM, ConvLSTMConfig
from memory.cores.convlstm import ConvLSTM, ConvLSTMState
from memory.cores.lstm import LSTMState
from memory.fused.call import Fused, FusedOrTriton

TOLERANCE = 2e-5
"""Of the largest entry of a tensor."""

Cell = LSTM | ConvLSTM


class Given(NamedTuple):
    """What a core is called with."""

    inputs: Tensor
    state: Any
    reset: Tensor


def build_lstm(features: int = 10, hidden: int = 32, fused: FusedOrTriton = "auto") -> LSTM:
    torch.manual_seed(3)
    return _with_bias(LSTM(features, hidden, fused))


def build_convlstm(
    kernel: int = 2,
    features: int = 5,
    channels: int = 12,
    places: tuple[int, int] = (4, 5),
    fused: Fused = "auto",
) -> ConvLSTM:
    torch.manual_seed(3)
    config = ConvLSTMConfig(channels=channels, kernel=kernel, fused=fused)
    return _with_bias(config.build((features, *places)))


def _with_bias(core: Any) -> Any:
    with torch.no_grad():
        core.bias.add_(0.3 * torch.randn_like(core.bias))
    return core


def draw(core: Cell, steps: int = 10, batch: int = 20) -> Given:
    """Inputs, a state and resets, of which one at least begins an episode."""
    shape = core.map_shape if isinstance(core, ConvLSTM) else (core.output_size,)
    kind = ConvLSTMState if isinstance(core, ConvLSTM) else LSTMState
    inputs = torch.randn(steps, batch, core.input_weight.shape[1], *shape[1:])
    state = kind(torch.randn(batch, *shape), torch.randn(batch, *shape))
    reset = torch.rand(steps, batch) < 0.1
    reset[1, 0] = True
    return Given(inputs, state, reset)


def everything(core: Cell, given: Given) -> dict[str, Tensor]:
    """Outputs, last state, and the gradients of all that goes in; of an uneven sum of both."""
    kind = core.bias.dtype
    inputs, hidden, cell = (
        tensor.to(kind).clone().requires_grad_() for tensor in (given.inputs, *given.state)
    )
    outputs, final = core(inputs, type(given.state)(hidden, cell), given.reset)
    generator = torch.Generator().manual_seed(5)
    results = (outputs, *final)
    uneven = [(y * torch.randn(y.shape, generator=generator).to(y)).sum() for y in results]
    sources = {"inputs": inputs, "h": hidden, "c": cell, **dict(core.named_parameters())}
    gradients = torch.autograd.grad(torch.stack(uneven).sum(), [*sources.values()])
    names = dict(zip(("outputs", "hidden", "cell"), results, strict=True))
    return names | dict(zip(sources, gradients, strict=True))


def assert_as_plain(core: Cell, given: Given) -> None:
    """Compiled, a core gives what plain code gives in double precision."""
    assert core.why_plain(*given) is None
    exact = everything(copy.deepcopy(core).double(), given)
    for name, ours in everything(core, given).items():
        error = (ours.double() - exact[name]).abs().max() / exact[name].abs().max().clamp(min=1e-6)
        assert error < TOLERANCE, f"{name}: {error:.1e}"
