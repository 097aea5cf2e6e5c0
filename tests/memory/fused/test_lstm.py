"""The compiled sequence of the LSTM against the plain one in double precision."""

import copy

import pytest
import torch

from memory import StackedLSTM
from memory.fused import lstm
from memory.fused.held import weights_held
from tests.memory.fused.cells import TOLERANCE, assert_as_plain, build_lstm, draw, everything

CODE = lstm
SIZES = {
    "round": (16, 32, 10, 20),
    "odd": (7, 33, 9, 11),
    "one unit": (1, 1, 8, 9),
    "one element": (5, 20, 70, 1),
    "many chunks and tiles": (17, 18, 5, 150),
    "long": (19, 33, 30, 10),
}
"""Features, hidden units, steps, batch."""


@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_states_and_every_gradient_are_those_of_plain_code(sizes):
    features, hidden, steps, batch = SIZES[sizes]
    core = build_lstm(features, hidden)
    assert_as_plain(core, draw(core, steps, batch))


@pytest.mark.parametrize("constants", [range(3), range(4, 9), range(7, 10), range(10)])
@pytest.mark.parametrize("batch", [20, 150])
def test_constants_of_the_inputs_change_nothing_but_their_gradient(constants, batch):
    core = build_lstm()
    given = draw(core, batch=batch)
    given.inputs[..., constants] = torch.randn(len(constants))
    expected = everything(core, given)
    core.constants = constants
    ours = everything(core, given)
    expected["inputs"][..., constants] = 0
    for name, value in expected.items():
        error = (ours[name] - value).abs().max() / value.abs().max().clamp(min=1e-6)
        assert error < TOLERANCE, f"{name}: {error:.1e}"


def test_constants_that_are_not_are_refused():
    core = build_lstm()
    core.constants = range(4, 9)
    with pytest.raises(ValueError, match="numbers 4 to 9 of the inputs are not constant"):
        core(*draw(core))


@pytest.mark.parametrize("batch", [16, 33, 150])
def test_they_are_with_several_threads(batch, threads):
    threads(3)
    core = build_lstm(10, 20)
    assert_as_plain(core, draw(core, 6, batch))


def test_in_halves_they_are_nearly_those(halves):
    for features, hidden, steps, batch in SIZES.values():
        core, coarse = build_lstm(features, hidden), build_lstm(features, hidden, fused="bf16")
        given = draw(core, steps, batch)
        exact, nearly = everything(core, given), everything(coarse, given)
        for name, value in exact.items():
            assert 0 < (nearly[name] - value).norm() < 0.1 * value.norm(), name


def test_in_halves_sequences_without_episodes_are_compiled_too(halves):
    core, coarse = build_lstm(), build_lstm(fused="bf16")
    inputs, state, _ = draw(core)
    apart = (core(inputs, state)[0] - coarse(inputs, state)[0]).norm()
    assert 0 < apart < 0.02 * core(inputs, state)[0].norm()


def test_weights_changed_between_forward_and_backward_are_refused():
    core = build_lstm()
    outputs, _ = core(*draw(core))
    with torch.no_grad():
        core.hidden_weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()


def test_layers_compute_in_the_way_they_are_asked_to():
    core = StackedLSTM(5, 8, layers=2, fused="never")
    assert [layer.fused for layer in core.layers] == ["never", "never"]


def test_steps_with_held_weights_are_in_halves_where_those_are_asked_for(halves):
    core = build_lstm(fused="bf16")
    inputs, state, _ = draw(core)
    with torch.no_grad(), weights_held(core):
        assert torch.equal(core.step(inputs[0], state)[0], core(inputs, state)[0][0])


def test_weights_are_let_go_when_something_fails_and_in_a_copy():
    core = build_lstm()
    with pytest.raises(ValueError, match="halt"), weights_held(core):
        assert core.held.open and not copy.deepcopy(core).held.open
        raise ValueError("halt")
    assert not core.held.open
