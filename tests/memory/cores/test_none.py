"""The baseline without memory against its formula."""

import numpy as np
import pytest
import torch

from memory import NoMemoryConfig


def build(**options):
    torch.manual_seed(5)
    core = NoMemoryConfig(**{"hidden": 6, **options}).build((5,)).double()
    with torch.no_grad():
        core.layer.bias.add_(torch.randn(6))
    return core


def test_every_step_is_one_rectified_layer_whatever_came_before():
    core = build()
    x = torch.randn(7, 3, 5, dtype=torch.double)
    outputs, _ = core(x, core.initial_state(3), torch.rand(7, 3) < 0.3)
    weight, bias = core.layer.weight.detach().numpy(), core.layer.bias.detach().numpy()
    expected = np.maximum(x.numpy() @ weight.T + bias, 0)
    np.testing.assert_allclose(outputs.detach(), expected, atol=1e-12)
    moved = x.flip(0)
    torch.testing.assert_close(core(moved, core.initial_state(3))[0].flip(0), outputs)


def test_the_state_is_empty():
    assert build().initial_state(4).shape == (4, 0)


def test_under_autocast_it_computes_nearly_the_same():
    core = NoMemoryConfig(hidden=32).build((5,))
    x = torch.randn(6, 3, 5)
    expected, _ = core(x, core.initial_state(3))
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = core(x, core.initial_state(3))
        outputs.sum().backward()
    torch.testing.assert_close(outputs.float(), expected, atol=0.02, rtol=0.02)


def test_parameters_are_as_many_as_the_formula_has():
    core = NoMemoryConfig(hidden=32).build((10,))
    assert sum(p.numel() for p in core.parameters()) == 10 * 32 + 32


def test_a_core_of_nothing_is_refused():
    with pytest.raises(ValueError, match="hidden=0: must be at least 1"):
        build(hidden=0)
