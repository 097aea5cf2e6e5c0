"""The network over pairs of rows against two plain loops."""

import numpy as np
import pytest
import torch

from memory.cores.buffered.pairs import Pairs

B, N, D, U = 2, 4, 3, 5


def build(layers=3):
    torch.manual_seed(8)
    pairs = Pairs(D, layers, U).double()
    with torch.no_grad():  # the biases too, or the oracle would not see them
        for parameter in pairs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    rows, question = torch.randn(B, N, D).double(), torch.randn(B, D).double()
    return pairs, rows, question


def g(pairs, x):
    """The layers applied to rows, questions and all in one long vector."""
    for layer in [pairs.first, *(m for m in pairs.rest if isinstance(m, torch.nn.Linear))]:
        x = np.maximum(layer.weight.detach().numpy() @ x + layer.bias.detach().numpy(), 0)
    return x


@pytest.mark.parametrize("layers", [1, 2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_all_ordered_pairs_are_summed_those_with_itself_too(layers, weighted):
    pairs, rows, question = build(layers)
    weights = torch.randn(B, N, N).double() if weighted else None
    result = pairs(rows, question, weights).detach()
    for b in range(B):
        total = np.zeros(U)
        for i in range(N):
            for j in range(N):
                related = g(pairs, np.concatenate([rows[b, i], rows[b, j], question[b]]))
                total += related if weights is None else weights[b, i, j].item() * related
        np.testing.assert_allclose(result[b], total, atol=1e-12)


def test_the_order_of_the_rows_does_not_matter_but_that_within_a_pair_does():
    pairs, rows, question = build()
    plain = pairs(rows, question)
    torch.testing.assert_close(pairs(rows[:, [2, 0, 3, 1]], question), plain)
    upper = torch.ones(B, N, N).double().triu(1)
    one, other = (pairs(rows, question, weights) for weights in (upper, upper.mT))
    assert not torch.allclose(one, other)


def test_a_pair_without_weight_has_no_influence_and_no_gradient():
    pairs, rows, question = build()
    there = torch.tensor([1.0, 1.0, 0.0, 1.0]).double()
    weights = there.outer(there).expand(B, N, N)
    rows.requires_grad_()
    result = pairs(rows, question, weights)
    torch.testing.assert_close(result, pairs(rows[:, [0, 1, 3]], question))
    (gradient,) = torch.autograd.grad(result.sum(), rows)
    assert gradient[:, 2].eq(0).all() and gradient[:, [0, 1, 3]].ne(0).all()


def test_what_each_pair_comes_to_can_be_watched():
    pairs, rows, question = build()
    seen = []
    pairs.related.register_forward_hook(lambda _, __, given: seen.append(given))
    total = pairs(rows, question)
    assert seen[0].shape == (B, N, N, U)
    torch.testing.assert_close(seen[0].sum((1, 2)), total)


def test_the_layers_are_those_of_a_network_over_two_rows_and_the_question():
    pairs, _, _ = build(layers=4)
    assert sum(p.numel() for p in pairs.parameters()) == (3 * D + 1) * U + 3 * (U + 1) * U
