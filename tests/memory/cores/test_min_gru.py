"""The minimal gated recurrent unit against its formulas, and the scan against the loop."""

import math

import numpy as np
import pytest
import torch

from memory import MinGRUConfig
from memory.layers.linear_recurrence import recur_in_parallel, recur_in_turn


def build(**options):
    torch.manual_seed(5)
    core = MinGRUConfig(**{"hidden": 6, "layers": 2, **options}).build((5,)).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return core


def oracle(core, x, reset):
    """One element of a batch, [T, F], step by step from the formulas; the outputs."""
    p = {name: value.numpy() for name, value in core.state_dict().items()}
    width = core.output_size

    def linear(name, y):
        return p[f"{name}.weight"] @ y + p[f"{name}.bias"]

    def norm(name, y):
        unit = (y - y.mean()) / np.sqrt(y.var() + 1e-5)
        return unit * p[f"{name}.weight"] + p[f"{name}.bias"]

    def gelu(y):
        return y * np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in y])

    hidden, outputs = np.zeros((len(core.layers), width)), []
    for now, starts in zip(x, reset, strict=True):
        hidden = np.zeros_like(hidden) if starts else hidden
        y = linear("embed", now)
        for layer in range(len(core.layers)):
            name = f"layers.{layer}"
            gate, candidate = np.split(linear(f"{name}.project", norm(f"{name}.norm", y)), 2)
            z = 1 / (1 + np.exp(-gate))
            hidden[layer] = (1 - z) * hidden[layer] + z * candidate
            y = y + hidden[layer]
            y = y + linear(
                f"{name}.mlp.2", gelu(linear(f"{name}.mlp.0", norm(f"{name}.mlp_norm", y)))
            )
        outputs.append(norm("norm", y))
    return np.stack(outputs)


@pytest.mark.parametrize("layers", [1, 3])
def test_every_step_follows_the_formulas(layers):
    core = build(layers=layers)
    x = torch.randn(11, 3, 5, dtype=torch.double)
    reset = torch.rand(11, 3) < 0.2
    outputs, _ = core(x, core.initial_state(3), reset)
    for b in range(3):
        expected = oracle(core, x[:, b].numpy(), reset[:, b])
        np.testing.assert_allclose(outputs[:, b].detach(), expected, atol=1e-9)


@pytest.mark.parametrize("length", [1, 2, 3, 8, 13, 40])
def test_the_parallel_recurrence_is_the_one_in_turn(length):
    decays = torch.rand(length, 2, 3, dtype=torch.double)
    decays[torch.rand(length, 2, 3) < 0.2] = 0
    inputs = torch.randn(length, 2, 3, dtype=torch.double)
    state = torch.randn(2, 3, dtype=torch.double)
    given = [tensor.requires_grad_() for tensor in (decays, inputs, state)]
    weights = torch.randn(length, 2, 3, dtype=torch.double)
    results = [way(*given) for way in (recur_in_turn, recur_in_parallel)]
    torch.testing.assert_close(*results)
    gradients = [torch.autograd.grad((result * weights).sum(), given) for result in results]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_the_recurrence_by_hand():
    one, two, three = (torch.full((1, 1), value) for value in (1.0, 2.0, 3.0))
    decays, inputs = torch.stack([two, three]), torch.stack([one, two])
    for way in (recur_in_turn, recur_in_parallel):
        assert way(decays, inputs, three).flatten().tolist() == [7, 23]  # 2*3+1, 3*7+2


def test_parameters_are_as_many_as_the_formulas_have():
    d, f = 32, 10
    core = MinGRUConfig(hidden=d, layers=3).build((f,))
    layer = 2 * d * d + 2 * d + 4 * d * d + 3 * d + 4 * d
    assert sum(p.numel() for p in core.parameters()) == f * d + d + 3 * layer + 2 * d


@pytest.mark.parametrize("option", ["hidden", "layers"])
def test_a_core_of_nothing_is_refused(option):
    with pytest.raises(ValueError, match=f"{option}=0: must be at least 1"):
        MinGRUConfig(**{option: 0}).build((5,))
