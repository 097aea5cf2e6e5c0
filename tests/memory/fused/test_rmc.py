"""The compiled sequence of the relational memory core against the plain one in double precision."""

import pickle

import pytest
import torch

from memory import RMCConfig, inspect
from memory.core import Core
from memory.fused import rmc
from memory.fused.held import weights_held
from memory.fused.rmc import code
from tests.memory.fused.memories import build, differ, draw, everything
from tests.present import present

CODE = rmc
CASES = {
    "memory gate": ((10,), {}),
    "unit gate": ((10,), {"gate": "unit"}),
    "no gate": ((10,), {"gate": "none"}),
    "other biases": ((10,), {"input_bias": 0.7, "forget_bias": -1.5}),
    "three blocks, three layers": (
        (7,),
        {"blocks": 3, "key_size": 5, "mlp_layers": 3, "gate": "unit"},
    ),
    "rows": ((3, 5), {"input": "rows"}),
    "rows, unit gate": ((3, 5), {"input": "rows", "gate": "unit"}),
    "rows, two blocks, one layer, old scale": (
        (3, 5),
        {"input": "rows", "blocks": 2, "scale": "qkv", "mlp_layers": 1},
    ),
    "odd sizes": (
        (33,),
        {"slots": 3, "heads": 3, "units": 99, "blocks": 2, "mlp_layers": 4, "gate": "none"},
    ),
    "one slot of width one": ((1,), {"slots": 1, "heads": 1, "units": 1, "gate": "unit"}),
    "more slots than width": ((4,), {"slots": 5, "heads": 2, "units": 20}),
}


@pytest.mark.parametrize("case", CASES)
def test_outputs_states_and_every_gradient_are_those_of_plain_code(case):
    differ(*CASES[case], steps=6, batch=5)


@pytest.mark.parametrize("batch", [1, 9, 150])
def test_they_are_with_several_threads_and_tiles(batch, threads):
    threads(3)
    differ((10,), {}, steps=4, batch=batch)


def test_they_are_in_the_papers_size():
    differ((100,), {"heads": 4, "units": 1024}, steps=3, batch=20)


@pytest.mark.parametrize("case", [case for case in CASES if "width one" not in case])
def test_in_halves_outputs_states_and_every_gradient_are_nearly_those(case, halves):
    shape, options = CASES[case]
    core, coarse = build(shape, **options), build(shape, **options, fused="bf16")
    given = draw(core, shape, batch=9)
    exact, nearly = everything(core, *given), everything(coarse, *given)
    for name, value in exact.items():
        apart = (nearly[name] - value).norm()
        assert 0 < apart < 0.1 * value.norm(), name


def test_halves_are_refused_by_a_machine_without_them(monkeypatch):
    monkeypatch.setattr(code.library, "engram_rmc_halves", lambda: 0)
    core, message = build(fused="bf16"), "fused=bf16: this CPU has no avx512_bf16"
    with pytest.raises(ValueError, match=message):
        core(*draw(core, (10,)))
    with pytest.raises(ValueError, match=message):
        core.check_device("cpu")
    core.check_device("cuda")


def test_training_goes_the_same_way():
    shape, losses = (10,), {}
    for fused in ("auto", "never"):
        core = build(shape, fused=fused)
        inputs, state, reset = draw(core, shape)
        target = torch.randn(6, 5, 64)
        optimiser = torch.optim.Adam(core.parameters(), 1e-3)
        losses[fused] = []
        for _ in range(20):
            optimiser.zero_grad()
            loss = (core(inputs, state, reset)[0] - target).square().mean()
            loss.backward()
            optimiser.step()
            losses[fused].append(loss.item())
    assert losses["auto"][-1] < losses["auto"][0]
    assert losses["auto"] == pytest.approx(losses["never"], rel=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_no_batch_nor_thread_nor_cut_of_the_sequence_changes_a_bit(case, threads):
    shape, options = CASES[case]
    core = build(shape, **options)
    inputs, state, reset = draw(core, shape, batch=130)
    with torch.no_grad():
        whole, final = core(inputs, state, reset)
        stepwise, last = Core.forward(core, inputs, state, reset)
        alone, _ = core(inputs[:, 41:48], state[41:48], reset[:, 41:48])
        threads(3)
        shared, _ = core(inputs, state, reset)
    assert torch.equal(whole, stepwise) and torch.equal(final, last)
    assert torch.equal(whole[:, 41:48], alone)
    assert torch.equal(whole, shared)


@pytest.mark.parametrize("gate", ["unit", "memory", "none"])
def test_what_is_not_finite_stays_so_until_a_reset_and_no_longer(gate):
    core = build(gate=gate)
    inputs, state, _ = draw(core, (10,))
    reset = torch.zeros(6, 5, dtype=torch.bool)
    reset[4, 1] = True
    expected, _ = core(inputs, state, reset)
    inputs[2, 1] = torch.nan
    outputs, _ = core(inputs, state, reset)
    assert outputs[2:4, 1].isnan().all()
    outputs[2:4, 1] = expected[2:4, 1]
    assert torch.equal(outputs, expected)


def test_strides_of_what_is_given_do_not_matter():
    core = build()
    inputs, state, reset = draw(core, (10,))
    expected = everything(core, inputs, state, reset)
    turned = inputs.transpose(0, 2).contiguous().transpose(0, 2)
    one = state[:1].expand_as(state)
    given = everything(core, turned, state, reset.t().contiguous().t())
    assert all(torch.equal(given[name], value) for name, value in expected.items())
    assert torch.equal(core(inputs, one)[0], core(inputs, one.clone())[0])


def test_a_second_backward_pass_sees_what_the_first_saw():
    core = build()
    inputs, state, reset = draw(core, (10,))
    loss = core(inputs, state, reset)[0].square().sum()
    first = torch.autograd.grad(loss, [*core.parameters()], retain_graph=True)
    core(inputs + 1, state, reset)[0].sum().backward()
    second = torch.autograd.grad(loss, [*core.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_weights_changed_between_forward_and_backward_are_refused():
    core = build()
    outputs, _ = core(*draw(core, (10,)))
    with torch.no_grad():
        core.embed.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()


def test_weights_changed_behind_the_back_of_autograd_count():
    core = build()
    inputs, state, reset = draw(core, (10,))
    before, _ = core(inputs, state, reset)
    core.embed.weight.data.add_(1)
    assert not torch.allclose(core(inputs, state, reset)[0], before)


def test_gradients_reach_what_needs_them_alone():
    core = build()
    inputs, state, reset = draw(core, (10,))
    core.embed.weight.requires_grad_(False)
    core(inputs, state, reset)[1].square().sum().backward()
    assert core.embed.weight.grad is None
    assert present(core.embed.bias.grad).abs().max() > 0
    with torch.no_grad():
        assert not core(inputs, state, reset)[0].requires_grad


def test_a_second_derivative_is_refused_with_a_word():
    core = build()
    inputs, state, reset = draw(core, (10,))
    inputs.requires_grad_()
    outputs, _ = core(inputs, state, reset)
    (gradient,) = torch.autograd.grad(outputs.square().sum(), inputs, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def spoiled_by(change):
    core = build()
    inputs, state, reset = draw(core, (10,))
    return change(core, inputs, state, reset)


def watch(core, *given):
    core.blocks[0].attend.weights.register_forward_hook(lambda *_: None)
    return core, *given


def normalise(core, *given):
    torch.nn.utils.parametrizations.weight_norm(core.embed)
    return core, *given


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda core, *given: (core.double(), *given), "torch.float64 on cpu"),
        (lambda core, x, s, r: (core, x.double(), s, r), "torch.float64 on cpu"),
        (lambda core, x, s, r: (core, x.to("meta"), s, r), "torch.float32 on meta"),
        (lambda core, x, s, r: (core, x[..., 1:], s, r), "do not go together"),
        (lambda core, x, s, r: (core, x[:0], s, r[:0]), "do not go together"),
        (lambda core, x, s, r: (core, x, s[1:], r), "do not go together"),
        (lambda core, x, s, r: (core, x, s, r.int()), "do not go together"),
        (watch, "a hook watches"),
        (normalise, "its parameters are not those"),
        (lambda _, *given: (build(fused="never"), *given), "fused=never"),
    ],
)
def test_what_compiled_code_cannot_do_is_left_to_plain_code(change, reason):
    core, *given = spoiled_by(change)
    assert reason in core.why_plain(*given)


def test_autocast_is_left_to_plain_code():
    core = build()
    with torch.autocast("cpu"):
        assert core.why_plain(*draw(core, (10,))) == "autocast is on"


def test_what_torch_compiles_is_left_to_plain_code(monkeypatch):
    core = build()
    given = draw(core, (10,))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert core.why_plain(*given) == "it is being compiled or exported"


def test_a_single_step_with_many_weights_is_left_to_plain_code():
    core = RMCConfig(slots=1, heads=1, units=512).build((8,))
    why = core.why_plain(torch.zeros(1, 1, 8), core.initial_state(1))
    assert why is not None and "too little" in why
    assert core.why_plain(torch.zeros(1, 64, 8), core.initial_state(64)) is None


def test_a_step_can_be_exported_and_computes_the_same():
    core = build()
    inputs, state, _ = draw(core, (10,))

    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.core = core

        def forward(self, x, state):
            return self.core.step(x, state)

    exported = torch.export.export(Step(), (inputs[0], state)).module()
    for ours, theirs in zip(core.step(inputs[0], state), exported(inputs[0], state), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_watching_a_core_shows_what_it_computes():
    core = build()
    inputs, state, reset = draw(core, (10,))
    seen = inspect.inspect(core, inputs, state, reset)
    assert seen.observed["blocks.0.attend.weights"].shape == (6, 5, 2, 4, 5)
    torch.testing.assert_close(seen.outputs, core(inputs, state, reset)[0], rtol=1e-4, atol=1e-5)


def test_a_core_travels_to_another_process():
    core = build()
    given = draw(core, (10,))
    twin = pickle.loads(pickle.dumps(core))
    assert twin.why_plain(*given) is None
    assert torch.equal(twin(*given)[0], core(*given)[0])


@pytest.mark.parametrize("case", CASES)
def test_steps_with_held_weights_are_the_compiled_sequence_bit_by_bit(case):
    shape, options = CASES[case]
    core = build(shape, **options)
    inputs, state, _ = draw(core, shape)
    with torch.no_grad():
        expected, _ = core(inputs, state)
        outputs, now = [], state
        with weights_held(core):
            for x in inputs:
                y, now = core.step(x, now)
                outputs.append(y)
        assert torch.equal(torch.stack(outputs), expected)
        for parameter in core.parameters():
            parameter.mul_(1.5)
        fresh, _ = core(inputs, state)
        with weights_held(core):
            assert torch.equal(core(inputs, state)[0], fresh)
    assert not torch.equal(fresh, expected)


def test_held_weights_have_the_gradients_of_others():
    core = build()
    given = draw(core, (10,))
    expected = everything(core, *given)
    with weights_held(core):
        ours = everything(core, *given)
    assert all(torch.equal(ours[name], value) for name, value in expected.items())
