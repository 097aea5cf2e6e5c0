"""The LSTM against its formulas."""

from functools import partial

import numpy as np
import pytest
import torch

from memory import LSTM, LSTMConfig, StackedLSTM
from memory.core import Core, map_state, state_leaves
from memory.cores.lstm import LSTMState
from tests.present import present


def build(hidden=6, features=5) -> LSTM:
    torch.manual_seed(5)
    core = LSTMConfig(hidden=hidden).build((features,)).double()
    assert isinstance(core, LSTM)
    torch.nn.init.normal_(core.bias)
    return core


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def oracle(core, x, reset):
    """One element of a batch, [T, F], step by step from the formulas; the outputs."""
    weights = (core.input_weight, core.hidden_weight, core.bias)
    w, u, b = (weight.detach().numpy() for weight in weights)
    hidden = cell = np.zeros(core.output_size)
    outputs = []
    for now, starts in zip(x, reset, strict=True):
        if starts:
            hidden = cell = np.zeros(core.output_size)
        i, f, g, o = np.split(w @ now + u @ hidden + b, 4)
        cell = sigmoid(f + 1) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
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


def test_a_forget_gate_without_input_lets_three_quarters_through():
    core = build(hidden=1, features=1)
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.zero_()
    one = torch.ones(1, 1, dtype=torch.double)
    _, state = core.step(one, LSTMState(one, one))
    assert state.cell.item() == pytest.approx(0.7310585786)  # sigmoid(1)


@pytest.mark.parametrize("starts", [[], [0], [6], [0, 19], [1, 2], list(range(20))])
def test_numbers_and_gradients_are_those_of_single_steps_wherever_episodes_open(starts):
    core = build()
    x = torch.randn(20, 4, 5, dtype=torch.double, requires_grad=True)
    reset = torch.zeros(20, 4, dtype=torch.bool)
    reset[starts, 2] = True
    start = LSTMState(torch.randn(4, 6).double(), torch.randn(4, 6).double())
    start = map_state(lambda leaf: leaf.requires_grad_(), start)
    weights = torch.randn(22, 4, 6, dtype=torch.double)
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
    core = LSTM(5, 32)
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


def test_the_constant_forget_bias_is_no_weight():
    core = LSTM(5, 6)
    assert set(core.state_dict()) == {"input_weight", "hidden_weight", "bias"}
    assert core.bias.eq(0).all()


def test_each_layer_sees_the_input_beside_the_layer_below_and_all_are_shown():
    torch.manual_seed(5)
    core = StackedLSTM(5, 4, layers=3).double()
    x = torch.randn(9, 2, 5, dtype=torch.double)
    reset = torch.rand(9, 2) < 0.3
    outputs, state = core(x, core.initial_state(2), reset)
    for b in range(2):
        below, expected = x[:, b].numpy(), []
        for layer in core.layers:
            expected.append(oracle(layer, below, reset[:, b]))
            below = np.concatenate([x[:, b].numpy(), expected[-1]], axis=1)
        np.testing.assert_allclose(
            outputs[:, b].detach(), np.concatenate(expected, axis=1), atol=1e-12
        )
    torch.testing.assert_close(state.hidden.flatten(1), outputs[-1])


def test_a_core_without_units_is_refused():
    with pytest.raises(ValueError, match="hidden=0: must be at least 1"):
        LSTMConfig(hidden=0).build((5,))
    with pytest.raises(ValueError, match="layers=0: must be at least 1"):
        LSTMConfig(layers=0).build((5,))
