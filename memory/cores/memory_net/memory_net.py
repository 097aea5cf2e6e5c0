"""Memory-net: a memory that is one vector, rewritten at every step by a small network of its own.

Source: Barrett, "Learning to remember" (MANN-RL), and its program: the memory starts at zero and
m' = sigmoid(BN(W [x; m] + b)), with x optionally embedded first by ReLU(BN(V x + c)).

Modes:

* `bptt`: trained by back-propagation through time, the differentiable upper bound;
* `frozen`: a random network, never trained;
* `frozen_bn`: as `frozen`, but the statistics of its normalisation adapt: a well-scaled reservoir;
* `published`: trained by the rule of the paper's program, which does not depend on the task;
* `td_fixed`: that rule mended (both in `memory/cores/memory_net/taught.py`);
* `reinforce`: the memory is cut into slots, and a network trained by reinforcement decides at every
  step which of them take a code of the input (`memory/cores/memory_net/deciding.py`).

Differs from the paper:

* The published reward has no effect on the memory, so a result of `published`, `td_fixed` or
  `reinforce` counts above `frozen` and `frozen_bn` only.
* Normalisation uses the running statistics always, in training too. A call of `forward` or `replay`
  in training mode moves them once, after their use, towards those of its whole [T, B] batch.
* The output is [x; m'], after the step, unless `output` says otherwise; the paper's action net
  reads [x; m], before it.
* An episode starts from zeros; the program never clears the memory between sequences.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from memory.core import Core, CoreConfig
from memory.cores.memory_net.deciding import DecidingMemoryNet
from memory.cores.memory_net.rewrite import Output, Rewrite, Show
from memory.cores.memory_net.taught import TaughtMemoryNet
from memory.options import divisible, input_shape_of, one_of, positive

MemoryNetMode = Literal["bptt", "frozen", "frozen_bn", "published", "td_fixed", "reinforce"]
MemoryNetOutput = Literal["auto", Output]


@dataclass(frozen=True, kw_only=True)
class MemoryNetConfig(CoreConfig):
    """Memory-net: one vector of memory, rewritten by a network of its own."""

    units: int = 256
    """Units of memory."""
    embedding: int = 0
    """Units of a layer that embeds the input first; 0 for none."""
    mode: MemoryNetMode = "bptt"
    """What is trained: all by back-propagation through time, nothing, the statistics of the
    normalisation only, all by a loss computed from the losses of the steps (published, td_fixed),
    or (reinforce) the decisions which slots to write."""
    slots: int = 8
    """Slots that the memory is cut into: one decision each. Used by mode reinforce only."""
    decision_units: int = 128
    """Hidden units of the network that decides. Used by mode reinforce only."""
    discount: float = 0.99
    """Weight of a loss one step later in the memory's own loss. Used by modes published and
    td_fixed only."""
    dampening: float = 3.0
    """Factor c of the published damping c log(1 + loss). Used by mode published only."""
    output: MemoryNetOutput = "auto"
    """What the next layer sees. Auto: the input and the memory after the step; in mode reinforce
    the memory before it, from which nothing is lost by writing the input, which is seen anyway."""
    momentum: float = 0.1
    """Weight of each new batch in the running statistics."""

    @classmethod
    def of_width(cls, width: int) -> "MemoryNetConfig":
        """Of `width` units of memory."""
        return cls(units=width)

    @classmethod
    def small(cls) -> Mapping[str, "MemoryNetConfig"]:
        """Every mode, some with an embedding."""
        return {
            "": cls(units=16),
            "embedding": cls(units=16, embedding=4, output="memory"),
            "frozen": cls(units=16, mode="frozen"),
            "frozen_bn": cls(units=16, mode="frozen_bn", embedding=8),
            "published": cls(units=16, mode="published", embedding=8),
            "td_fixed": cls(units=16, mode="td_fixed"),
            "reinforce": cls(units=16, mode="reinforce", embedding=8, slots=4),
        }

    @property
    def decides(self) -> bool:
        """Whether the core makes decisions that are trained by reinforcement."""
        return self.mode == "reinforce"

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        users = {
            "slots": ("reinforce",),
            "decision_units": ("reinforce",),
            "dampening": ("published",),
            "discount": ("published", "td_fixed"),
        }
        idle = {
            name: f"a --core.mode other than {' and '.join(modes)}"
            for name, modes in users.items()
            if self.mode not in modes
        }
        return idle | ({"momentum": "--core.mode frozen"} if self.mode == "frozen" else {})

    def build(
        self, input_shape: tuple[int, ...]
    ) -> "MemoryNet | DecidingMemoryNet | TaughtMemoryNet":
        """Make the core for inputs of shape (F,)."""
        one_of("mode", self.mode, get_args(MemoryNetMode))
        one_of("output", self.output, get_args(MemoryNetOutput))
        positive(units=self.units)
        if self.embedding < 0:
            raise ValueError(f"embedding={self.embedding}: must be 0, for none, or more")
        if not 0.0 < self.momentum <= 1.0:
            raise ValueError(f"momentum={self.momentum}: must be above 0 and at most 1")
        (features,) = input_shape_of("memory_net", input_shape, "F")
        output = self.output
        if output == "auto":
            before = self.mode == "reinforce"
            output = "input_and_memory_before" if before else "input_and_memory"
        reads_memory = self.mode != "reinforce"
        rewrite = Rewrite(features, self.units, self.embedding, self.momentum, reads_memory)
        if self.mode == "reinforce":
            positive(slots=self.slots, decision_units=self.decision_units)
            divisible("units", self.units, {"slots": self.slots})
            return DecidingMemoryNet(rewrite, output, self.slots, self.decision_units)
        if self.mode == "published" or self.mode == "td_fixed":
            if not 0.0 <= self.discount < 1.0:
                raise ValueError(f"discount={self.discount}: must be at least 0 and below 1")
            return TaughtMemoryNet(rewrite, output, self.mode, self.discount, self.dampening)
        return MemoryNet(rewrite, output, self.mode)


class MemoryNet(Core[Tensor]):
    """Memory-net, trained through time or not at all."""

    def __init__(
        self, rewrite: Rewrite, output: Output, mode: Literal["bptt", "frozen", "frozen_bn"]
    ) -> None:
        super().__init__()
        self.show = Show(output, rewrite.features, rewrite.units)
        self.output_size = self.show.size
        self.carries_gradient = mode == "bptt"
        self.adapts = mode != "frozen"
        self.rewrite = rewrite.requires_grad_(self.carries_gradient)

    def initial_state(self, batch: int) -> Float[Tensor, "B D"]:
        """Zeros."""
        return self.rewrite.zeros(batch)

    def step(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "B O"], Float[Tensor, "B D"]]:
        """Consume one time step; the statistics stay."""
        with torch.set_grad_enabled(self.carries_gradient and torch.is_grad_enabled()):
            after, _ = self.rewrite(self.rewrite.read_input(x).summand, state)
        return self.show(x, state, after), after

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B O"], Float[Tensor, "B D"]]:
        """Unroll over time, with the inputs of all times projected at once."""
        with torch.set_grad_enabled(self.carries_gradient and torch.is_grad_enabled()):
            unroll = self.rewrite.unroll(inputs, state, reset)
        if self.training and self.adapts:
            self.rewrite.absorb(unroll.terms, unroll.raws)
        return self.show(inputs, unroll.before, unroll.after), unroll.after[-1]
