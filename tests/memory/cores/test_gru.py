"""The GRU against its formulas and against torch.nn.GRU."""

from functools import partial

import numpy as np
import pytest
import torch

from memory import GRUConfig
from memory.core import Core, map_state, state_leaves
from tests.present import present


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
    for now, starts in zip(x, reset, strict=True):
        if starts:
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


@pytest.mark.parametrize("starts", [[], [0], [6], [0, 19], [1, 2], list(range(20))])
def test_numbers_and_gradients_are_those_of_single_steps_wherever_episodes_open(starts):
    core = build()
    x = torch.randn(20, 4, 5, dtype=torch.double, requires_grad=True)
    reset = torch.zeros(20, 4, dtype=torch.bool)
    reset[starts, 2] = True
    start = torch.randn(4, 6).double()
    start = map_state(lambda leaf: leaf.requires_grad_(), start)
    weights = torch.randn(21, 4, 6, dtype=torch.double)
    learnt = [x, *state_leaves(start), *core.parameters()]
    results = []
    for unroll in (core.forward, partial(Core.forward, core)):
        outputs, end = unroll(x, start, reset)
        told = torch.cat([outputs, *(leaf[None] for leaf in state_leaves(end))])
        results.append([told, *torch.autograd.grad((told * weights).sum(), learnt)])
    for fast, plain in zip(*results, strict=True):
        torch.testing.assert_close(fast, plain)


def test_an_episode_that_opens_forgets_even_what_is_not_a_number():
    core = build()
    x = torch.randn(9, 2, 5, dtype=torch.double)
    reset = torch.zeros(9, 2, dtype=torch.bool)
    reset[[0, 4], 1] = True
    start = core.initial_state(2)
    for leaf in state_leaves(start):
        leaf[1] = float("nan")
    outputs, _ = core(x, start, reset)
    outputs.sum().backward()
    assert outputs.isfinite().all()
    assert all(present(parameter.grad).isfinite().all() for parameter in core.parameters())


def test_under_autocast_and_where_it_is_watched_the_plain_loop_answers():
    core = GRUConfig(hidden=32).build((5,))
    x, reset = torch.randn(6, 3, 5), torch.zeros(6, 3, dtype=torch.bool)
    reset[2, 1] = True
    expected, _ = core(x, core.initial_state(3), reset)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = core(x, core.initial_state(3), reset)
        outputs.sum().backward()
    torch.testing.assert_close(outputs.float(), expected, atol=0.02, rtol=0.02)
    seen = []
    core.gates.register_forward_hook(lambda *now: seen.append(now[-1]))
    torch.testing.assert_close(core(x, core.initial_state(3), reset)[0], expected)
    assert len(seen) == 6


def test_weights_are_laid_out_as_those_of_torch():
    core, theirs = build(), torch.nn.GRU(5, 6).double()
    for ours, parameter in zip(core._weights, theirs.parameters(), strict=True):
        parameter.data.copy_(ours)
    x = torch.randn(7, 3, 5, dtype=torch.double)
    torch.testing.assert_close(core(x, core.initial_state(3))[0], theirs(x)[0])


def test_a_core_without_units_is_refused():
    with pytest.raises(ValueError, match="hidden=0: must be at least 1"):
        GRUConfig(hidden=0).build((5,))
