"""Heads of many classes: the exact softmax in pieces, and the adaptive one."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from memory.supervised.tasks.language_model import tied_head
from memory.supervised.tasks.language_model.adaptive_head import NONE, AdaptiveHead
from memory.supervised.tasks.language_model.tied_head import TiedHead


def tied(width=6, dropout=0.0, dtype=torch.double):
    torch.manual_seed(1)
    head = TiedHead(width, (), nn.Embedding(30, 5), dropout)
    nn.init.normal_(head.bias)
    return head.to(dtype)


def gradients_of(loss, module, *inputs):
    return torch.autograd.grad(loss, [*module.parameters(), *inputs])


def test_losses_and_gradients_in_pieces_are_those_of_the_whole(monkeypatch):
    monkeypatch.setattr(tied_head, "LOGITS_AT_ONCE", 4 * 30)  # 4 steps; 11 are no multiple
    head = tied(dtype=torch.float32)
    hidden = torch.randn(11, 6, requires_grad=True)
    targets, weights = torch.randint(30, (11,)), torch.rand(11)
    losses, guesses = head.answer(hidden, targets)
    logits = head(hidden)
    whole = functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(losses, whole)
    assert guesses.equal(logits.argmax(1))
    ours = gradients_of((losses * weights).sum(), head, hidden)
    for one, other in zip(ours, gradients_of((whole * weights).sum(), head, hidden), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_logits_of_all_steps_are_never_held_at_once(monkeypatch):
    monkeypatch.setattr(tied_head, "LOGITS_AT_ONCE", 3 * 30)
    rows = []
    linear = functional.linear

    def watched(inputs, weight, bias=None):
        rows.append((len(inputs), len(weight)))
        return linear(inputs, weight, bias)

    monkeypatch.setattr(tied_head.functional, "linear", watched)
    head = tied(width=5, dtype=torch.float32)
    head.answer(torch.randn(10, 5), torch.zeros(10, dtype=torch.long))[0].sum().backward()
    assert max(steps for steps, classes in rows if classes == 30) == 3
    assert sum(steps for steps, _ in rows) == 2 * 10  # forward, and again on the way back


def test_half_precision_comes_close():
    head = tied(width=5, dtype=torch.float32)
    hidden, targets = torch.randn(9, 5), torch.randint(30, (9,))
    exact = head.answer(hidden, targets).losses
    with torch.autocast("cpu", torch.bfloat16):
        losses = head.answer(hidden, targets).losses
    losses.sum().backward()
    assert losses.dtype == torch.float32 and not losses.equal(exact)
    torch.testing.assert_close(losses, exact, rtol=0.02, atol=0.1)


def test_weights_are_shared_and_a_core_of_the_same_width_is_not_projected():
    embedding = nn.Embedding(30, 5)
    head = TiedHead(5, (), embedding, 0.0)
    assert head.weight is embedding.weight
    assert [name for name, _ in head.named_parameters()] == ["weight", "bias"]
    assert TiedHead(8, (7,), embedding, 0.0)(torch.randn(2, 8)).shape == (2, 30)


def adaptive():
    torch.manual_seed(2)
    return AdaptiveHead(6, (), 8, 30, (4, 12), 0.0)


def test_the_adaptive_softmax_agrees_with_the_library_and_sums_to_one():
    head = adaptive()
    hidden = torch.randn(40, 6, requires_grad=True)
    targets = torch.arange(40) % 30
    losses, _ = head.answer(hidden, targets)
    theirs = -head.softmax(head.project(hidden), targets).output
    torch.testing.assert_close(losses, theirs)
    torch.testing.assert_close(head(hidden).exp().sum(1), torch.ones(40))
    torch.testing.assert_close(losses, -head(hidden).gather(1, targets[:, None]).squeeze(1))
    ours = gradients_of(losses.mean(), head, hidden)
    for one, other in zip(ours, gradients_of(theirs.mean(), head, hidden), strict=True):
        torch.testing.assert_close(one, other)


def test_an_adaptive_softmax_in_pieces_is_that_of_the_whole():
    head = adaptive()
    hidden = torch.randn(40, 6, requires_grad=True)
    targets = torch.arange(40) % 30
    whole = head.answer(hidden, targets)
    head.rows_at_once = 7
    pieces = head.answer(hidden, targets)
    torch.testing.assert_close(pieces, whole)
    theirs = gradients_of(whole.losses.mean(), head, hidden)
    for one, other in zip(gradients_of(pieces.losses.mean(), head, hidden), theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_only_frequent_classes_are_guessed():
    head = adaptive()
    hidden = torch.randn(60, 6)
    guesses = head.answer(hidden, torch.zeros(60, dtype=torch.long)).guesses
    likeliest = head(hidden).argmax(1)
    assert guesses.max() < 4 and (guesses == NONE).any() and (guesses >= 0).any()
    assert guesses[guesses >= 0].equal(likeliest[guesses >= 0])


def test_a_batch_of_frequent_words_only_has_a_gradient():
    head = adaptive()
    head.answer(torch.randn(3, 6), torch.tensor([0, 1, 3])).losses.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize("make", [tied, adaptive])
def test_dropout_is_for_training_only(make):
    head = make()
    head.dropout.p = 0.5
    hidden = torch.ones(5, 6, dtype=next(head.parameters()).dtype)
    head.eval()
    assert head(hidden).equal(head(hidden))
    head.train()
    assert not head(hidden).equal(head(hidden))
