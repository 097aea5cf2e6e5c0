"""Files of golden numbers, and the core of ours that each should reproduce (`tests/golden`)."""

import json
from pathlib import Path

import numpy as np
import torch

from memory import ConvLSTMConfig, DNCConfig, DNCState, HMemConfig, LSTMConfig, LSTMState, RMCConfig
from memory.cores.convlstm import ConvLSTMState
from memory.cores.dnc.external_memory import MemoryState

FOLDER = Path(__file__).parents[2] / "golden"


class Golden:
    """One file of numbers, and the core of ours that should reproduce them."""

    precision = torch.double
    prefix: str
    """Begins the name of every parameter that the core takes."""
    options: tuple[str, ...] = ()
    """Keys that the file's `config` may have; each of them is honoured."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.config = json.loads(str(numbers["config"])) if "config" in numbers else {}
        if unknown := self.config.keys() - {*self.options}:
            known = ", ".join(sorted(self.options)) or "none"
            raise ValueError(f"config: unknown keys {', '.join(sorted(unknown))}; known: {known}")
        self.used: set[str] = set()
        self.inputs = self.read_inputs()

    def read_inputs(self):
        return self.read("x").requires_grad_()

    def read(self, name):
        self.used.add(name)
        return torch.from_numpy(self.numbers[name]).to(self.precision)

    def core(self):
        core = self.build().to(self.precision)
        core.load_state_dict(self.ours("param"), strict=True)
        unused = {name for name in self.numbers if name.startswith(self.prefix)} - self.used
        assert not unused, f"parameters that the core does not take: {unused}"
        return core

    def build(self):
        """The core, with weights of its own."""
        raise NotImplementedError

    def ours(self, kind):
        """Parameters, or their gradients, under our names and in our layout."""
        raise NotImplementedError


class GoldenRMC(Golden):
    prefix = "param__relational_memory__"
    options = (
        *("mem_slots", "num_heads", "head_size", "key_size", "num_blocks", "attention_mlp_layers"),
        *("gate_style", "input_bias", "forget_bias", "treat_input_as_matrix", "input_shape"),
    )

    def build(self):
        c = self.config
        assert self.inputs.shape == tuple(c["input_shape"])
        config = RMCConfig(
            slots=c["mem_slots"],
            heads=c["num_heads"],
            units=c["mem_slots"] * c["num_heads"] * c["head_size"],
            key_size=c.get("key_size"),
            blocks=c["num_blocks"],
            mlp_layers=c.get("attention_mlp_layers", 2),
            gate=c["gate_style"] or "none",
            input_bias=c.get("input_bias", 0.0),
            forget_bias=c.get("forget_bias", 1.0),
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
    options = ("forget_bias",)

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
            "bias": _swap(self.bias_of(kind)),
        }

    def bias_of(self, kind):
        bias = self.read(f"{kind}__lstm__b_gates")
        return bias if kind == "grad" else _with_forget_bias(bias, self.config)

    def outputs(self):
        return self.read("outputs")

    def final_state(self):
        return LSTMState(self.read("final_hidden"), self.read("final_cell"))


class GoldenConvLSTM(Golden):
    prefix = "param__conv_2d_lstm__"
    options = ("forget_bias",)

    def read_inputs(self):
        return self.read("x").movedim(-1, -3).requires_grad_()

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
            "bias": self.bias_of(kind),
        }

    def bias_of(self, kind):
        """One bias stands for that of both convolutions; its gradient is that of each."""
        first, second = (f"{kind}__conv_2d_lstm__{conv}__b" for conv in ("conv", "conv_1"))
        bias = self.read(first)
        if kind == "grad":
            return bias
        if second in self.numbers:
            bias = bias + self.read(second)
        return _with_forget_bias(bias, self.config)

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
    options = (
        *("memory_size", "word_size", "num_reads", "num_writes", "hidden_size", "output_size"),
        "clip_value",
    )
    precision = torch.float
    """That of the original: its rounding decides which of almost equally free rows goes first."""
    interface = (
        *("read_keys", "write_keys", "write_vectors", "read_strengths", "write_strengths"),
        *("erase_vectors", "free_gate", "allocation_gate", "write_gate", "read_mode"),
    )
    """Linear layers of the program, in the order in which our one projection holds them."""

    def build(self):
        c = self.config
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
    options = ("units", "hops", "rbw", "gamma_pos", "gamma_neg", "w_max", "bn_eps", "ln_eps")

    def read_inputs(self):
        # Sentences of padding are zeros to us; the original's normalisation moved them.
        written = torch.from_numpy(self.numbers["story"]).ne(0).any(-1, keepdim=True)
        self.question = self._normalised("eval_query_enc", "bnq")[:, 0]  # the same for every hop
        return (self._normalised("eval_story_enc", "bns") * written).transpose(0, 1)

    def _normalised(self, name, norm):
        parts = ("moving_mean", "moving_variance", "gamma", "beta")
        mean, variance, gamma, beta = (self.read(f"param__{norm}__{part}") for part in parts)
        return (self.read(name) - mean) / (variance + self.config["bn_eps"]).sqrt() * gamma + beta

    def build(self):
        c = self.config
        config = HMemConfig(
            units=c["units"],
            hops=c["hops"],
            read_before_write=bool(c["rbw"]),
            gain=c["gamma_pos"],
            decay=c["gamma_neg"],
            largest=c["w_max"],
            output="recall",
        )
        core = config.build(tuple(self.inputs.shape[2:]))
        for norm in (core.key_norm, core.value_norm):
            if norm is not None:
                norm.eps = self.config["ln_eps"]
        return core

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


def _with_forget_bias(bias, config):
    """The trained bias with the constant one of the forget gate, of which our cores add 1."""
    i, j, f, o = bias.chunk(4)
    return torch.cat([i, j, f + config.get("forget_bias", 1.0) - 1.0, o])


KINDS = (GoldenRMC, GoldenLSTM, GoldenConvLSTM, GoldenDNC, GoldenHMem)


def kind_of(names):
    """The reader of a file that holds arrays of these names."""
    for kind in KINDS:
        if any(name.startswith(kind.prefix) for name in names):
            return kind
    raise ValueError(f"parameters of an unknown program: {', '.join(sorted(names))}")


def files_of(*kinds):
    """The files of some readers, by name."""
    return {
        file.name: file
        for file in sorted(FOLDER.glob("*.npz"))
        if kind_of(np.load(file).files) in kinds
    }


def read_golden(file, **changes):
    """The numbers of a file; `changes` are arrays to put in their place."""
    numbers = dict(np.load(file, allow_pickle=False)) | changes
    return kind_of(numbers)(numbers)
