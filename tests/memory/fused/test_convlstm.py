"""The compiled sequence of the convolutional LSTM against the plain one in double precision."""

import copy
import pickle

import pytest
import torch

from memory import ConvLSTMConfig
from memory.core import Core, select
from memory.cores.convlstm import ConvLSTM, ConvLSTMState
from memory.fused import convlstm
from memory.fused.call import Fused
from memory.fused.convlstm import library
from memory.fused.held import weights_held
from memory.inspect import inspect
from tests.present import present

TOLERANCE = 2e-5
"""Of the largest entry of a tensor."""
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


@pytest.fixture(autouse=True)
def compiled():
    found = library()
    if isinstance(found, str):
        pytest.skip(found)


@pytest.fixture
def halves():
    found = library()
    if isinstance(found, str) or not found.engram_convlstm_halves():
        pytest.skip("this CPU has no avx512_bf16")


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def build(kernel=2, features=5, channels=12, places=(4, 5), fused: Fused = "auto") -> ConvLSTM:
    torch.manual_seed(3)
    config = ConvLSTMConfig(channels=channels, kernel=kernel, fused=fused)
    core = config.build((features, *places))
    with torch.no_grad():
        core.bias.add_(0.3 * torch.randn_like(core.bias))
    return core


def draw(core, steps=6, batch=12):
    _, *places = shape = core.map_shape
    inputs = torch.randn(steps, batch, core.input_weight.shape[1], *places)
    state = ConvLSTMState(torch.randn(batch, *shape), torch.randn(batch, *shape))
    reset = torch.rand(steps, batch) < 0.1
    reset[1, 0] = True
    return inputs, state, reset


def everything(core, inputs, state, reset):
    """Outputs, last state, and the gradients of all that goes in; of an uneven sum of both."""
    kind = core.bias.dtype
    inputs, hidden, cell = (given.to(kind).clone().requires_grad_() for given in (inputs, *state))
    outputs, final = core(inputs, ConvLSTMState(hidden, cell), reset)
    generator = torch.Generator().manual_seed(5)
    told = (outputs, *final)
    uneven = [(y * torch.randn(y.shape, generator=generator).to(y)).sum() for y in told]
    sources = {"inputs": inputs, "h": hidden, "c": cell, **dict(core.named_parameters())}
    gradients = torch.autograd.grad(torch.stack(uneven).sum(), [*sources.values()])
    names = dict(zip(("outputs", "hidden", "cell"), told, strict=True))
    return names | dict(zip(sources, gradients, strict=True))


def differ(sizes, places, times):
    core = build(*sizes, places=places)
    inputs, state, reset = draw(core, *times)
    assert core.why_plain(inputs, state, reset) is None
    exact = everything(copy.deepcopy(core).double(), inputs, state, reset)
    for name, ours in everything(core, inputs, state, reset).items():
        error = (ours.double() - exact[name]).abs().max() / exact[name].abs().max().clamp(min=1e-6)
        assert error < TOLERANCE, f"{name}: {error:.1e}"


@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_states_and_every_gradient_are_those_of_plain_code(sizes):
    differ(*SIZES[sizes])


@pytest.mark.parametrize("batch", [16, 33, 150])
def test_they_are_with_several_threads(batch, threads):
    threads(3)
    differ((2, 3, 4), (4, 5), (4, batch))


def test_in_halves_they_are_nearly_those(halves):
    for sizes, places, times in SIZES.values():
        core = build(*sizes, places=places)
        coarse = build(*sizes, places=places, fused="bf16")
        given = draw(core, *times)
        exact, nearly = everything(core, *given), everything(coarse, *given)
        for name, value in exact.items():
            assert 0 < (nearly[name] - value).norm() < 0.1 * value.norm(), name


def test_halves_are_refused_by_a_machine_without_them(monkeypatch):
    monkeypatch.setattr(library(), "engram_convlstm_halves", lambda: 0)
    core = build(fused="bf16")
    with pytest.raises(ValueError, match="fused=bf16: this CPU has no avx512_bf16"):
        core(*draw(core))


def test_no_batch_nor_thread_nor_cut_of_the_sequence_changes_a_bit(threads):
    core = build()
    inputs, state, reset = draw(core, steps=8, batch=130)
    reset[[3, 5], 45] = True
    with torch.no_grad():
        whole, final = core(inputs, state, reset)
        half, between = core(inputs[:4], state, reset[:4])
        rest, last = core(inputs[4:], between, reset[4:])
        part = ConvLSTMState(*(leaf[41:52] for leaf in state))
        alone, _ = core(inputs[:, 41:52], part, reset[:, 41:52])
        threads(3)
        shared, _ = core(inputs, state, reset)
    assert torch.equal(whole, torch.cat([half, rest])) and torch.equal(final.cell, last.cell)
    assert torch.equal(whole[:, 41:52], alone)
    assert torch.equal(whole, shared)


def test_what_is_not_finite_stays_so_until_a_reset_and_no_longer():
    core = build()
    inputs, state, _ = draw(core)
    reset = torch.zeros(6, 12, dtype=torch.bool)
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
    state = ConvLSTMState(*(leaf.to(memory_format=torch.channels_last) for leaf in state))
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


def test_weights_changed_between_forward_and_backward_do_not_change_gradients():
    core = build()
    given = draw(core)
    expected = torch.autograd.grad(core(*given)[0].sum(), [*core.parameters()])
    outputs, _ = core(*given)
    with torch.no_grad():
        core.hidden_weight.add_(1)
    ours = torch.autograd.grad(outputs.sum(), [*core.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))


def test_gradients_reach_what_needs_them_alone():
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
        (lambda core, x, s, r: (core, x[..., 1:], s, r), "do not go together"),
        (lambda core, x, s, r: (core, x[:0], s, r[:0]), "do not go together"),
        (lambda core, x, s, r: (core, x, ConvLSTMState(s[0][1:], s[1]), r), "do not go together"),
        (lambda core, x, s, r: (core, x, s, r.int()), "do not go together"),
        (
            lambda core, x, s, r: (core, x[:1, :6], ConvLSTMState(*(y[:6] for y in s)), r[:1, :6]),
            "too little",
        ),
        (lambda _, *given: (build(fused="never"), *given), "fused=never"),
    ],
)
def test_what_compiled_code_cannot_do_is_left_to_plain_code(change, reason):
    core = build()
    core, *given = change(core, *draw(core))
    assert reason in core.why_plain(*given)


def test_gates_that_are_watched_are_those_of_plain_code():
    core = build()
    given = draw(core)
    seen = inspect(core, *given[:2])
    assert seen.observed["gates"].shape == (6, 12, 3, 12, 4, 5)


def test_without_a_compiler_plain_code_computes_the_same(monkeypatch):
    core = build()
    given = draw(core)
    expected, _ = core(*given)
    monkeypatch.setattr(convlstm, "library", lambda: "no C++ compiler")
    assert core.why_plain(*given) == "no C++ compiler"
    torch.testing.assert_close(core(*given)[0], expected)


def test_a_core_travels_to_another_process():
    core = build()
    given = draw(core)
    assert torch.equal(pickle.loads(pickle.dumps(core))(*given)[0], core(*given)[0])


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
        with torch.no_grad():
            core(*given)
        ours = everything(core, *given)
    assert all(torch.equal(ours[name], value) for name, value in expected.items())
