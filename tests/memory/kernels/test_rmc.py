"""The kernels of the relational memory core, in Triton's interpreter, against plain code."""

import pickle

import pytest
import torch

from memory.kernels import rmc_unroll
from tests.memory.fused.memories import build, differ, draw, everything
from tests.present import present

pytestmark = pytest.mark.usefixtures("interpreter")
CASES = {
    "memory gate": ((10,), {}, 5, 2),
    "unit gate, rows, one layer, old scale": (
        (3, 5),
        {"input": "rows", "gate": "unit", "mlp_layers": 1, "scale": "qkv"},
        5,
        1,
    ),
    "no gate, odd sizes": (
        (7,),
        {"slots": 3, "heads": 3, "units": 99, "key_size": 5, "mlp_layers": 3, "gate": "none"},
        5,
        1,
    ),
    "one of everything": ((1,), {"slots": 1, "heads": 1, "units": 1, "input_bias": 0.7}, 5, 1),
}
"""Shape of an input, options, steps, batch."""


@pytest.fixture(autouse=True)
def no_other_code(monkeypatch):
    """Lets only kernels and plain code compute."""
    monkeypatch.setattr("memory.fused.rmc.FusedRMC.why_not", lambda *_: "not tested here")


@pytest.mark.parametrize("case", CASES)
def test_outputs_states_and_every_gradient_are_those_of_plain_code(case):
    shape, options, steps, batch = CASES[case]
    differ(shape, {**options, "fused": "triton"}, steps, batch)


def test_they_are_with_several_elements_a_program_and_several_tiles(monkeypatch):
    monkeypatch.setattr(rmc_unroll, "MULTIPROCESSORS", 1)
    monkeypatch.setattr(rmc_unroll, "TILE", 16)
    monkeypatch.setattr(rmc_unroll, "CHUNK", 16)
    monkeypatch.setattr(rmc_unroll, "MOST_QUERIES", 1)
    differ((10,), {"slots": 3, "units": 66, "gate": "unit", "fused": "triton"}, steps=3, batch=5)


def test_what_is_not_finite_stays_so_until_a_reset_and_no_longer(monkeypatch):
    monkeypatch.setattr(rmc_unroll, "MULTIPROCESSORS", 1)
    core = build(fused="triton")
    inputs, state, reset = draw(core, (10,), steps=5, batch=2)
    reset[:] = False
    reset[4, 1] = True
    with torch.no_grad():
        expected, _ = core(inputs, state, reset)
        inputs[3, 1] = torch.nan
        outputs, _ = core(inputs, state, reset)
    assert outputs[3, 1].isnan().all()
    outputs[3, 1] = expected[3, 1]
    assert torch.equal(outputs, expected)


def test_a_step_is_that_of_an_unroll():
    core = build(fused="triton")
    inputs, state, reset = draw(core, (10,), steps=1, batch=2)
    reset[0, 1] = True
    with torch.no_grad():
        outputs, final = core(inputs, state, reset)
        output, after = core.step_from(inputs[0], state, reset[0])
        assert torch.equal(output, outputs[0]) and torch.equal(after, final)
        output, _ = core.step(inputs[0], state)
        assert torch.equal(output[0], outputs[0, 0])
        assert not torch.equal(output[1], outputs[0, 1])


@pytest.mark.parametrize(
    ("options", "change", "reason"),
    [
        ({"blocks": 2}, lambda core, *given: (core, *given), "kernels compute blocks=1 only"),
        ({}, lambda core, x, s, r: (core.double(), x, s, r), "torch.float64 on cpu"),
        ({}, lambda core, x, s, r: (core, x, s[1:], r), "do not go together"),
        ({}, lambda core, *given: (watch(core), *given), "a hook watches"),
    ],
)
def test_what_kernels_cannot_do_is_left_to_plain_code(options, change, reason):
    core = build(**options, fused="triton")
    core, *given = change(core, *draw(core, (10,)))
    assert reason in str(core.kernels.why_not(core, *given))
    assert core.why_plain(*given) == "not tested here"


def test_rows_that_a_program_does_not_hold_are_left_to_plain_code(monkeypatch):
    monkeypatch.setattr(rmc_unroll, "WIDEST", 255)
    core = build(fused="triton")
    reason = present(core.kernels).why_not(core, *draw(core, (10,)))
    assert reason == "256 queries, keys and values at a step are more than 255"


def watch(core):
    core.blocks[0].attend.weights.register_forward_hook(lambda *_: None)
    return core


def test_weights_changed_between_forward_and_backward_are_refused():
    core = build(fused="triton")
    outputs, _ = core(*draw(core, (10,), steps=1, batch=1))
    with torch.no_grad():
        core.blocks[0].qkv.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()


def test_a_core_travels_to_another_process():
    core = build(fused="triton")
    given = draw(core, (10,), steps=1, batch=1)
    ours, theirs = everything(core, *given), everything(pickle.loads(pickle.dumps(core)), *given)
    assert all(torch.equal(theirs[name], value) for name, value in ours.items())
