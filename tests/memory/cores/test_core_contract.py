"""Every core of the registry keeps the contract of `memory.core.Core`."""

import copy
import io
import pickle
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from memory import CORES, GRUConfig, map_state, select, state_leaves
from memory.core import Core, CoreConfig
from memory.fused.held import weights_held
from tests.memory.small_cores import INPUT_SHAPES, SMALL_CORES

T, B = 7, 3


def build(name):
    config = SMALL_CORES[name]
    shape = INPUT_SHAPES[config.input_kind]
    torch.manual_seed(1)
    core = config.build(shape).double().eval()
    return core, torch.randn(T, B, *shape, dtype=torch.double)


@pytest.fixture(params=SMALL_CORES)
def pair(request):
    return build(request.param)


def resets(rate=0.3):
    return torch.rand(T, B, generator=torch.Generator().manual_seed(4)) < rate


def uneven_sum(output):
    """The plain sum of a normalised output is a constant."""
    return (output * torch.linspace(1, 2, output.shape[-1], dtype=output.dtype) ** 2).sum()


def used_state(core, inputs):
    return core(inputs, core.initial_state(B))[1]


def assert_states_equal(one, other):
    assert type(one) is type(other)
    for a, b in zip(state_leaves(one), state_leaves(other), strict=True):
        torch.testing.assert_close(a, b)


def test_an_unroll_of_no_steps_is_refused(pair: tuple[Core[Any], torch.Tensor]) -> None:
    core, inputs = pair
    with pytest.raises(ValueError, match=r"inputs of shape \[0, 3, .*has at least one step"):
        core(inputs[:0], core.initial_state(B))


def test_every_configuration_of_the_registry_keeps_the_protocol():
    for name, config in CORES.items():
        assert issubclass(config, CoreConfig), f"{name}: {config} must derive from CoreConfig"
        assert next(iter(config.small())) == "", f"{name}: small() must begin with the plain mode"
        assert all(type(small) is config for small in config.small().values())


@pytest.mark.parametrize("name", CORES)
def test_a_wider_configuration_makes_a_larger_core(name):
    sizes = []
    for width in (4, 5, 8):
        config = CORES[name].of_width(width)
        core = config.build(INPUT_SHAPES[config.input_kind])
        sizes.append(sum(parameter.numel() for parameter in core.parameters()))
    assert sizes == sorted(set(sizes))


@dataclass(frozen=True, kw_only=True)
class Incomplete(CoreConfig):
    """A configuration whose width cannot be derived."""

    size: int = 3

    def build(self, input_shape):
        raise NotImplementedError


def test_what_a_configuration_lacks_is_said():
    with pytest.raises(
        TypeError, match=r"Incomplete has no option `hidden`.*define the class meth"
    ):
        Incomplete.of_width(4)
    with pytest.raises(
        TypeError, match=r"Incomplete has no option `hidden`.*define the class meth"
    ):
        Incomplete.small()
    with pytest.raises(TypeError, match=r"abstract class Empty.* abstract method '?build'?"):
        dataclass(type("Empty", (CoreConfig,), {}))()


def test_what_a_configuration_can_derive_is_derived():
    config = CORES["gru"].of_width(7)
    assert config == GRUConfig(hidden=7) and config.input_kind == "vector"
    assert CORES["gru"].small() == {"": GRUConfig(hidden=16)} and config.idle() == {}


@pytest.mark.parametrize("kind", [torch.double, torch.float])
def test_a_step_from_a_reset_is_the_step_from_the_initial_state(pair, kind):
    core, inputs = pair
    core, inputs = core.to(kind), inputs.to(kind)
    reset = torch.tensor([True, False, False])
    with torch.no_grad(), weights_held(core):
        state = used_state(core, inputs)
        expected, after = core.step(inputs[0], select(reset, core.initial_state(B), state))
        output, now = core.step_from(inputs[0], state, reset)
    assert torch.equal(output, expected)
    assert all(map(torch.equal, state_leaves(now), state_leaves(after)))


def test_every_state_leaf_leads_with_the_batch_and_keeps_shape_and_type(pair):
    core, inputs = pair
    before = core.initial_state(B)
    outputs, after = core(inputs, before)
    assert outputs.shape == (T, B, core.output_size)
    assert type(before) is type(after)
    for a, b in zip(state_leaves(before), state_leaves(after), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype == torch.double
        assert a.shape[0] == B


def test_writing_into_one_element_of_an_initial_state_harms_no_other(pair):
    core, _ = pair
    expected = map_state(torch.clone, core.initial_state(B))
    state = core.initial_state(B)
    first, *others = state_leaves(state)
    first[0].fill_(5.0)
    assert not any(leaf.eq(5.0).any() for leaf in (first[1:], *others))
    assert_states_equal(core.initial_state(B), expected)


@pytest.mark.parametrize("rate", [None, 0.05, 0.3, 1.0])
def test_forward_is_the_loop_of_steps(pair, rate):
    core, inputs = pair
    reset = None if rate is None else resets(rate)
    inputs.requires_grad_()
    weights = torch.randn(T, B, core.output_size, dtype=torch.double)
    results = []
    for unroll in (type(core).forward, Core.forward):
        core.zero_grad()
        outputs, state = unroll(core, inputs, used_state(core, inputs.detach()), reset)
        (gradient,) = torch.autograd.grad((outputs * weights).sum(), inputs, allow_unused=True)
        results.append((outputs, state, gradient))
    (outputs, state, gradient), (expected, expected_state, expected_gradient) = results
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(gradient, expected_gradient)
    assert_states_equal(state, expected_state)


def test_gradients_of_the_weights_are_those_of_the_loop_of_steps(pair):
    core, inputs = pair
    trained = [p for p in core.parameters() if p.requires_grad]
    weights = torch.randn(T, B, core.output_size, dtype=torch.double)
    gradients = []
    for unroll in (type(core).forward, Core.forward):
        outputs, _ = unroll(core, inputs, core.initial_state(B), resets())
        if outputs.requires_grad:
            gradients.append(torch.autograd.grad((outputs * weights).sum(), trained))
    assert gradients or not core.carries_gradient
    for fast, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, plain)
        assert fast.abs().max() > 0


@pytest.mark.parametrize("rate", [None, 0.3])
def test_outputs_at_some_steps_are_those_of_forward(pair, rate):
    core, inputs = pair
    reset = None if rate is None else resets(rate)
    wanted = torch.rand(T, B, generator=torch.Generator().manual_seed(5)) < 0.4
    wanted[1] = False  # a step at which nobody wants an output
    inputs.requires_grad_()
    state = used_state(core, inputs.detach())
    expected, expected_state = core(inputs, state, reset)
    outputs, after = core.outputs_at(wanted, inputs, state, reset)
    torch.testing.assert_close(outputs, expected[wanted])
    assert_states_equal(after, expected_state)
    one, other = (
        torch.autograd.grad(uneven_sum(output), inputs, allow_unused=True)
        for output in (outputs, expected[wanted])
    )
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("cut", [1, 3, T - 1])
def test_unrolling_in_two_pieces_changes_nothing(pair, cut):
    core, inputs = pair
    reset = resets()
    whole, end = core(inputs, core.initial_state(B), reset)
    first, state = core(inputs[:cut], core.initial_state(B), reset[:cut])
    second, state = core(inputs[cut:], state, reset[cut:])
    torch.testing.assert_close(torch.cat([first, second]), whole)
    assert_states_equal(state, end)


@pytest.mark.parametrize("cut", [0, 1, T - 1])
def test_a_reset_forgets_everything_before_it_and_touches_no_other_element(pair, cut):
    core, inputs = pair
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[cut, 1] = True
    start = used_state(core, inputs)
    with_reset, _ = core(inputs, start, reset)
    without, _ = core(inputs, start)
    alone, _ = core(inputs[cut:], core.initial_state(B))
    torch.testing.assert_close(with_reset[cut:, 1], alone[:, 1])
    torch.testing.assert_close(with_reset[:, [0, 2]], without[:, [0, 2]])
    forgets = not torch.allclose(with_reset[cut, 1], without[cut, 1])
    assert forgets == any(leaf.numel() for leaf in state_leaves(start))


def test_a_reset_selects_and_does_not_multiply(pair):
    core, inputs = pair
    ruined = map_state(lambda leaf: torch.full_like(leaf, torch.nan), core.initial_state(B))
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[0] = True
    outputs, _ = core(inputs, ruined, reset)
    torch.testing.assert_close(outputs, core(inputs, core.initial_state(B))[0])


def test_a_reset_in_the_middle_lets_nothing_through_be_it_infinite(pair):
    core, inputs = pair
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[4, 1] = True
    ruined = inputs.clone()
    ruined[2, 1] = torch.nan
    expected, _ = core(inputs, core.initial_state(B), reset)
    outputs, _ = core(ruined, core.initial_state(B), reset)
    assert outputs[2, 1].isnan().any()
    torch.testing.assert_close(outputs[4:], expected[4:])


def test_elements_of_a_batch_do_not_mix(pair):
    core, inputs = pair
    reset = resets()
    outputs, _ = core(inputs, core.initial_state(B), reset)
    for b in range(B):
        one = slice(b, b + 1)
        alone, _ = core(inputs[:, one], core.initial_state(1), reset[:, one])
        torch.testing.assert_close(alone, outputs[:, one])


def test_gradient_reaches_the_first_input_where_the_memory_carries_it(pair):
    core, inputs = pair
    inputs.requires_grad_()
    outputs, _ = core(inputs, core.initial_state(B))
    (gradient,) = torch.autograd.grad(uneven_sum(outputs[-1]) + 0 * inputs.sum(), inputs)
    assert gradient[0].ne(0).all() == core.carries_gradient
    assert core.carries_gradient or gradient[0].eq(0).all()


def test_no_gradient_crosses_a_reset(pair):
    core, inputs = pair
    inputs.requires_grad_()
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[4] = True
    outputs, _ = core(inputs, core.initial_state(B), reset)
    (gradient,) = torch.autograd.grad(uneven_sum(outputs[-1]) + 0 * inputs.sum(), inputs)
    assert gradient[:4].eq(0).all()
    assert gradient[4].ne(0).all() == core.carries_gradient


def test_weights_saved_and_loaded_give_the_same_core(pair):
    core, inputs = pair
    for buffer in core.buffers():
        assert buffer.is_floating_point()
    saved = io.BytesIO()
    torch.save(core.state_dict(), saved)
    saved.seek(0)
    twin = copy.deepcopy(core)
    for tensor in twin.state_dict().values():
        tensor.fill_(0.5)
    start = core.initial_state(B)
    assert not torch.allclose(twin(inputs, start)[0], core(inputs, start)[0])
    twin.load_state_dict(torch.load(saved, weights_only=True))
    torch.testing.assert_close(twin(inputs, start)[0], core(inputs, start)[0])


def test_a_copy_computes_the_same_and_shares_nothing(pair):
    core, inputs = pair
    twin = copy.deepcopy(core)
    expected, _ = core(inputs, core.initial_state(B))
    assert twin.carries_gradient == core.carries_gradient
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.zero_()
    torch.testing.assert_close(twin(inputs, twin.initial_state(B))[0], expected)


def test_a_state_travels_between_processes(pair):
    core, inputs = pair
    state = map_state(torch.Tensor.detach, used_state(core, inputs))
    assert_states_equal(pickle.loads(pickle.dumps(state)), state)


def test_selecting_takes_whole_elements_of_every_leaf(pair):
    core, inputs = pair
    used, fresh = used_state(core, inputs), core.initial_state(B)
    mixed = select(torch.tensor([True, False, True]), used, fresh)
    for leaf, a, b in zip(*map(state_leaves, (mixed, used, fresh)), strict=True):
        torch.testing.assert_close(leaf, torch.stack([a[0], b[1], a[2]]))


@pytest.mark.parametrize("case", SMALL_CORES)
def test_a_step_can_be_exported(case):
    core, inputs = build(case)
    state = map_state(torch.Tensor.detach, used_state(core, inputs))
    exported = torch.export.export(core_step := Step(core), (inputs[0], state)).module()
    for ours, theirs in zip(core_step(inputs[0], state), exported(inputs[0], state), strict=True):
        assert_states_equal(ours, theirs)


class Step(torch.nn.Module):
    """What an exporter is handed: one step as a `forward`."""

    def __init__(self, core):
        super().__init__()
        self.core = core

    def forward(self, x, state):
        return self.core.step(x, state)


@pytest.mark.parametrize("case", SMALL_CORES)
def test_an_input_of_the_wrong_rank_is_refused_with_the_rank_that_is_taken(case):
    config = SMALL_CORES[case]
    letters = {"vector": "F,", "rows": "N, F", "map": "C, H, W"}[config.input_kind]
    shape = (*INPUT_SHAPES[config.input_kind], 2)
    with pytest.raises(ValueError, match=rf"takes inputs of shape \({letters}\), was given"):
        config.build(shape)
