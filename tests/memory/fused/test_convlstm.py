"""The compiled sequence of the convolutional LSTM against the plain one in double precision."""

import pytest
import torch

from memory.fused import convlstm
from memory.inspect import inspect
from tests.memory.fused.cells import assert_as_plain, build_convlstm, draw, everything

CODE = convlstm
SIZES = {
    "papers": ((2, 32, 64), (5, 5), (4, 12)),
    "odd": ((3, 7, 11), (4, 6), (9, 11)),
    "one unit": ((2, 1, 1), (3, 3), (8, 9)),
    "one place": ((2, 5, 6), (1, 1), (20, 9)),
    "kernel of one place": ((1, 5, 6), (2, 3), (6, 9)),
    "kernel larger than the map": ((5, 2, 9), (3, 2), (5, 50)),
    "many tiles": ((3, 3, 4), (6, 7), (3, 40)),
    "map larger than a tile": ((2, 3, 4), (17, 19), (2, 3)),
}
"""Kernel, features, channels; height, width of a map; steps, batch."""


@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_states_and_every_gradient_are_those_of_plain_code(sizes):
    sizes, places, times = SIZES[sizes]
    core = build_convlstm(*sizes, places=places)
    assert_as_plain(core, draw(core, *times))


@pytest.mark.parametrize("batch", [16, 33, 150])
def test_they_are_with_several_threads(batch, threads):
    threads(3)
    core = build_convlstm(2, 3, 4)
    assert_as_plain(core, draw(core, 4, batch))


def test_in_halves_they_are_nearly_those(halves):
    for sizes, places, times in SIZES.values():
        core = build_convlstm(*sizes, places=places)
        coarse = build_convlstm(*sizes, places=places, fused="bf16")
        given = draw(core, *times)
        exact, nearly = everything(core, given), everything(coarse, given)
        for name, value in exact.items():
            assert 0 < (nearly[name] - value).norm() < 0.1 * value.norm(), name


def test_maps_in_channels_last_give_the_same_bits():
    core = build_convlstm()
    given = draw(core)
    expected = everything(core, given)
    last = [leaf.to(memory_format=torch.channels_last) for leaf in given.state]
    ours = everything(core, given._replace(state=type(given.state)(*last)))
    assert all(torch.equal(ours[name], value) for name, value in expected.items())


def test_weights_changed_between_forward_and_backward_do_not_change_gradients():
    core = build_convlstm()
    given = draw(core)
    expected = torch.autograd.grad(core(*given)[0].sum(), [*core.parameters()])
    outputs, _ = core(*given)
    with torch.no_grad():
        core.hidden_weight.add_(1)
    ours = torch.autograd.grad(outputs.sum(), [*core.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))


def test_maps_of_another_width_are_left_to_plain_code():
    core = build_convlstm()
    inputs, state, reset = draw(core)
    assert "do not go together" in str(core.why_plain(inputs[..., 1:], state, reset))


def test_gates_that_are_watched_are_those_of_plain_code():
    core = build_convlstm()
    inputs, state, _ = draw(core, 6, 12)
    assert inspect(core, inputs, state).observed["gates"].shape == (6, 12, 3, 12, 4, 5)
