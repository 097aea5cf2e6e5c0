"""Relational memory core: rows of memory that attend to each other and to the input.

Source: Santoro et al., "Relational recurrent neural networks" (2018), section 3 and appendix A, and
the authors' own program, the RelationalMemory of Sonnet 1, whose numbers this core reproduces. One
step, with memory M of N rows and the embedded input e (one row, or several in `rows` input):

    A  = [M; e]
    A  = LN(A + attention(A)),  A = LN(A + MLP(A))        `blocks` times
    i, f = W e + U tanh(M)
    M' = sigmoid(i) tanh(A[:N]) + sigmoid(f + 1) M         the output is M', flattened

Differs from the paper, as the authors' program does:

* queries, keys and values come from one projection, normalised together (equation 2 has three);
* the input rows issue queries too, which has an effect with more than one block only;
* there is no output gate and no separate hidden state: tanh(M) stands for h (equations 4 to 8);
* the memory starts as the identity matrix, not at random: equal rows would stay equal.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.core import Core, CoreConfig, InputKind, select
from memory.fused.acting import CoreStep
from memory.fused.call import FusedOrTriton
from memory.fused.held import Held
from memory.fused.rmc import FusedRMC, code
from memory.kernels.available import check_kernels
from memory.kernels.rmc import KernelRMC
from memory.layers.attention import AttentionBlock, Heads
from memory.layers.initialisation import linear
from memory.observed import Observed
from memory.options import divisible, input_shape_of, one_of, positive

Gate = Literal["unit", "memory", "none"]
Scale = Literal["key", "qkv"]
RMCInput = Literal["flat", "rows"]


@dataclass(frozen=True, kw_only=True)
class RMCConfig(CoreConfig):
    """Relational memory core."""

    slots: int = 4
    """Rows of memory."""
    heads: int = 4
    """Attention heads."""
    units: int = 1024
    """Units of the whole memory: slots times heads times the size of a head."""
    key_size: int | None = None
    """Size of a head's queries and keys; the size of a head if not given."""
    blocks: int = 1
    """Rounds of attention per step."""
    mlp_layers: int = 2
    """Layers of the perceptron that follows each attention."""
    gate: Gate = "memory"
    """A gate per unit, one per row of memory (the paper's choice for BoxWorld), or none."""
    scale: Scale = "key"
    """Attention divides by the root of the key size, or of query, key and value sizes together: the
    authors' program before November 2018, and so probably the runs of the paper."""
    input_bias: float = 0.0
    """Constant added to the input gate, not trained."""
    forget_bias: float = 1.0
    """Constant added to the forget gate, not trained. At 1 a fresh memory settles in states of its
    own, through which little of an input shows; below 0 it follows the input, and has to learn to
    keep."""
    input: RMCInput = "flat"
    """The input of a step is one vector, or a set of rows that are attended to one by one."""
    fused: FusedOrTriton = "auto"
    """Compute whole sequences in compiled code where it is available (float32 on a CPU with a C++
    compiler), or never. It gives first derivatives only, and none forward. With bf16 it multiplies
    matrices in bfloat16, if the CPU has avx512_bf16: faster by half, but right to two digits. With
    triton, on a GPU and with one block, a sequence is one kernel; on a CPU, triton is as auto."""

    @property
    def input_kind(self) -> InputKind:
        """What a step takes."""
        return "rows" if self.input == "rows" else "vector"

    @classmethod
    def of_width(cls, width: int) -> "RMCConfig":
        """Of 4 slots, each with 4 heads of size `width`."""
        return cls(units=16 * width)

    @classmethod
    def small(cls) -> Mapping[str, "RMCConfig"]:
        """Both inputs, every gate, one block and several."""
        return {
            "": cls(units=32, slots=2, heads=2),
            "rows": cls(units=32, slots=2, heads=2, input="rows", gate="unit", mlp_layers=1),
            "three blocks": cls(units=32, slots=4, heads=1, blocks=3, gate="none", key_size=5),
        }

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        ungated = self.gate == "none"
        return dict.fromkeys(("input_bias", "forget_bias"), "--core.gate none") if ungated else {}

    def build(self, input_shape: tuple[int, ...]) -> "RMC":
        """Make the core for inputs of shape (F,), or (N, F) when the input is rows."""
        one_of("gate", self.gate, get_args(Gate))
        one_of("scale", self.scale, get_args(Scale))
        one_of("input", self.input, get_args(RMCInput))
        one_of("fused", self.fused, get_args(FusedOrTriton))
        positive(slots=self.slots, heads=self.heads, units=self.units, blocks=self.blocks)
        positive(mlp_layers=self.mlp_layers)
        for name in ("input_bias", "forget_bias"):
            if math.isnan(getattr(self, name)):
                raise ValueError(f"{name}=nan: must be a number")
        if self.key_size is not None:
            positive(key_size=self.key_size)
        divisible("units", self.units, {"slots": self.slots, "heads": self.heads})
        letters = ("N", "F") if self.input == "rows" else ("F",)
        return RMC(self, input_shape_of(f"rmc with input={self.input}", input_shape, *letters))


class InputTerms(NamedTuple):
    """All that a step needs of its input: none of it depends on the memory."""

    rows: Float[Tensor, "*T B n D"]
    projected: Float[Tensor, "*T B n P"]
    gates: Float[Tensor, "*T B 1 G"] | None = None


class RMC(Core[Tensor]):
    """Relational memory core; the state is the memory, [B, N, D], the output its rows in a line."""

    def __init__(self, config: RMCConfig, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        heads = _heads(config)
        self.slots, self.width, self.input = config.slots, heads.width, config.input
        self.input_bias, self.forget_bias = config.input_bias, config.forget_bias
        self.output_size = config.units
        rows = input_shape[0] if config.input == "rows" else 1
        self.embed = linear(input_shape[-1], heads.width)
        names = [str(slot + 1) for slot in range(config.slots)] + ["in"] * rows
        blocks = nn.ModuleList(AttentionBlock(heads, names) for _ in range(config.blocks))
        self.blocks = cast("Sequence[AttentionBlock]", blocks)
        self.mlp = _perceptron(heads.width, config.mlp_layers)
        self.gated = config.gate != "none"
        if self.gated:
            gates = 2 * (heads.width if config.gate == "unit" else 1)
            self.gate_input = linear(rows * heads.width, gates)
            self.gate_memory = linear(heads.width, gates)
            self.input_gate = Observed(slot=(), unit=())
            self.forget_gate = Observed(slot=(), unit=())
        self.fused, self.kernels, self.held = None, None, Held()
        if config.fused != "never":
            self.fused = FusedRMC(
                self,
                input_shape,
                features=input_shape[-1],
                inputs=rows,
                slots=config.slots,
                heads=heads.count,
                key=heads.key_size,
                value=heads.value_size,
                blocks=config.blocks,
                layers=config.mlp_layers,
                gates=self.gate_memory.out_features if self.gated else 0,
                scale=heads.scale,
                halves=config.fused == "bf16",
            )
        if self.fused and config.fused == "triton":
            self.kernels = KernelRMC(self.fused, self.blocks[0].qkv_norm.eps)

    def initial_state(self, batch: int) -> Float[Tensor, "B N D"]:
        """Rows of the identity matrix, cut or filled up with zeros to the width."""
        weight = self.embed.weight
        eye = torch.eye(self.slots, self.width, dtype=weight.dtype, device=weight.device)
        return eye.repeat(batch, 1, 1)

    def check_device(self, device: str) -> None:
        """Raise a `ValueError` if kernels or bfloat16 are requested and do not compute there."""
        if self.kernels:
            check_kernels(device)
        if self.fused and self.fused.sizes["halves"] and device == "cpu":
            code.check_halves()

    def step(
        self, x: Float[Tensor, "B *features"], state: Float[Tensor, "B N D"]
    ) -> tuple[Float[Tensor, "B units"], Float[Tensor, "B N D"]]:
        """Consume one time step."""
        if self.why_plain(x[None], state) is None:
            outputs, memory = self._run(x[None], state, None)
            return outputs[0], memory
        memory = self._update(self._read_input(x), state)
        return memory.flatten(1), memory

    def step_from(
        self,
        x: Float[Tensor, "B *features"],
        state: Float[Tensor, "B N D"],
        reset: Bool[Tensor, " B"],
    ) -> tuple[Float[Tensor, "B units"], Float[Tensor, "B N D"]]:
        """As `step`, from a fresh state where `reset`."""
        if self.why_plain(x[None], state, reset[None]) is None:
            outputs, state = self._run(x[None], state, reset[None])
            return outputs[0], state
        return super().step_from(x, state, reset)

    def forward(
        self,
        inputs: Float[Tensor, "T B *features"],
        state: Float[Tensor, "B N D"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B units"], Float[Tensor, "B N D"]]:
        """Unroll over time; what depends on the inputs alone is computed for all times at once."""
        if self.why_plain(inputs, state, reset) is None:
            return self._run(inputs, state, reset)
        fresh = None if reset is None else self.initial_state(inputs.shape[1])
        terms = self._read_input(inputs)
        memories: list[Tensor] = []
        for t, now in enumerate(_each_step(terms)):
            if reset is not None:
                state = select(reset[t], fresh, state)
            state = self._update(now, state)
            memories.append(state)
        return torch.stack(memories).flatten(2), state

    def why_plain(self, inputs: Tensor, state: Tensor, reset: Tensor | None = None) -> str | None:
        """Why plain PyTorch computes an unroll of these; None if compiled code or kernels do."""
        if self.fused is None:
            return "fused=never"
        if self.kernels:
            reason = self.kernels.why_not(self, inputs, state, reset)
            if reason is None or inputs.is_cuda:
                return reason
        return self.fused.why_not(self, self.held, inputs, state, reset)

    def _run(
        self,
        inputs: Float[Tensor, "T B *features"],
        state: Float[Tensor, "B N D"],
        reset: Bool[Tensor, "T B"] | None,
    ) -> tuple[Float[Tensor, "T B units"], Float[Tensor, "B N D"]]:
        assert self.fused is not None
        if self.kernels and self.kernels.why_not(self, inputs, state, reset) is None:
            terms, (fresh,) = self._read_input(inputs), self.initial_state(1)
            given = terms.projected, terms.gates, state, fresh, reset
            return self.kernels(self, *given, **self._biases)
        return self.fused(self, self.held, inputs, state, reset, **self._biases)

    def compiled_step(self, batch: int) -> CoreStep | None:
        """See `memory.fused.acting.HasCompiledStep`."""
        if self.fused is None:
            return None
        x = self.embed.weight.new_empty(1, batch, *self.fused.input_shape)
        if self.fused.why_not(self, self.held, x, self.initial_state(batch), None) is not None:
            return None
        return self.fused.step(self, self.held, batch, **self._biases)

    @property
    def _biases(self) -> dict[str, float]:
        return {"input_bias": self.input_bias, "forget_bias": self.forget_bias}

    def gates(
        self, from_input: Float[Tensor, "B 1 G"], memory: Float[Tensor, "B N D"]
    ) -> tuple[Float[Tensor, "B N g"], Float[Tensor, "B N g"]]:
        """Input and forget gates, in (0, 1), one per unit or per row of memory (equations 4, 5)."""
        i, f = (from_input + self.gate_memory(torch.tanh(memory))).chunk(2, dim=-1)
        input_gate = self.input_gate(torch.sigmoid(i + self.input_bias))
        return input_gate, self.forget_gate(torch.sigmoid(f + self.forget_bias))

    def _read_input(self, x: Float[Tensor, "*T B F"]) -> InputTerms:
        embedded = self.embed(x)
        rows = embedded if self.input == "rows" else embedded.unsqueeze(-2)
        gates = self.gate_input(rows.flatten(-2)).unsqueeze(-2) if self.gated else None
        return InputTerms(rows, self.blocks[0].project(rows), gates)

    def _update(self, terms: InputTerms, memory: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        candidate = self._attend(terms, memory)
        if terms.gates is None:
            return candidate
        input_gate, forget_gate = self.gates(terms.gates, memory)
        return input_gate * torch.tanh(candidate) + forget_gate * memory

    def _attend(self, terms: InputTerms, memory: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Run the blocks; in the last the input rows only answer, what they would read is lost."""
        first, last = self.blocks[0], self.blocks[-1]
        projected = torch.cat([first.project(memory), terms.projected], dim=1)
        if first is last:
            return first(memory, projected, self.mlp)
        rows = first(torch.cat([memory, terms.rows], dim=1), projected, self.mlp)
        for block in self.blocks[1:-1]:
            rows = block(rows, block.project(rows), self.mlp)
        return last(rows[:, : self.slots], last.project(rows), self.mlp)


def _each_step(terms: InputTerms) -> Iterator[InputTerms]:
    """The terms of one time after the other."""
    # Unbound, not indexed: the gradient of an index fills a whole [T, ...] with zeros, T times.
    for now in zip(*(term.unbind() for term in terms if term is not None), strict=True):
        yield InputTerms(*now)


def _heads(config: RMCConfig) -> Heads:
    value = divisible("units", config.units, {"slots": config.slots, "heads": config.heads})
    key = config.key_size or value
    size = key if config.scale == "key" else 2 * key + value
    return Heads(count=config.heads, key_size=key, value_size=value, scale=size**-0.5)


def _perceptron(width: int, layers: int) -> nn.Sequential:
    """Rectified linear layers, all of one width; the last one is linear."""
    hidden = [module for _ in range(layers - 1) for module in (linear(width, width), nn.ReLU())]
    return nn.Sequential(*hidden, linear(width, width))
