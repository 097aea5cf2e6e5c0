"""The GRU against its formulas and against torch.nn.GRU."""

import numpy as np
import pytest
import torch

from memory import GRUConfig
from memory.core import Core
from memory.stretches import unroll_stretches


def build(hidden=6, features=5):
    torch.manual_seed(5)
    core = GRUConfig(hidden=hidden).build((features,)).double()
    for bias in (core.input_bias, core.hidden_bias):
        torch.nn.init.normal_(bias)
    return core


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def oracle(core, x, reset):
    """One element of a batch, [T, F], step by step from the formulas; the outputs."""
    w, u, b, c = (weight.detach().numpy() for weight in core._weights)
    hidden = np.zeros(core.output_size)
    outputs = []
    for now, opens in zip(x, reset, strict=True):
        if opens:
            hidden = np.zeros(core.output_size)
        (xr, xz, xn), (hr, hz, hn) = np.split(w @ now + b, 3), np.split(u @ hidden + c, 3)
        candidate = np.tanh(xn + sigmoid(xr + hr) * hn)
        keep = sigmoid(xz + hz)
        hidden = (1 - keep) * candidate + keep * hidden
        outputs.append(hidden)
    return np.stack(outputs)


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.5])
def test_every_step_follows_the_formulas(rate):
    core = build()
    x = torch.randn(20, 3, 5, dtype=torch.double)
    reset = torch.rand(20, 3) < rate
    outputs, _ = core(x, core.initial_state(3), reset)
    for b in range(3):
        expected = oracle(core, x[:, b].numpy(), reset[:, b])
        np.testing.assert_allclose(outputs[:, b].detach(), expected, atol=1e-12)


@pytest.mark.parametrize("starts", [[], [0], [6], [0, 19], [4, 9, 14], list(range(20))])
def test_stretches_and_loop_agree_wherever_episodes_open(starts):
    core = build()
    x = torch.randn(20, 4, 5, dtype=torch.double)
    reset = torch.zeros(20, 4, dtype=torch.bool)
    reset[starts, 2] = True
    start = torch.randn(4, 6).double()
    expected, end = Core.forward(core, x, start, reset)
    cuts = [0, *(t for t in starts if t)]
    for outputs, state in (
        core(x, start, reset),
        core._loop(x, start, reset),
        unroll_stretches(core._stretch, x, start, core.initial_state(4), reset, cuts),
    ):
        torch.testing.assert_close(outputs, expected)
        torch.testing.assert_close(state, end)


def test_weights_are_laid_out_as_those_of_torch():
    core, theirs = build(), torch.nn.GRU(5, 6).double()
    for ours, parameter in zip(core._weights, theirs.parameters(), strict=True):
        parameter.data.copy_(ours)
    x = torch.randn(7, 3, 5, dtype=torch.double)
    torch.testing.assert_close(core(x, core.initial_state(3))[0], theirs(x)[0])


def test_a_core_without_units_is_refused():
    with pytest.raises(ValueError, match="hidden=0: must be at least 1"):
        GRUConfig(hidden=0).build((5,))
