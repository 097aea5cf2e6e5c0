"""The cores reproduce numbers that the original programs computed (`tests/golden`)."""

import json

import numpy as np
import pytest
import torch

from memory import RMC, state_leaves
from tests.memory.cores.golden import (
    FOLDER,
    KINDS,
    GoldenConvLSTM,
    GoldenDNC,
    GoldenHMem,
    GoldenLSTM,
    GoldenRMC,
    files_of,
    read_golden,
)

GRADIENT_TOLERANCE = 1e-4
RECURRENT = files_of(GoldenRMC, GoldenLSTM, GoldenConvLSTM, GoldenDNC)
"""All files but those of the Hebbian memory, which have no gradients and one output."""


def assert_outputs_are_the_originals(golden):
    core = golden.core()
    outputs, state = core(golden.inputs, core.initial_state(golden.inputs.shape[1]))
    torch.testing.assert_close(outputs, golden.outputs(), rtol=0, atol=1e-5)
    for ours, theirs in zip(state_leaves(state), state_leaves(golden.final_state()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def assert_recalls_are_the_originals(golden):
    core = golden.core()
    _, memory = core(golden.inputs, core.initial_state(golden.inputs.shape[1]))
    torch.testing.assert_close(memory, golden.read("eval_memory"), rtol=0, atol=1e-5)
    recalled, _ = core.step(golden.question, memory)
    torch.testing.assert_close(recalled, golden.read("eval_read"), rtol=0, atol=1e-5)


def test_there_are_numbers_of_every_program():
    assert all(files_of(kind) for kind in KINDS)


@pytest.mark.parametrize("file", RECURRENT)
def test_outputs_and_final_state_are_the_originals(file):
    assert_outputs_are_the_originals(read_golden(RECURRENT[file]))


@pytest.mark.parametrize("file", RECURRENT)
def test_gradients_are_the_originals(file):
    golden = read_golden(RECURRENT[file])
    core = golden.core()
    outputs, _ = core(golden.inputs, core.initial_state(golden.inputs.shape[1]))
    (outputs * golden.read("loss_weights").flatten(2)).sum().backward()
    expected = golden.ours("grad")
    assert expected.keys() == dict(core.named_parameters()).keys()
    pairs = {name: (p.grad, expected[name]) for name, p in core.named_parameters()}
    pairs["x"] = (golden.inputs.grad, golden.read("grad_x"))
    for name, (ours, theirs) in pairs.items():
        error = (ours - theirs).abs().max() / theirs.abs().max()
        assert error <= GRADIENT_TOLERANCE, f"gradient of {name}: relative error {error:.1e}"


@pytest.mark.parametrize("file", files_of(GoldenRMC))
def test_gates_and_initial_state_of_the_relational_memory_are_the_originals(file, monkeypatch):
    golden = read_golden(FOLDER / file)
    core = golden.core()
    assert isinstance(core, RMC)
    seen, gates = [], core.gates
    monkeypatch.setattr(core, "gates", lambda *given: seen.append(gates(*given)) or seen[-1])
    start = core.initial_state(golden.inputs.shape[1])
    torch.testing.assert_close(start, golden.read("init_state"), rtol=0, atol=0)
    core(golden.inputs, start)
    assert len(seen) == (len(golden.inputs) if golden.config["gate_style"] else 0)
    for t, (input_gate, forget_gate) in enumerate(seen):
        torch.testing.assert_close(input_gate, golden.read(f"input_gate_{t}"), rtol=0, atol=1e-5)
        torch.testing.assert_close(forget_gate, golden.read(f"forget_gate_{t}"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("file", files_of(GoldenHMem))
def test_matrix_and_recall_of_the_hebbian_memory_are_the_originals(file):
    assert_recalls_are_the_originals(read_golden(FOLDER / file))


@pytest.mark.parametrize("file", files_of(GoldenDNC))
def test_every_step_of_the_neural_computer_is_the_originals(file):
    golden = read_golden(FOLDER / file)
    assert isinstance(golden, GoldenDNC)
    core = golden.core()
    state = core.initial_state(golden.inputs.shape[1])
    for t, x in enumerate(golden.inputs):
        output, state = core.step(x, state)
        torch.testing.assert_close(output, golden.outputs()[t], rtol=0, atol=1e-5)
        expected = golden.state_at(t)
        for ours, theirs in zip(state_leaves(state), state_leaves(expected), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def with_config(file, **options):
    """The `config` of a file with further options."""
    numbers = np.load(FOLDER / file)
    config = json.loads(str(numbers["config"])) if "config" in numbers else {}
    return np.array(json.dumps(config | options))


def shifted(file, name, place, by):
    """A bias of a file whose numbers at one place are moved."""
    bias = np.load(FOLDER / file)[name].copy()
    bias[place] += by
    return bias


# Each of these changes an option and what it is added to by as much the other way, so the outputs
# stay as they are in the file.


def test_the_constant_biases_of_the_relational_memory_are_honoured():
    file, name = "rmc_unit_1blk.npz", "param__relational_memory__linear_2__b"
    bias = shifted(file, name, slice(16, None), 0.75)
    bias[:16] -= 0.5
    config = with_config(file, forget_bias=0.25, input_bias=0.5)
    golden = read_golden(FOLDER / file, **{name: bias, "config": config})
    assert_outputs_are_the_originals(golden)


@pytest.mark.parametrize(
    ("file", "name", "width"),
    [
        ("lstm.npz", "param__lstm__b_gates", 6),
        ("convlstm_5x5x64_like.npz", "param__conv_2d_lstm__conv__b", 4),
    ],
)
def test_the_forget_bias_of_an_lstm_is_honoured(file, name, width):
    bias = shifted(file, name, slice(2 * width, 3 * width), 0.75)
    config = with_config(file, forget_bias=0.25)
    assert_outputs_are_the_originals(read_golden(FOLDER / file, **{name: bias, "config": config}))


def test_the_second_bias_of_a_convolution_is_honoured():
    file, name = "convlstm_5x5x64_like.npz", "param__conv_2d_lstm__conv"
    moved = np.linspace(-1, 1, 16, dtype=np.float32)
    biases = {f"{name}__b": shifted(file, f"{name}__b", slice(None), -moved), f"{name}_1__b": moved}
    assert_outputs_are_the_originals(read_golden(FOLDER / file, **biases))


@pytest.mark.parametrize("option", ["bn_eps", "ln_eps", "w_max", "gamma_pos", "gamma_neg"])
def test_the_constants_of_the_hebbian_memory_are_honoured(option):
    file = "hmem_rbw1.npz"
    golden = read_golden(FOLDER / file, config=with_config(file, **{option: 0.5}))
    with pytest.raises(AssertionError, match="not close"):
        assert_recalls_are_the_originals(golden)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_the_config_that_no_reader_knows_is_refused(kind):
    for file in files_of(kind):
        with pytest.raises(ValueError, match="config: unknown keys dropout; known: "):
            read_golden(FOLDER / file, config=with_config(file, dropout=0.1))


def test_a_parameter_that_the_core_does_not_take_is_refused():
    extra = {"param__lstm__w_projection": np.zeros((6, 6), np.float32)}
    with pytest.raises(AssertionError, match=r"does not take.*w_projection"):
        read_golden(FOLDER / "lstm.npz", **extra).core()
