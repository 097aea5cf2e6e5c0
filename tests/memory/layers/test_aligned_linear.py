"""Linear layers whose features are rounded up."""

import pytest
import torch
from torch.nn import functional

from memory.layers.aligned_linear import aligned_linear


@pytest.mark.parametrize("features", [3, 16, 17, 655])
@pytest.mark.parametrize("biased", [True, False])
def test_numbers_and_gradients_are_those_of_a_linear_layer(features, biased):
    torch.manual_seed(0)
    given = [torch.randn(5, 2, features), torch.randn(8, features), torch.randn(8)][: 2 + biased]
    given = [tensor.double().requires_grad_() for tensor in given]
    bias = given[2] if biased else None
    results = []
    for layer in (aligned_linear, functional.linear):
        y = layer(given[0], given[1], bias)
        results.append([y, *torch.autograd.grad(y.square().sum(), given)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_rounding_happens_only_where_a_gradient_is_asked_for():
    x, weight = torch.randn(4, 17), torch.randn(8, 17, requires_grad=True)
    assert "Pad" in graph_of(aligned_linear(x, weight, None))
    with torch.no_grad():
        assert aligned_linear(x, weight, None).grad_fn is None


def graph_of(y):
    names, waiting = [], [y.grad_fn]
    while waiting:
        function = waiting.pop()
        names.append(function.name())
        waiting += [parent for parent, _ in function.next_functions if parent]
    return " ".join(names)
