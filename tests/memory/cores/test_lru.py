"""The linear recurrent unit against its formulas; its decays, and what lasts."""

import math

import numpy as np
import pytest
import torch

from memory import LRUConfig
from memory.core import Core
from memory.layers.linear_recurrence import recur_in_parallel, recur_in_turn
from tests.present import present


def build(**options):
    torch.manual_seed(5)
    core = LRUConfig(**{"hidden": 6, "units": 4, "layers": 2, **options}).build((5,)).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return core


def oracle(core, x, reset, start):
    """One element of a batch, [T, F], step by step from the formulas; outputs and last state."""
    p = {name: value.numpy() for name, value in core.state_dict().items()}
    hidden, outputs = start[:, 0] + 1j * start[:, 1], []

    def norm(name, y):
        unit = (y - y.mean()) / np.sqrt(y.var() + 1e-5)
        return unit * p[f"{name}.weight"] + p[f"{name}.bias"]

    for now, starts in zip(x, reset, strict=True):
        hidden = np.zeros_like(hidden) if starts else hidden.copy()
        y = p["embed.weight"] @ now + p["embed.bias"]
        for layer in range(len(hidden)):
            own = {
                name.removeprefix(f"layers.{layer}."): value
                for name, value in p.items()
                if name.startswith(f"layers.{layer}.")
            }
            units = hidden.shape[1]
            decay = np.exp(-np.exp(own["log_decay"]) + 1j * np.exp(own["log_phase"]))
            b = own["write.weight"][:units] + 1j * own["write.weight"][units:]
            c = own["read.weight"][:, :units] - 1j * own["read.weight"][:, units:]
            u = norm(f"layers.{layer}.norm", y)
            hidden[layer] = decay * hidden[layer] + np.exp(own["log_scale"]) * (b @ u)
            shown = (c @ hidden[layer]).real + own["skip"] * u
            shown = shown * np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in shown])
            value, gate = np.split(own["glu.weight"] @ shown + own["glu.bias"], 2)
            y = y + value / (1 + np.exp(-gate))
        outputs.append(norm("norm", y))
    return np.stack(outputs), np.stack([hidden.real, hidden.imag], axis=1)


@pytest.mark.parametrize("layers", [1, 3])
def test_every_step_follows_the_formulas(layers):
    core = build(layers=layers)
    x = torch.randn(11, 3, 5, dtype=torch.double)
    reset = torch.rand(11, 3) < 0.2
    start = torch.randn(3, layers, 2, 4, dtype=torch.double)
    outputs, end = core(x, start, reset)
    for b in range(3):
        expected = oracle(core, x[:, b].numpy(), reset[:, b], start[b].numpy())
        np.testing.assert_allclose(outputs[:, b].detach(), expected[0], atol=1e-9)
        np.testing.assert_allclose(end[b].detach(), expected[1], atol=1e-9)


@pytest.mark.parametrize("length", [1, 2, 7, 16, 40])
def test_the_parallel_recurrence_is_the_one_in_turn_for_complex_numbers(length):
    decays = torch.polar(*torch.rand(2, length, 2, 3, dtype=torch.double))
    decays[torch.rand(length, 2, 3) < 0.2] = 0
    inputs = torch.randn(length, 2, 3, dtype=torch.cdouble)
    state = torch.randn(2, 3, dtype=torch.cdouble)
    given = [tensor.requires_grad_() for tensor in (decays, inputs, state)]
    weights = torch.randn(length, 2, 3, dtype=torch.double)
    results = [way(*given) for way in (recur_in_turn, recur_in_parallel)]
    torch.testing.assert_close(*results)
    gradients = [torch.autograd.grad((r.abs() * weights).sum(), given) for r in results]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_are_those_of_finite_differences():
    core = build(hidden=3, units=2)
    x = torch.randn(4, 2, 5, dtype=torch.double, requires_grad=True)
    start = torch.randn(2, 2, 2, 2, dtype=torch.double, requires_grad=True)
    reset = torch.zeros(4, 2, dtype=torch.bool)
    reset[2, 1] = True
    layer = core.layers[0]
    named = (layer.log_decay, layer.log_phase, layer.log_scale, layer.skip)
    assert torch.autograd.gradcheck(lambda *given: core(given[0], given[1], reset), (x, start))
    assert torch.autograd.gradcheck(lambda *_: core(x.detach(), start.detach(), reset), named)


def test_decays_begin_on_the_ring_that_was_asked_for():
    torch.manual_seed(0)
    core = LRUConfig(units=4000, min_radius=0.5, max_radius=0.8, max_phase=1.0).build((5,))
    decay = core.layers[0].decay().detach()
    assert 0.5 <= decay.abs().min() < 0.51 and 0.79 < decay.abs().max() <= 0.8 + 1e-6
    assert 0 < decay.angle().min() < 0.01 and 0.99 < decay.angle().max() <= 1 + 1e-6
    inside = (decay.abs() < math.sqrt((0.5**2 + 0.8**2) / 2)).float().mean()
    assert 0.46 < inside < 0.54  # half of the area of the ring
    scale = core.layers[0].log_scale.exp()
    torch.testing.assert_close(scale, (1 - decay.abs() ** 2).sqrt(), rtol=1e-4, atol=1e-5)


def test_whatever_is_learnt_the_state_does_not_grow_without_bound():
    core = LRUConfig(hidden=8, units=8).build((5,))
    with torch.no_grad():
        for layer in core.layers:
            for parameter in (layer.log_decay, layer.log_phase):
                parameter.copy_(20 * torch.randn_like(parameter))
    outputs, state = core(torch.randn(300, 2, 5), core.initial_state(2))
    assert outputs.isfinite().all() and state.abs().max() < 1e4


def test_an_episode_that_begins_forgets_even_what_is_not_a_number():
    core = build()
    x = torch.randn(9, 2, 5, dtype=torch.double)
    reset = torch.zeros(9, 2, dtype=torch.bool)
    reset[[0, 4], 1] = True
    start = core.initial_state(2)
    start[1] = torch.nan
    outputs, _ = core(x, start, reset)
    outputs.sum().backward()
    assert outputs.isfinite().all()
    assert all(present(parameter.grad).isfinite().all() for parameter in core.parameters())


def test_under_autocast_it_computes_nearly_the_same_and_keeps_a_float32_state():
    core = LRUConfig(hidden=32, units=16).build((5,))
    x, reset = torch.randn(6, 3, 5), torch.zeros(6, 3, dtype=torch.bool)
    reset[2, 1] = True
    expected, _ = core(x, core.initial_state(3), reset)
    for unroll in (core.forward, lambda *given: Core.forward(core, *given)):
        with torch.autocast("cpu", torch.bfloat16):
            outputs, state = unroll(x, core.initial_state(3), reset)
            outputs.sum().backward()
        assert state.dtype == torch.float32
        torch.testing.assert_close(outputs.float(), expected, atol=0.05, rtol=0.05)


def test_parameters_are_as_many_as_the_formulas_have():
    d, n, f = 32, 12, 10
    core = LRUConfig(hidden=d, units=n, layers=3).build((f,))
    layer = 3 * n + 2 * (2 * n * d) + d + 2 * d + 2 * d * d + 2 * d
    assert sum(p.numel() for p in core.parameters()) == f * d + d + 3 * layer + 2 * d


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "hidden=0: must be at least 1"),
        ({"units": 0}, "units=0: must be at least 1"),
        ({"layers": 0}, "layers=0: must be at least 1"),
        ({"max_radius": 1.0}, "max_radius=1.0: expected 0 <= min_radius < max_radius < 1"),
        ({"min_radius": 0.9, "max_radius": 0.5}, "min_radius=0.9, max_radius=0.5: expected 0 <="),
        ({"min_radius": -0.1}, "min_radius=-0.1, max_radius=0.999: expected"),
        ({"max_phase": 0.0}, "max_phase=0.0: must be above 0 and at most 2 pi = 6.2832"),
        ({"max_phase": 7.0}, "max_phase=7.0: must be above 0"),
    ],
)
def test_options_that_make_no_unit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LRUConfig(**options).build((5,))
