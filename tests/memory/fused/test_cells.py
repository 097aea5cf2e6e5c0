"""What the compiled sequences of the LSTM and of the convolutional LSTM have in common."""

import pickle
from collections.abc import Callable

import pytest
import torch

from memory.core import Core, select
from memory.fused import convlstm, lstm
from memory.fused.held import weights_held
from tests.memory.fused.cells import Cell, build_convlstm, build_lstm, draw, everything
from tests.present import present

CELLS = {"lstm": (build_lstm, lstm), "convlstm": (build_convlstm, convlstm)}


@pytest.fixture(params=CELLS)
def named(request):
    """How to build a core, and the module of its compiled code."""
    build, module = CELLS[request.param]
    if module.code.missing:
        pytest.skip(module.code.missing)
    return build, module


@pytest.fixture
def build(named) -> Callable[..., Cell]:
    return named[0]


@pytest.fixture
def module(named):
    return named[1]


def test_halves_are_refused_by_a_machine_without_them(build, module, monkeypatch):
    monkeypatch.setattr(module.code.library, f"engram_{module.code.name}_halves", lambda: 0)
    core, message = build(fused="bf16"), "fused=bf16: this CPU has no avx512_bf16"
    with pytest.raises(ValueError, match=message):
        core(*draw(core))
    with pytest.raises(ValueError, match=message):
        core.check_device("cpu")
    core.check_device("cuda")


def test_no_batch_nor_thread_nor_cut_of_the_sequence_changes_a_bit(build, threads):
    core = build()
    inputs, state, reset = draw(core, steps=12, batch=130)
    reset[[3, 9], 45] = True
    with torch.no_grad():
        whole, final = core(inputs, state, reset)
        half, between = core(inputs[:6], state, reset[:6])
        rest, last = core(inputs[6:], between, reset[6:])
        part = type(state)(*(leaf[41:52] for leaf in state))
        alone, _ = core(inputs[:, 41:52], part, reset[:, 41:52])
        threads(3)
        shared, _ = core(inputs, state, reset)
    assert torch.equal(whole, torch.cat([half, rest])) and torch.equal(final.cell, last.cell)
    assert torch.equal(whole[:, 41:52], alone)
    assert torch.equal(whole, shared)


def test_what_is_not_finite_stays_so_until_a_reset_and_no_longer(build):
    core = build()
    inputs, state, reset = draw(core)
    reset[:] = False
    reset[4, 1] = True
    with torch.no_grad():
        expected, _ = core(inputs, state, reset)
        inputs[2, 1] = torch.nan
        outputs, _ = core(inputs, state, reset)
    assert outputs[2:4, 1].isnan().all()
    outputs[2:4, 1] = expected[2:4, 1]
    assert torch.equal(outputs, expected)


def test_strides_of_what_is_given_do_not_matter(build):
    core = build()
    given = draw(core)
    expected = everything(core, given)
    turned = given._replace(
        inputs=given.inputs.transpose(0, 2).contiguous().transpose(0, 2),
        state=type(given.state)(*(leaf.mT.contiguous().mT for leaf in given.state)),
        reset=given.reset.t().contiguous().t(),
    )
    ours = everything(core, turned)
    assert all(torch.equal(ours[name], value) for name, value in expected.items())


def test_a_second_backward_pass_sees_what_the_first_saw(build):
    core = build()
    inputs, state, reset = draw(core)
    loss = core(inputs, state, reset)[0].square().sum()
    first = torch.autograd.grad(loss, [*core.parameters()], retain_graph=True)
    core(inputs + 1, state, reset)[0].sum().backward()
    second = torch.autograd.grad(loss, [*core.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_gradients_reach_what_needs_them_alone(build):
    core = build()
    core.input_weight.requires_grad_(False)
    core(*draw(core))[1].cell.square().sum().backward()
    assert core.input_weight.grad is None
    assert present(core.hidden_weight.grad).abs().max() > 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda core, *given: (core.double(), *given), "torch.float64 on cpu"),
        (lambda core, x, s, r: (core, x.to("meta"), s, r), "torch.float32 on meta"),
        (lambda core, x, s, r: (core, x[:, :, 1:], s, r), "do not go together"),
        (lambda core, x, s, r: (core, x[:0], s, r[:0]), "do not go together"),
        (lambda core, x, s, r: (core, x, s._replace(hidden=s[0][1:]), r), "do not go together"),
        (lambda core, x, s, r: (core, x, s, r.int()), "do not go together"),
        (
            lambda core, x, s, r: (core, x[:1, :6], type(s)(*(y[:6] for y in s)), r[:1, :6]),
            "too little",
        ),
    ],
)
def test_what_compiled_code_cannot_do_is_left_to_plain_code(build, change, reason):
    core = build()
    core, *given = change(core, *draw(core))
    assert reason in core.why_plain(*given)


def test_plain_code_can_be_asked_for(build):
    core = build(fused="never")
    assert core.why_plain(*draw(core)) == "fused=never"


def test_without_a_compiler_plain_code_computes_the_same(build, module, monkeypatch):
    core = build()
    given = draw(core)
    expected, _ = core(*given)
    monkeypatch.setattr(module.code, "library", "no C++ compiler")
    assert core.why_plain(*given) == "no C++ compiler"
    torch.testing.assert_close(core(*given)[0], expected)


def test_a_core_travels_to_another_process(build):
    core = build()
    given = draw(core)
    assert torch.equal(pickle.loads(pickle.dumps(core))(*given)[0], core(*given)[0])


def test_the_single_steps_agree(build):
    core = build()
    given = draw(core)
    torch.testing.assert_close(core(*given)[0], Core.forward(core, *given)[0])


@pytest.mark.parametrize("batch", [1, 20, 100])
def test_steps_with_held_weights_are_the_compiled_sequence_bit_by_bit(build, batch):
    core = build()
    inputs, state, reset = draw(core, steps=5, batch=batch)
    outputs, now, fresh = [], state, core.initial_state(batch)
    with torch.no_grad():
        plain, _ = core.step(inputs[0], select(reset[0], fresh, state))
        with weights_held(core):
            expected, _ = core(inputs, state, reset)
            for x, starts in zip(inputs, reset, strict=True):
                y, now = core.step(x, select(starts, fresh, now))
                outputs.append(y)
    assert torch.equal(torch.stack(outputs), expected)
    torch.testing.assert_close(outputs[0], plain)


def test_weights_that_change_are_seen_once_they_are_not_held(build):
    core = build()
    given = draw(core)
    with torch.no_grad():
        with weights_held(core):
            before, _ = core(*given)
        core.hidden_weight.mul_(2)
        fresh, _ = core(*given)
        with weights_held(core):
            held, _ = core(*given)
    assert torch.equal(held, fresh) and not torch.equal(held, before)


def test_held_weights_have_the_gradients_of_others(build):
    core = build()
    given = draw(core)
    expected = everything(core, given)
    with weights_held(core):
        with torch.no_grad():
            core(*given)
        ours = everything(core, given)
    assert all(torch.equal(ours[name], value) for name, value in expected.items())
