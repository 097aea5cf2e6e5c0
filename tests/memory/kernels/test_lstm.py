"""The kernels of the LSTM, in Triton's interpreter, against plain code in double precision."""

import pytest
import torch

from memory.cores.lstm import LSTMState
from memory.fused.held import weights_held
from memory.kernels import lstm
from memory.layers.lstm_unroll import unroll_lstm
from tests.memory.fused.cells import TOLERANCE, assert_as_plain, build_lstm, draw

pytestmark = pytest.mark.usefixtures("interpreter")
SIZES = {
    "many units": (7, 33, 5, 3),
    "many elements": (3, 5, 6, 17),
    "one element": (5, 20, 7, 1),
    "one of everything": (1, 1, 5, 1),
}
"""Features, hidden units, steps, batch; a program has 16 units of 16 elements, and multiplies 32
numbers at a time."""


@pytest.fixture(autouse=True)
def no_other_code(monkeypatch):
    """Lets only kernels and plain code compute."""
    monkeypatch.setattr("memory.cores.lstm.why_not", lambda *_: "not tested here")


@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_states_and_every_gradient_are_those_of_plain_code(sizes):
    features, hidden, steps, batch = SIZES[sizes]
    core = build_lstm(features, hidden, fused="triton")
    assert_as_plain(core, draw(core, steps, batch))


def test_programs_of_more_elements_compute_the_same(monkeypatch):
    monkeypatch.setattr(lstm, "MULTIPROCESSORS", 1)
    assert lstm._Launch(torch.zeros(65, 5), None).sizes["ROWS"] == 64
    core = build_lstm(3, 5, fused="triton")
    assert_as_plain(core, draw(core, 5, 65))


def test_an_unroll_without_resets_is_the_plain_one():
    torch.manual_seed(3)
    given = [torch.randn(shape) for shape in ((5, 3, 24), (24, 6), (3, 6), (3, 6))]
    leaves = [tensor.requires_grad_() for tensor in given]
    for ours, plain in zip(
        _with_gradients(lstm.unroll_lstm, leaves),
        _with_gradients(unroll_lstm, leaves),
        strict=True,
    ):
        torch.testing.assert_close(ours, plain, rtol=0, atol=TOLERANCE)


def _with_gradients(unroll, leaves):
    results = unroll(*leaves, None)
    weights = [torch.linspace(-1, 1, y.numel()).view_as(y) for y in results]
    return [*results, *torch.autograd.grad(results, leaves, weights)]


def test_what_is_not_finite_stays_so_until_a_reset_and_no_longer():
    core = build_lstm(4, 6, fused="triton")
    inputs, state, reset = draw(core, 6, 3)
    reset[:] = False
    reset[4, 1] = True
    with torch.no_grad():
        expected, _ = core(inputs, state, reset)
        inputs[2, 1] = torch.nan
        outputs, _ = core(inputs, state, reset)
    assert outputs[2:4, 1].isnan().all()
    outputs[2:4, 1] = expected[2:4, 1]
    assert torch.equal(outputs, expected)


def test_a_step_with_held_weights_is_that_of_an_unroll():
    core = build_lstm(4, 6, fused="triton")
    inputs, state, reset = draw(core, 2, 3)
    with torch.no_grad(), weights_held(core):
        outputs, _ = core(inputs, state, reset)
        for t in range(2):
            output, state = core.step_from(inputs[t], state, reset[t])
            torch.testing.assert_close(output, outputs[t])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda core, x, s, r: (core.double(), x, s, r), "torch.float64 on cpu"),
        (lambda core, x, s, r: (core, x[:, 1:], s, r), "do not go together"),
        (lambda core, x, s, r: (core, x, s, r.int()), "do not go together"),
        (lambda core, *given: (watch(core), *given), "a hook watches"),
    ],
)
def test_what_kernels_cannot_do_is_left_to_plain_code(change, reason):
    core = build_lstm(fused="triton")
    core, inputs, (hidden, cell), reset = change(core, *draw(core))
    assert reason in str(lstm.why_not(core, inputs, hidden, cell, reset))
    assert core.why_plain(inputs, LSTMState(hidden, cell), reset) == "not tested here"


def watch(core):
    core.gates.register_forward_hook(lambda *_: None)
    return core


def test_weights_changed_between_forward_and_backward_are_refused():
    core = build_lstm(4, 6, fused="triton")
    outputs, _ = core(*draw(core, 3, 2))
    with torch.no_grad():
        core.hidden_weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()
