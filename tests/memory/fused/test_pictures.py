"""The compiled convolutions of pictures against those of PyTorch in double precision."""

import copy
from itertools import pairwise
from typing import cast

import pytest
import torch
from torch import nn
from torch.nn import functional

from memory.fused import pictures
from memory.fused.held import Held
from memory.fused.pictures import convolve, why_not

CODE = pictures
TOLERANCE = 1e-5
"""Of the largest entry of a tensor."""
SIZES = {
    "papers": (2, (5, 5), (3, 12, 24), 37),
    "one layer": (2, (7, 4), (1, 5), 9),
    "three layers, wide": (2, (6, 6), (4, 20, 33, 7), 30),
    "odd kernel": (3, (4, 5), (3, 6, 5), 11),
    "large picture": (2, (19, 21), (3, 12, 24), 3),
    "one place": (2, (1, 1), (3, 4, 5), 2),
}
"""Kernel, height and width, channels, pictures."""


class Convolutions(nn.Module):
    """Layers with something to convolve."""

    def __init__(self, kernel=2, places=(5, 5), channels=(3, 12, 24), count=37) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, kernel) for a, b in pairwise(channels))
        self.kernel, self.held = kernel, Held()
        self.pictures = torch.randint(256, (count, *places, channels[0]), dtype=torch.uint8)
        self.planes, self.numbers = torch.randn(2, *places), torch.randn(count, 3)
        self.names = [name for name, _ in self.named_parameters()]

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        return cast("list[nn.Conv2d]", list(self.layers))

    def compiled(self, low=3.0, span=100.0):
        beside = self.planes, self.numbers[: len(self.pictures)]
        return convolve(self.held, self.convolutions, self.pictures, *beside, low, span)

    def plain(self, low=3.0, span=100.0):
        before = (self.kernel - 1) // 2
        after = self.kernel - 1 - before
        x = (self.pictures.movedim(-1, 1).to(self.planes.dtype) - low) / span
        for layer in self.layers:
            x = functional.relu(layer(functional.pad(x, (before, after) * 2)))
        planes = self.planes.expand(len(x), -1, -1, -1)
        return torch.cat([x.flatten(1), planes.flatten(1), self.numbers], dim=1)

    def why_not(self):
        return why_not(self, self.held, self.names, self.convolutions, self.pictures)


def with_gradients(module, features):
    generator = torch.Generator().manual_seed(5)
    uneven = (features * torch.randn(features.shape, generator=generator).to(features)).sum()
    return [features, *torch.autograd.grad(uneven, [*module.parameters()])]


def differ(*sizes):
    ours = Convolutions(*sizes)
    exact = copy.deepcopy(ours).double()
    exact.planes, exact.numbers = exact.planes.double(), exact.numbers.double()
    assert ours.why_not() is None
    both = with_gradients(ours, ours.compiled()), with_gradients(exact, exact.plain())
    for one, other in zip(*both, strict=True):
        assert (one - other).abs().max() < TOLERANCE * other.abs().max()


@pytest.mark.parametrize("sizes", SIZES)
def test_features_and_every_gradient_are_those_of_pytorch(sizes):
    differ(*SIZES[sizes])


def test_they_are_with_several_threads(threads):
    threads(3)
    differ(2, (5, 5), (3, 12, 24), 700)


def test_no_number_of_pictures_nor_threads_changes_a_bit(threads):
    module = Convolutions(count=700)
    whole = module.compiled()
    threads(3)
    assert torch.equal(module.compiled(), whole)
    module.pictures, module.numbers = module.pictures[41:52], module.numbers[41:52]
    assert torch.equal(module.compiled(), whole[41:52])


def test_weights_that_change_are_seen_once_they_are_not_held():
    module = Convolutions()
    before = module.compiled()
    with torch.no_grad():
        module.held.begin()
        assert torch.equal(module.compiled(), before)
        module.convolutions[0].weight.mul_(2)
        assert torch.equal(module.compiled(), before)
        module.held.end()
        assert not torch.equal(module.compiled(), before)


def test_held_weights_have_the_gradients_of_others():
    module = Convolutions()
    expected = with_gradients(module, module.compiled())
    module.held.begin()
    with torch.no_grad():
        module.compiled()
    ours = with_gradients(module, module.compiled())
    assert all(map(torch.equal, ours, expected))


def test_strides_of_gradients_do_not_matter():
    module = Convolutions()
    features = module.compiled()
    gradient = torch.randn_like(features)
    turned = gradient.transpose(0, 1).contiguous().transpose(0, 1)
    first = torch.autograd.grad(features, [*module.parameters()], gradient, retain_graph=True)
    second = torch.autograd.grad(features, [*module.parameters()], turned)
    assert all(map(torch.equal, first, second))


def test_what_is_not_finite_stays_so():
    module = Convolutions()
    with torch.no_grad():
        module.convolutions[0].bias[2] = torch.nan  # type: ignore[reportOptionalSubscript]
    features = module.compiled()
    maps = 24 * 25
    assert features[:, :maps].isnan().all() and features[:, maps:].isfinite().all()


def test_what_compiled_code_cannot_do_is_left_to_plain_code(monkeypatch):
    module = Convolutions()
    seen = module.pictures
    module.pictures = seen.float()
    assert module.why_not() == "torch.float32 on cpu"
    module.pictures = seen[:0]
    assert module.why_not() == "there are no pictures, or too many layers"
    module.pictures = seen
    hook = module.layers[0].register_forward_hook(lambda *_: None)
    assert module.why_not() == "a hook watches a part of it"
    hook.remove()
    monkeypatch.setattr(pictures.code, "library", "no C++ compiler")
    assert module.why_not() == "no C++ compiler"
