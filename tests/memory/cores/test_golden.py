"""The cores reproduce numbers that the original programs computed (`--golden DIR`)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from memory import (
    RMC,
    ConvLSTMConfig,
    ConvLSTMState,
    DNCConfig,
    DNCState,
    HMemConfig,
    LSTMConfig,
    LSTMState,
    RMCConfig,
    state_leaves,
)
from memory.cores.dnc.external_memory import MemoryState

GRADIENT_TOLERANCE = 1e-4


def pytest_generate_tests(metafunc):
    folder = metafunc.config.getoption("--golden")
    files = sorted(f for f in folder.glob("*") if f.suffix in (".npz", ".json"))
    missing = pytest.param(None, marks=pytest.mark.skip(f"no golden numbers in {folder}"))
    metafunc.parametrize("file", files or [missing], ids=lambda file: file.name if file else "none")


class Golden:
    """One file of numbers, and the core of ours that should reproduce them."""

    precision = torch.double

    def __init__(self, numbers):
        self.numbers = numbers
        self.inputs = self.read("x").requires_grad_()

    def read(self, name):
        return torch.from_numpy(self.numbers[name]).to(self.precision)

    def core(self):
        core = self.build().to(self.precision)
        core.load_state_dict(self.ours("param"), strict=True)
        return core

    def ours(self, kind):
        """Parameters, or their gradients, under our names and in our layout."""
        raise NotImplementedError


class GoldenRMC(Golden):
    prefix = "param__relational_memory__"

    def build(self):
        c = self.config = json.loads(str(self.numbers["config"]))
        config = RMCConfig(
            slots=c["mem_slots"],
            heads=c["num_heads"],
            units=c["mem_slots"] * c["num_heads"] * c["head_size"],
            key_size=c.get("key_size"),
            blocks=c["num_blocks"],
            mlp_layers=c.get("attention_mlp_layers", 2),
            gate=c["gate_style"] or "none",
            input="rows" if c["treat_input_as_matrix"] else "flat",
        )
        return config.build(tuple(c["input_shape"][2:]))

    def ours(self, kind):
        """Sonnet numbers its layers in order of creation: the embedding, blocks, then the gates."""
        blocks = self.config["num_blocks"]
        linears = {"embed": "linear"}
        norms = {}
        for b in range(blocks):
            linears[f"blocks.{b}.qkv"] = f"linear_{b + 1}"
            for k, norm in enumerate(("qkv_norm", "attention_norm", "mlp_norm")):
                norms[f"blocks.{b}.{norm}"] = f"layer_norm_{3 * b + k}".removesuffix("_0")
        for layer in range(self.config.get("attention_mlp_layers", 2)):
            linears[f"mlp.{2 * layer}"] = f"mlp__linear_{layer}"
        if self.config["gate_style"]:
            linears["gate_input"] = f"linear_{blocks + 1}"
            linears["gate_memory"] = f"linear_{blocks + 2}"
        name = f"{kind}__relational_memory__"
        found = {f"{k}.weight": self.read(f"{name}{v}__w").T for k, v in linears.items()}
        found |= {f"{k}.bias": self.read(f"{name}{v}__b") for k, v in linears.items()}
        found |= {f"{k}.weight": self.read(f"{name}{v}__gamma") for k, v in norms.items()}
        return found | {f"{k}.bias": self.read(f"{name}{v}__beta") for k, v in norms.items()}

    def outputs(self):
        return self.read("outputs")

    def final_state(self):
        return self.read("final_state")


class GoldenLSTM(Golden):
    prefix = "param__lstm__"

    def build(self):
        return LSTMConfig(hidden=self.numbers["outputs"].shape[-1]).build(
            self.numbers["x"].shape[2:]
        )

    def ours(self, kind):
        """Sonnet's order of gates is i, j, f, o; the rows of the input come first."""
        weight = _swap(self.read(f"{kind}__lstm__w_gates").T)
        features = self.inputs.shape[-1]
        return {
            "input_weight": weight[:, :features],
            "hidden_weight": weight[:, features:],
            "bias": _swap(self.read(f"{kind}__lstm__b_gates")),
        }

    def outputs(self):
        return self.read("outputs")

    def final_state(self):
        return LSTMState(self.read("final_hidden"), self.read("final_cell"))


class GoldenConvLSTM(Golden):
    prefix = "param__conv_2d_lstm__"

    def __init__(self, numbers):
        super().__init__(numbers)
        self.inputs = self.inputs.detach().movedim(-1, -3).requires_grad_()

    def build(self):
        kernel = self.numbers["param__conv_2d_lstm__conv__w"].shape[0]
        config = ConvLSTMConfig(channels=self.numbers["outputs"].shape[-1], kernel=kernel)
        return config.build(tuple(self.inputs.shape[2:]))

    def ours(self, kind):
        """TensorFlow's kernels are [H, W, in, out]."""
        name = f"{kind}__conv_2d_lstm__"
        return {
            "input_weight": self.read(f"{name}conv__w").permute(3, 2, 0, 1),
            "hidden_weight": self.read(f"{name}conv_1__w").permute(3, 2, 0, 1),
            "bias": self.read(f"{name}conv__b"),
        }

    def read(self, name):
        """TensorFlow's maps are [H, W, C]."""
        read = super().read(name)
        of_maps = name in ("outputs", "loss_weights", "final_hidden", "final_cell", "grad_x")
        return read.movedim(-1, -3) if of_maps else read

    def outputs(self):
        return self.read("outputs").flatten(2)

    def final_state(self):
        return ConvLSTMState(self.read("final_hidden"), self.read("final_cell"))


class GoldenDNC(Golden):
    prefix = "param__dnc__"
    precision = torch.float
    """That of the original: its rounding decides which of almost equally free rows goes first."""
    interface = (
        *("read_keys", "write_keys", "write_vectors", "read_strengths", "write_strengths"),
        *("erase_vectors", "free_gate", "allocation_gate", "write_gate", "read_mode"),
    )
    """Linear layers of the program, in the order in which our one projection holds them."""

    def build(self):
        c = json.loads(str(self.numbers["config"]))
        config = DNCConfig(
            slots=c["memory_size"],
            word=c["word_size"],
            reads=c["num_reads"],
            writes=c["num_writes"],
            hidden=c["hidden_size"],
            clip=float(c["clip_value"] or 0),
            output=c["output_size"],
        )
        return config.build(self.numbers["x"].shape[2:])

    def ours(self, kind):
        """The rows of Sonnet's gates are the input, the words read, the hidden state."""
        gates = _swap(self.read(f"{kind}__dnc__lstm__w_gates").T)
        features = self.inputs.shape[-1]
        parts = [f"{kind}__dnc__memory_access__{name}" for name in self.interface]
        return {
            "controller.from_input.weight": gates[:, :features],
            "controller.from_input.bias": _swap(self.read(f"{kind}__dnc__lstm__b_gates")),
            "controller.from_memory.0.weight": gates[:, features:],
            "interface.project.weight": torch.cat([self.read(f"{part}__w").T for part in parts]),
            "interface.project.bias": torch.cat([self.read(f"{part}__b") for part in parts]),
            "output.weight": self.read(f"{kind}__dnc__output_linear__w").T,
            "output.bias": self.read(f"{kind}__dnc__output_linear__b"),
        }

    def outputs(self):
        return self.read("outputs")

    def state_at(self, t):
        """The state after step t."""
        return DNCState(
            LSTMState(self.read(f"t{t}__ctrl_h"), self.read(f"t{t}__ctrl_c")),
            self.read(f"t{t}__access_output"),
            MemoryState(*(self.read(f"t{t}__{name}") for name in MemoryState._fields)),
        )

    def final_state(self):
        return self.state_at(len(self.inputs) - 1)


class GoldenHMem(Golden):
    """Stories that the original encoded, as inputs, then the question. No gradients, one answer."""

    prefix = "param__bnq__"

    def __init__(self, numbers):
        self.numbers = numbers
        # Sentences of padding are zeros to us; the original's normalisation moved them.
        written = torch.from_numpy(numbers["story"]).ne(0).any(-1, keepdim=True)
        self.inputs = (self._normalised("eval_story_enc", "bns") * written).transpose(0, 1)
        self.question = self._normalised("eval_query_enc", "bnq")[:, 0]  # the same for every hop

    def _normalised(self, name, norm):
        parts = ("moving_mean", "moving_variance", "gamma", "beta")
        mean, variance, gamma, beta = (self.read(f"param__{norm}__{part}") for part in parts)
        return (self.read(name) - mean) / (variance + 1e-3).sqrt() * gamma + beta

    def build(self):
        c = json.loads(str(self.numbers["config"]))
        config = HMemConfig(
            units=c["units"],
            hops=c["hops"],
            read_before_write=bool(c["rbw"]),
            gain=c["gamma_pos"],
            decay=c["gamma_neg"],
            largest=c["w_max"],
            output="recall",
        )
        return config.build(tuple(self.inputs.shape[2:]))

    def ours(self, kind):
        """The original's layers are numbered in order of creation."""
        kernels, norms = [], []
        for name in self.numbers:
            if name.startswith(kind) and name.endswith("__kernel"):
                kernels.append(name)
            if "layer_normalization" in name:
                norms.append(self.read(name))
        key, value, *merge, cue, _ = [self.read(name).T for name in kernels]
        found = {"key.weight": key, "value.weight": value, "cue.weight": cue}
        if merge:
            found["merge.weight"] = merge[0]
            parts = ("weight", "bias")
            names = [f"{norm}_norm.{part}" for norm in ("key", "value") for part in parts]
            found |= dict(zip(names, norms, strict=True))
        return found


def _swap(gates):
    """From the order i, j, f, o to i, f, j, o."""
    i, j, f, o = gates.chunk(4)
    return torch.cat([i, f, j, o])


@pytest.fixture
def golden(file: Path):
    if file.suffix == ".json":
        pytest.skip(f"{file.name} holds samples of a task, no numbers of a core")
    numbers = dict(np.load(file, allow_pickle=False))
    for kind in (GoldenRMC, GoldenLSTM, GoldenConvLSTM, GoldenDNC, GoldenHMem):
        if any(name.startswith(kind.prefix) for name in numbers):
            return kind(numbers)
    raise ValueError(f"{file.name}: numbers of an unknown program")


def test_outputs_and_final_state_are_the_originals(golden):
    if isinstance(golden, GoldenHMem):
        pytest.skip("the Hebbian memory has a test of its own")
    core = golden.core()
    outputs, state = core(golden.inputs, core.initial_state(golden.inputs.shape[1]))
    torch.testing.assert_close(outputs, golden.outputs(), rtol=0, atol=1e-5)
    for ours, theirs in zip(state_leaves(state), state_leaves(golden.final_state()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_gradients_are_the_originals(golden):
    if isinstance(golden, GoldenHMem):
        pytest.skip("there are no gradients of the Hebbian memory")
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


def test_gates_and_initial_state_of_the_relational_memory_are_the_originals(golden):
    if not isinstance(golden, GoldenRMC):
        pytest.skip("numbers of gates are there for the relational memory only")
    core = golden.core()
    assert isinstance(core, RMC)
    seen, gates = [], core.gates
    core.gates = lambda *given: seen.append(gates(*given)) or seen[-1]
    start = core.initial_state(golden.inputs.shape[1])
    torch.testing.assert_close(start, golden.read("init_state"), rtol=0, atol=0)
    core(golden.inputs, start)
    assert len(seen) == (len(golden.inputs) if golden.config["gate_style"] else 0)
    for t, (write, keep) in enumerate(seen):
        torch.testing.assert_close(write, golden.read(f"input_gate_{t}"), rtol=0, atol=1e-5)
        torch.testing.assert_close(keep, golden.read(f"forget_gate_{t}"), rtol=0, atol=1e-5)


def test_matrix_and_recall_of_the_hebbian_memory_are_the_originals(golden):
    if not isinstance(golden, GoldenHMem):
        pytest.skip("numbers of another core")
    core = golden.core()
    _, memory = core(golden.inputs, core.initial_state(golden.inputs.shape[1]))
    torch.testing.assert_close(memory, golden.read("eval_memory"), rtol=0, atol=1e-5)
    recalled, _ = core.step(golden.question, memory)
    torch.testing.assert_close(recalled, golden.read("eval_read"), rtol=0, atol=1e-5)


def test_every_step_of_the_neural_computer_is_the_originals(golden):
    if not isinstance(golden, GoldenDNC):
        pytest.skip("the state of every step is there for the neural computer only")
    core = golden.core()
    state = core.initial_state(golden.inputs.shape[1])
    for t, x in enumerate(golden.inputs):
        output, state = core.step(x, state)
        torch.testing.assert_close(output, golden.outputs()[t], rtol=0, atol=1e-5)
        expected = golden.state_at(t)
        for ours, theirs in zip(state_leaves(state), state_leaves(expected), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
