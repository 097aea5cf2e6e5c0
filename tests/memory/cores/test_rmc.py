"""The relational memory core against its formulas, and the unit tests of the original."""

import numpy as np
import pytest
import torch

from memory import RMCConfig
from memory.core import Core


def build(input_shape=(10,), **options):
    torch.manual_seed(3)
    core = RMCConfig(**{"slots": 4, "heads": 2, "units": 64, **options}).build(input_shape).double()
    with torch.no_grad():  # the norms and biases too, or the oracle would not see them
        for parameter in core.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return core


def softmax(scores):
    exponents = np.exp(scores - scores.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Oracle:
    """One step for one element of a batch, row by row and head by head, from the formulas."""

    def __init__(self, core, config):
        self.config = config
        self.p = {name: value.detach().numpy() for name, value in core.state_dict().items()}

    def linear(self, name, x):
        return x @ self.p[f"{name}.weight"].T + self.p[f"{name}.bias"]

    def norm(self, name, rows):
        mean, var = rows.mean(-1, keepdims=True), rows.var(-1, keepdims=True)
        unit = (rows - mean) / np.sqrt(var + 1e-5)
        return unit * self.p[f"{name}.weight"] + self.p[f"{name}.bias"]

    def attention(self, block, rows):
        c = self.config
        value = c.units // (c.slots * c.heads)
        key = c.key_size or value
        scale = key if c.scale == "key" else 2 * key + value
        projected = self.norm(f"blocks.{block}.qkv_norm", self.linear(f"blocks.{block}.qkv", rows))
        heads = []
        for head in np.split(projected, c.heads, axis=1):
            q, k, v = np.split(head, [key, 2 * key], axis=1)
            heads.append(softmax(q @ k.T / np.sqrt(scale)) @ v)
        return np.concatenate(heads, axis=1)

    def mlp(self, rows):
        for layer in range(self.config.mlp_layers):
            rows = self.linear(f"mlp.{2 * layer}", np.maximum(rows, 0) if layer else rows)
        return rows

    def step(self, x, memory):
        embedded = np.atleast_2d(self.linear("embed", x))
        rows = np.concatenate([memory, embedded])
        for b in range(self.config.blocks):
            rows = self.norm(f"blocks.{b}.attention_norm", rows + self.attention(b, rows))
            rows = self.norm(f"blocks.{b}.mlp_norm", rows + self.mlp(rows))
        candidate = rows[: len(memory)]
        if self.config.gate == "none":
            return candidate
        gates = self.linear("gate_input", embedded.ravel())
        gates = gates + self.linear("gate_memory", np.tanh(memory))
        write, keep = np.split(gates, 2, axis=1)
        write, keep = write + self.config.input_bias, keep + self.config.forget_bias
        return sigmoid(write) * np.tanh(candidate) + sigmoid(keep) * memory


@pytest.mark.parametrize("gate", ["unit", "memory", "none"])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((10,), {}),
        ((10,), {"input_bias": 0.7, "forget_bias": -1.5}),
        ((10,), {"blocks": 3, "key_size": 5, "mlp_layers": 3}),
        ((3, 5), {"input": "rows"}),
        ((3, 5), {"input": "rows", "blocks": 2, "scale": "qkv", "mlp_layers": 1}),
    ],
    ids=["one block", "other biases", "three blocks", "rows", "rows, two blocks, old scale"],
)
def test_every_step_follows_the_formulas(shape, options, gate):
    config = RMCConfig(slots=4, heads=2, units=64, gate=gate, **options)
    core = build(shape, gate=gate, **options)
    oracle = Oracle(core, config)
    x = torch.randn(5, 2, *shape, dtype=torch.double)
    reset = torch.zeros(5, 2, dtype=torch.bool)
    reset[3, 1] = True
    outputs, state = core(x, core.initial_state(2), reset)
    for b in range(2):
        memory = np.eye(4, 16)
        for t in range(5):
            memory = oracle.step(x[t, b].numpy(), np.eye(4, 16) if reset[t, b] else memory)
            np.testing.assert_allclose(outputs[t, b].detach(), memory.ravel(), atol=1e-12)
        np.testing.assert_allclose(state[b].detach(), memory, atol=1e-12)


def test_the_memory_starts_as_the_identity_padded_on_the_right_or_cut():
    wide = RMCConfig(slots=2, heads=1, units=6).build((5,)).initial_state(2)
    assert wide.tolist() == [[[1, 0, 0], [0, 1, 0]]] * 2
    narrow = RMCConfig(slots=3, heads=1, units=6).build((5,)).initial_state(1)
    assert narrow.tolist() == [[[1, 0], [0, 1], [0, 0]]]


@pytest.mark.parametrize("slots", [1, 2, 4, 8, 16])
def test_the_number_of_parameters_is_the_originals_whatever_the_slots(slots):
    core = RMCConfig(slots=slots, heads=2, units=slots * 16, gate="unit").build((10,))
    assert sum(parameter.numel() for parameter in core.parameters()) == 2784


def test_the_defaults_are_the_papers_for_boxworld():
    core = RMCConfig().build((650,))
    assert core.initial_state(1).shape == (1, 4, 256)
    assert core.output_size == 1024
    assert core.gate_memory.out_features == 2


@pytest.mark.parametrize("slots", [2, 4, 8, 16])
@pytest.mark.parametrize("value", [2, 4, 8, 16])
@pytest.mark.parametrize("heads", [1, 2, 3, 4])
def test_two_steps_run_for_every_mix_of_sizes(slots, value, heads):
    units = slots * heads * value
    core = RMCConfig(slots=slots, heads=heads, units=units, blocks=5).build((3,))
    outputs, state = core(torch.randn(2, 5, 3), core.initial_state(5))
    assert outputs.shape == (2, 5, units)
    assert state.shape == (5, slots, heads * value)


@pytest.mark.parametrize(("input", "shape"), [("flat", (9,)), ("rows", (3, 3))])
def test_the_output_has_one_shape_for_flat_and_row_inputs(input, shape):
    core = build(shape, input=input)
    output, memory = core.step(torch.randn(5, *shape).double(), core.initial_state(5))
    assert output.shape == (5, 64)
    torch.testing.assert_close(memory.flatten(1), output)


@pytest.mark.parametrize(("gate", "width"), [("unit", 16), ("memory", 1)])
def test_there_is_one_gate_per_unit_or_per_slot(gate, width):
    core = build(gate=gate)
    from_input = torch.zeros(5, 1, 2 * width, dtype=torch.double)
    write, keep = core.gates(from_input, core.initial_state(5))
    assert write.shape == keep.shape == (5, 4, width)


def test_without_a_gate_an_input_of_zeros_still_changes_the_memory():
    core = build(gate="none")
    _, memory = core.step(torch.zeros(5, 10).double(), core.initial_state(5))
    assert not torch.allclose(memory, core.initial_state(5))


@pytest.mark.parametrize("gate", ["unit", "memory"])
def test_a_memory_that_keeps_all_and_takes_nothing_is_unchanged(gate):
    core = build(gate=gate)
    core.forget_bias, core.input_bias = float("inf"), float("-inf")
    _, memory = core.step(torch.randn(5, 10).double(), core.initial_state(5))
    assert torch.equal(memory, core.initial_state(5))


def test_the_weights_of_attention_can_be_watched_and_sum_to_one():
    core = build()
    seen = []
    core.blocks[0].attend.weights.register_forward_hook(lambda _, __, given: seen.append(given))
    core(torch.randn(3, 5, 10).double(), core.initial_state(5))
    assert [weights.shape for weights in seen] == [(5, 2, 4, 5)] * 3  # 4 slots and one input row
    torch.testing.assert_close(seen[0].sum(-1), torch.ones(5, 2, 4).double())


def test_the_layers_of_the_perceptron_are_distinct_and_blocks_share_it():
    names = dict(build(blocks=2, mlp_layers=3).named_parameters())
    assert [name for name in names if name.startswith("mlp") and name.endswith("weight")] == [
        "mlp.0.weight",
        "mlp.2.weight",
        "mlp.4.weight",
    ]
    assert {"blocks.0.qkv.weight", "blocks.1.qkv.weight"} <= names.keys()


@pytest.mark.parametrize("blocks", [1, 3])
def test_the_unroll_is_the_loop_of_steps_in_double_precision(blocks):
    core = build(blocks=blocks)
    x = torch.randn(40, 8, 10, dtype=torch.double)
    reset = torch.rand(40, 8) < 0.05
    outputs, _ = core(x, core.initial_state(8), reset)
    plain, _ = Core.forward(core, x, core.initial_state(8), reset)
    torch.testing.assert_close(outputs, plain, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 0}, "blocks=0: must be at least 1"),
        ({"mlp_layers": 0}, "mlp_layers=0: must be at least 1"),
        ({"slots": 0}, "slots=0: must be at least 1"),
        ({"heads": -1}, "heads=-1: must be at least 1"),
        ({"key_size": 0}, "key_size=0: must be at least 1"),
        ({"forget_bias": float("nan")}, "forget_bias=nan: must be a number"),
        ({"gate": "units"}, "gate='units': must be one of unit, memory, none; did you mean 'unit'"),
        ({"scale": "value"}, "scale='value': must be one of key, qkv"),
        ({"slots": 3}, r"units=1024: must be a multiple of slots=3 \* heads=4 = 12; .* is 1020"),
        ({"units": 7}, r"units=7: must be a multiple of slots=4 \* heads=4 = 16; .* is 16"),
        (
            {"input": "rows"},
            r"rmc with input=rows takes inputs of shape \(N, F\), was given \(9,\)",
        ),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(options, message):
    config = RMCConfig()
    for name, value in options.items():  # past the check of types, which only runs in tests
        object.__setattr__(config, name, value)
    with pytest.raises(ValueError, match=message):
        config.build((9,))


def test_the_forget_gate_leans_to_keep_by_default():
    assert (RMCConfig().input_bias, RMCConfig().forget_bias) == (0.0, 1.0)
