"""The compiled sequence of the LSTM against the plain one in double precision."""

import copy
import pickle

import pytest
import torch

from memory import LSTM, StackedLSTM
from memory.core import Core, select
from memory.cores.lstm import LSTMState
from memory.fused import lstm
from memory.fused.call import Fused
from memory.fused.held import weights_held
from memory.fused.lstm import library
from tests.present import present

TOLERANCE = 2e-5
"""Of the largest entry of a tensor."""
SIZES = {
    "round": (16, 32, 10, 20),
    "odd": (7, 33, 9, 11),
    "one unit": (1, 1, 8, 9),
    "one element": (5, 20, 70, 1),
    "many chunks and tiles": (17, 18, 5, 150),
    "long": (19, 33, 30, 10),
}
"""Features, hidden units, steps, batch."""


@pytest.fixture(autouse=True)
def compiled():
    found = library()
    if isinstance(found, str):
        pytest.skip(found)


@pytest.fixture
def halves():
    found = library()
    if isinstance(found, str) or not found.engram_lstm_halves():
        pytest.skip("this CPU has no avx512_bf16")


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def build(features=10, hidden=32, fused: Fused = "auto") -> LSTM:
    torch.manual_seed(3)
    core = LSTM(features, hidden, fused)
    with torch.no_grad():
        core.bias.add_(0.3 * torch.randn_like(core.bias))
    return core


def draw(core, steps=10, batch=20):
    width = core.output_size
    inputs = torch.randn(steps, batch, core.input_weight.shape[1])
    state = LSTMState(torch.randn(batch, width), torch.randn(batch, width))
    reset = torch.rand(steps, batch) < 0.1
    reset[1, 0] = True
    return inputs, state, reset


def everything(core, inputs, state, reset):
    """Outputs, last state, and the gradients of all that goes in; of an uneven sum of both."""
    kind = core.bias.dtype
    inputs, hidden, cell = (given.to(kind).clone().requires_grad_() for given in (inputs, *state))
    outputs, final = core(inputs, LSTMState(hidden, cell), reset)
    generator = torch.Generator().manual_seed(5)
    told = (outputs, *final)
    uneven = [(y * torch.randn(y.shape, generator=generator).to(y)).sum() for y in told]
    sources = {"inputs": inputs, "h": hidden, "c": cell, **dict(core.named_parameters())}
    gradients = torch.autograd.grad(torch.stack(uneven).sum(), [*sources.values()])
    names = dict(zip(("outputs", "hidden", "cell"), told, strict=True))
    return names | dict(zip(sources, gradients, strict=True))


def differ(features, hidden, steps, batch):
    core = build(features, hidden)
    inputs, state, reset = draw(core, steps, batch)
    assert core.why_plain(inputs, state, reset) is None
    exact = everything(copy.deepcopy(core).double(), inputs, state, reset)
    for name, ours in everything(core, inputs, state, reset).items():
        error = (ours.double() - exact[name]).abs().max() / exact[name].abs().max().clamp(min=1e-6)
        assert error < TOLERANCE, f"{name}: {error:.1e}"


@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_states_and_every_gradient_are_those_of_plain_code(sizes):
    differ(*SIZES[sizes])


@pytest.mark.parametrize("constants", [range(3), range(4, 9), range(7, 10), range(10)])
@pytest.mark.parametrize("batch", [20, 150])
def test_constants_of_the_inputs_change_nothing_but_their_gradient(constants, batch):
    core = build()
    inputs, state, reset = draw(core, batch=batch)
    inputs[..., constants] = torch.randn(len(constants))
    expected = everything(core, inputs, state, reset)
    core.constants = constants
    given = everything(core, inputs, state, reset)
    expected["inputs"][..., constants] = 0
    for name, value in expected.items():
        error = (given[name] - value).abs().max() / value.abs().max().clamp(min=1e-6)
        assert error < TOLERANCE, f"{name}: {error:.1e}"


def test_constants_that_are_not_are_refused():
    core = build()
    core.constants = range(4, 9)
    with pytest.raises(ValueError, match="numbers 4 to 9 of the inputs are not constant"):
        core(*draw(core))


@pytest.mark.parametrize("batch", [16, 33, 150])
def test_they_are_with_several_threads(batch, threads):
    threads(3)
    differ(10, 20, 6, batch)


def test_in_halves_they_are_nearly_those(halves):
    for features, hidden, steps, batch in SIZES.values():
        core, coarse = build(features, hidden), build(features, hidden, fused="bf16")
        given = draw(core, steps, batch)
        exact, nearly = everything(core, *given), everything(coarse, *given)
        for name, value in exact.items():
            assert 0 < (nearly[name] - value).norm() < 0.1 * value.norm(), name


def test_in_halves_sequences_without_episodes_are_compiled_too(halves):
    core, coarse = build(), build(fused="bf16")
    inputs, state, _ = draw(core)
    apart = (core(inputs, state)[0] - coarse(inputs, state)[0]).norm()
    assert 0 < apart < 0.02 * core(inputs, state)[0].norm()


def test_halves_are_refused_by_a_machine_without_them(monkeypatch):
    monkeypatch.setattr(library(), "engram_lstm_halves", lambda: 0)
    core = build(fused="bf16")
    with pytest.raises(ValueError, match="fused=bf16: this CPU has no avx512_bf16"):
        core(*draw(core))


def test_no_batch_nor_thread_nor_cut_of_the_sequence_changes_a_bit(threads):
    core = build()
    inputs, state, reset = draw(core, steps=12, batch=130)
    reset[[3, 9], 45] = True
    with torch.no_grad():
        whole, final = core(inputs, state, reset)
        half, between = core(inputs[:6], state, reset[:6])
        rest, last = core(inputs[6:], between, reset[6:])
        part = LSTMState(*(leaf[41:52] for leaf in state))
        alone, _ = core(inputs[:, 41:52], part, reset[:, 41:52])
        threads(3)
        shared, _ = core(inputs, state, reset)
    assert torch.equal(whole, torch.cat([half, rest])) and torch.equal(final.cell, last.cell)
    assert torch.equal(whole[:, 41:52], alone)
    assert torch.equal(whole, shared)


def test_what_is_not_finite_stays_so_until_a_reset_and_no_longer():
    core = build()
    inputs, state, _ = draw(core)
    reset = torch.zeros(10, 20, dtype=torch.bool)
    reset[4, 1] = True
    with torch.no_grad():
        expected, _ = core(inputs, state, reset)
        inputs[2, 1] = torch.nan
        outputs, _ = core(inputs, state, reset)
    assert outputs[2:4, 1].isnan().all()
    outputs[2:4, 1] = expected[2:4, 1]
    assert torch.equal(outputs, expected)


def test_strides_of_what_is_given_do_not_matter():
    core = build()
    inputs, state, reset = draw(core)
    expected = everything(core, inputs, state, reset)
    turned = inputs.transpose(0, 2).contiguous().transpose(0, 2)
    given = everything(core, turned, state, reset.t().contiguous().t())
    assert all(torch.equal(given[name], value) for name, value in expected.items())


def test_a_second_backward_pass_sees_what_the_first_saw():
    core = build()
    inputs, state, reset = draw(core)
    loss = core(inputs, state, reset)[0].square().sum()
    first = torch.autograd.grad(loss, [*core.parameters()], retain_graph=True)
    core(inputs + 1, state, reset)[0].sum().backward()
    second = torch.autograd.grad(loss, [*core.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_weights_changed_between_forward_and_backward_are_refused():
    core = build()
    outputs, _ = core(*draw(core))
    with torch.no_grad():
        core.hidden_weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()


def test_gradients_reach_what_needs_them_alone():
    core = build()
    inputs, state, reset = draw(core)
    core.input_weight.requires_grad_(False)
    core(inputs, state, reset)[1].cell.square().sum().backward()
    assert core.input_weight.grad is None
    assert present(core.hidden_weight.grad).abs().max() > 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda core, *given: (core.double(), *given), "torch.float64 on cpu"),
        (lambda core, x, s, r: (core, x.to("meta"), s, r), "torch.float32 on meta"),
        (lambda core, x, s, r: (core, x[..., 1:], s, r), "do not go together"),
        (lambda core, x, s, r: (core, x[:0], s, r[:0]), "do not go together"),
        (lambda core, x, s, r: (core, x, LSTMState(s[0][1:], s[1]), r), "do not go together"),
        (lambda core, x, s, r: (core, x, s, r.int()), "do not go together"),
        (lambda core, x, s, r: (core, x[:3], s, r[:3]), "too little"),
        (lambda _, *given: (build(fused="never"), *given), "fused=never"),
    ],
)
def test_what_compiled_code_cannot_do_is_left_to_plain_code(change, reason):
    core = build()
    core, *given = change(core, *draw(core))
    assert reason in core.why_plain(*given)


def test_without_a_compiler_plain_code_computes_the_same(monkeypatch):
    core = build()
    given = draw(core)
    expected, _ = core(*given)
    monkeypatch.setattr(lstm, "library", lambda: "no C++ compiler")
    assert core.why_plain(*given) == "no C++ compiler"
    torch.testing.assert_close(core(*given)[0], expected)


def test_a_core_travels_to_another_process():
    core = build()
    given = draw(core)
    assert torch.equal(pickle.loads(pickle.dumps(core))(*given)[0], core(*given)[0])


def test_layers_compute_in_the_way_they_are_asked_to():
    core = StackedLSTM(5, 8, layers=2, fused="never")
    assert [layer.fused for layer in core.layers] == ["never", "never"]


def test_the_single_steps_agree():
    core = build()
    given = draw(core)
    torch.testing.assert_close(core(*given)[0], Core.forward(core, *given)[0])


@pytest.mark.parametrize("batch", [1, 20, 100])
def test_steps_with_held_weights_are_the_compiled_sequence_bit_by_bit(batch):
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


def test_steps_with_held_weights_are_in_halves_where_those_are_asked_for(halves):
    core = build(fused="bf16")
    inputs, state, _ = draw(core)
    with torch.no_grad(), weights_held(core):
        assert torch.equal(core.step(inputs[0], state)[0], core(inputs, state)[0][0])


def test_weights_that_change_are_seen_once_they_are_not_held():
    core = build()
    inputs, state, reset = draw(core)
    with torch.no_grad():
        with weights_held(core):
            before, _ = core(inputs, state, reset)
        core.hidden_weight.mul_(2)
        fresh, _ = core(inputs, state, reset)
        with weights_held(core):
            held, _ = core(inputs, state, reset)
    assert torch.equal(held, fresh) and not torch.equal(held, before)


def test_held_weights_have_the_gradients_of_others():
    core = build()
    given = draw(core)
    expected = everything(core, *given)
    with weights_held(core):
        ours = everything(core, *given)
    assert all(torch.equal(ours[name], value) for name, value in expected.items())


def test_weights_are_let_go_when_something_fails_and_in_a_copy():
    core = build()
    with pytest.raises(ValueError, match="halt"), weights_held(core):
        assert core.held.open and not copy.deepcopy(core).held.open
        raise ValueError("halt")
    assert not core.held.open
