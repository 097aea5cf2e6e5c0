"""Relational memory cores, small, and what goes into and out of them."""

import copy

import torch

from memory import RMCConfig

TOLERANCE = 2e-5
"""Of the largest entry of a tensor. Plain float32 itself differs from double by up to 1e-5."""


def build(shape=(10,), **options):
    torch.manual_seed(3)
    core = RMCConfig(**{"slots": 4, "heads": 2, "units": 64, **options}).build(shape)
    with torch.no_grad():  # the norms and biases too
        for parameter in core.parameters():
            spread = parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 1
            parameter.add_(0.3 * spread * torch.randn_like(parameter))
    return core


def draw(core, shape, steps=6, batch=5):
    inputs = torch.randn(steps, batch, *shape)
    state = torch.randn(batch, core.slots, core.width)
    return inputs, state, torch.rand(steps, batch) < 0.2


def everything(core, inputs, state, reset):
    """Outputs, last state, and the gradients of all that goes in; of an uneven sum of both."""
    inputs, state = inputs.clone().requires_grad_(), state.clone().requires_grad_()
    outputs, final = core(inputs, state, reset)
    generator = torch.Generator().manual_seed(5)
    told = (outputs, final)
    uneven = [(y * torch.randn(y.shape, generator=generator).to(y)).sum() for y in told]
    sources = {"inputs": inputs, "state": state, **dict(core.named_parameters())}
    gradients = torch.autograd.grad(torch.stack(uneven).sum(), [*sources.values()])
    return {"outputs": outputs, "final": final, **dict(zip(sources, gradients, strict=True))}


def assert_close(ours, exact, tolerance=TOLERANCE):
    for name, value in exact.items():
        largest = value.abs().max().clamp(min=1e-6)
        error = (ours[name].double() - value).abs().max() / largest
        assert error < tolerance, f"{name}: {error:.1e}"


def differ(shape, options, steps, batch):
    core = build(shape, **options)
    inputs, state, reset = draw(core, shape, steps, batch)
    assert core.why_plain(inputs, state, reset) is None
    exact = everything(copy.deepcopy(core).double(), inputs.double(), state.double(), reset)
    assert_close(everything(core, inputs, state, reset), exact)
