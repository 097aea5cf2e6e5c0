"""H-Mem: an associative memory written by a Hebbian rule, within an episode.

Source: Limbacher and Legenstein, "H-Mem: Harnessing synaptic plasticity with Hebbian memory
networks" (2020), section 2, and the authors' program, whose numbers this core reproduces. The
memory W starts at zero, its rows belong to keys, its columns to values. A step first recalls from
the memory as it stands, in `hops` rounds with r = 0 at first, then writes:

    r = relu(Q [x; r])^T W                                                    recall, `hops` times
    k = relu(K x)      v = relu(V x)
    W = W + gamma+ (w_max - W) (k v^T) - gamma- W (k^2 1^T)                   elementwise

With `read_before_write`, k = LN(k) and v = LN(V2 [v; k^T W]) before they are written.

Differs from the paper:

* the input of a step is one vector, made by an encoder elsewhere; it is what is stored and what
  asks, so the question is what comes last;
* the output is [x; r] unless it is asked to be what was recalled alone: r says nothing of x;
* |gamma+ k v| and gamma- k^2 are cut at 1: one write moves an entry no further than all the way, or
  large inputs would blow the memory up. The program's inputs are normalised before, by its encoder.
"""

# pyright: standard

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.core import Core, CoreConfig, select
from memory.layers.padding import is_present
from memory.observed import Observed
from memory.options import input_shape_of, one_of, positive

Output = Literal["input_and_recall", "recall"]

NORM_EPSILON = 1e-3
"""As in the authors' program."""


@dataclass(frozen=True, kw_only=True)
class HMemConfig(CoreConfig):
    """Hebbian associative memory."""

    units: int = 100
    """Size of keys and values."""
    hops: int = 3
    """Rounds of recall per step."""
    read_before_write: bool = False
    """Make the stored value from the new one and from what its key recalls."""
    gain: float = 0.01
    """Rate of growth where key and value are active together (gamma+)."""
    decay: float = 0.01
    """Rate of decay of the rows whose key is active (gamma-)."""
    largest: float = 1.0
    """Bound that growth goes towards (w_max)."""
    output: Output = "input_and_recall"
    """What the next layer sees."""
    penalty: float = 0.0
    """Times the squares of K, V and Q, added to the loss; 0.001 in the authors' program."""

    @classmethod
    def of_width(cls, width: int) -> "HMemConfig":
        """Of `width` units, with rates that suit short sequences."""
        return cls(units=width, gain=0.1, decay=0.1)

    @classmethod
    def small(cls) -> Mapping[str, "HMemConfig"]:
        """Without and with a read before each write."""
        return {
            "": cls(units=16, gain=0.1, decay=0.1),
            "read before write": cls(
                units=12, read_before_write=True, gain=0.3, decay=0.2, output="recall"
            ),
        }

    def build(self, input_shape: tuple[int, ...]) -> "HMem":
        """Make the core for inputs of shape (F,)."""
        positive(units=self.units, hops=self.hops)
        one_of("output", self.output, get_args(Output))
        for name in ("gain", "decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be from 0 to 1")
        if not self.penalty >= 0:
            raise ValueError(f"penalty={self.penalty}: must be 0 or more")
        if not 0 < self.largest < math.inf:
            raise ValueError(f"largest={self.largest}: must be above 0 and finite")
        (features,) = input_shape_of("hmem", input_shape, "F")
        return HMem(self, features)


class InputTerms(NamedTuple):
    """What a step needs of its input, before it sees the memory."""

    cue: Float[Tensor, "*T B U"]
    """The input's share of Q [x; r]."""
    key: Float[Tensor, "*T B U"]
    value: Float[Tensor, "*T B U"]
    """With read_before_write, its share of V2 [v; k^T W] instead."""
    present: Bool[Tensor, "*T B 1"]


class HMem(Core[Tensor]):
    """Hebbian associative memory; the state is the matrix W, [B, U, U]."""

    def __init__(self, config: HMemConfig, features: int) -> None:
        super().__init__()
        self.config = config
        self.shows_input = config.output == "input_and_recall"
        self.output_size = config.units + (features if self.shows_input else 0)
        self.key = _linear(features, config.units)
        self.value = _linear(features, config.units)
        self.cue = _linear(features + config.units, config.units)
        self.merge = self.key_norm = self.value_norm = None
        if config.read_before_write:
            self.merge = _linear(2 * config.units, config.units)
            self.key_norm = nn.LayerNorm(config.units, eps=NORM_EPSILON)
            self.value_norm = nn.LayerNorm(config.units, eps=NORM_EPSILON)
        self.keys, self.recalled = Observed(hop=(), unit=()), Observed(unit=())

    def penalties(self) -> Iterable[tuple[Tensor, float]]:
        """Of keys, values and cues."""
        layers = (self.key, self.value, self.cue)
        return [(layer.weight, self.config.penalty) for layer in layers if self.config.penalty]

    def initial_state(self, batch: int) -> Float[Tensor, "B U U"]:
        """Zeros."""
        return self.key.weight.new_zeros(batch, self.config.units, self.config.units)

    def step(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B U U"]
    ) -> tuple[Float[Tensor, "B O"], Float[Tensor, "B U U"]]:
        """Consume one time step."""
        terms = self._read_input(x)
        return self._output(x, self._recall(terms.cue, state)), self._write(terms, state)

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B U U"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B O"], Float[Tensor, "B U U"]]:
        """Unroll over time, with the inputs of all times projected at once."""
        recalls, state = self._unroll([True] * len(inputs), inputs, state, reset)
        return self._output(inputs, recalls), state

    def outputs_at(
        self,
        wanted: Bool[Tensor, "T B"],
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B U U"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "S O"], Float[Tensor, "B U U"]]:
        """Recalls at the steps where any is wanted."""
        steps = wanted.any(dim=1)
        recalls, state = self._unroll(steps.tolist(), inputs, state, reset)
        return self._output(inputs[wanted], recalls[wanted[steps]]), state

    def _unroll(
        self,
        recalling: list[bool],
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B U U"],
        reset: Bool[Tensor, "T B"] | None,
    ) -> tuple[Float[Tensor, "R B U"], Float[Tensor, "B U U"]]:
        """What was recalled at the R steps that recall, and the memory after the last."""
        fresh = None if reset is None else self.initial_state(inputs.shape[1])
        terms = self._read_input(inputs)
        recalls: list[Tensor] = []
        for t, now in enumerate(zip(*(term.unbind() for term in terms), strict=True)):
            if reset is not None:
                state = select(reset[t], fresh, state)
            step = InputTerms(*now)
            if recalling[t]:
                recalls.append(self._recall(step.cue, state))
            state = self._write(step, state)
        return torch.stack(recalls), state

    def _read_input(self, x: Float[Tensor, "*T B F"]) -> InputTerms:
        key, value = torch.relu(self.key(x)), torch.relu(self.value(x))
        if self.key_norm is not None and self.merge is not None:
            key = self.key_norm(key)
            value = value @ self.merge.weight[:, : self.config.units].t()
        cue = x @ self.cue.weight[:, : x.shape[-1]].t()
        return InputTerms(cue, key, value, is_present(x))

    def _recall(
        self, cue: Float[Tensor, "B U"], memory: Float[Tensor, "B U U"]
    ) -> Float[Tensor, "B U"]:
        from_recalled = self.cue.weight[:, -self.config.units :].t()
        recalled = None
        for _ in range(self.config.hops):
            now = cue if recalled is None else cue + recalled @ from_recalled
            recalled = _look_up(self.keys(torch.relu(now)), memory)
        assert recalled is not None
        return self.recalled(recalled)

    def _write(self, terms: InputTerms, memory: Float[Tensor, "B U U"]) -> Float[Tensor, "B U U"]:
        key, value = terms.key, terms.value
        if self.merge is not None and self.value_norm is not None:
            stored = _look_up(key, memory)
            value = self.value_norm(value + stored @ self.merge.weight[:, value.shape[-1] :].t())
        rows = torch.where(terms.present, key, 0.0).unsqueeze(-1)  # of padding, nothing is written
        gain = ((self.config.gain * rows) * value.unsqueeze(-2)).clamp(-1, 1)
        decay = (self.config.decay * rows.square()).clamp(max=1)
        # memory + gain (largest - memory) - decay memory, in fewer passes over the matrix
        return memory * (1 - decay - gain) + self.config.largest * gain

    def _output(
        self, x: Float[Tensor, "*T B F"], recalled: Float[Tensor, "*T B U"]
    ) -> Float[Tensor, "*T B O"]:
        return torch.cat([x, recalled], dim=-1) if self.shows_input else recalled


def _look_up(key: Float[Tensor, "B U"], memory: Float[Tensor, "B U V"]) -> Float[Tensor, "B V"]:
    """k^T W"""
    return (key.unsqueeze(-2) @ memory).squeeze(-2)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """No bias, and the uniform start of He et al. (2015)."""
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    return layer
