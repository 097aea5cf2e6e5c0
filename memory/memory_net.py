"""Memory-net: a memory that is one vector, rewritten at every step by a small network of its own.

Source: Barrett, "Learning to remember" (MANN-RL), and its program: the memory starts at zero and
m' = sigmoid(BN(W [x; m] + b)), with x optionally embedded first by ReLU(BN(V x + c)).

Modes:

* `bptt`: trained by back-propagation through time, the differentiable upper bound;
* `frozen`: a random network, never trained;
* `frozen_bn`: as `frozen`, but the statistics of its normalisation adapt: a well-scaled reservoir;
* `reinforce`: as `frozen_bn`, but the memory is cut into slots, and a trained network decides at
  every step which slots take their new content and which keep their old one.

Differs from the paper:

* The published rule of learning is not here: its reward cannot be felt by the memory, so what it
  trains is `frozen_bn`. A result of `reinforce` counts above `frozen` and `frozen_bn` only.
* Normalisation uses the running statistics always, in training too. A call of `forward` or `replay`
  in training mode moves them once, after their use, towards those of its whole [T, B] batch.
* The output is [x; m'], after the step; the paper's action net reads [x; m], before it.
* An episode starts from zeros; the program never clears the memory between sequences.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.core import Core, DecidingCore, InputKind, select
from memory.initialisation import linear, truncated_normal_
from memory.observed import Observed
from memory.options import divisible, input_shape_of, one_of, positive
from memory.running_norm import RunningNorm

MemoryNetMode = Literal["bptt", "frozen", "frozen_bn", "reinforce"]
MemoryNetOutput = Literal["input_and_memory", "memory"]


@dataclass(frozen=True, kw_only=True)
class MemoryNetConfig:
    """Memory-net: one vector of memory, rewritten by a network of its own."""

    units: int = 256
    """Units of memory."""
    embedding: int = 0
    """Units of a layer that embeds the input first; 0 for none."""
    mode: MemoryNetMode = "bptt"
    """What is trained: all by back-propagation through time, nothing, the statistics of the
    normalisation only, or (reinforce) the decisions which slots to write."""
    slots: int = 8
    """Slots that the memory is cut into: one decision each. Used by mode reinforce only."""
    output: MemoryNetOutput = "input_and_memory"
    """What the next layer sees."""
    momentum: float = 0.1
    """Weight of each new batch in the running statistics."""

    input_kind: ClassVar[InputKind] = "vector"

    def build(self, input_shape: tuple[int, ...]) -> "MemoryNet | DecidingMemoryNet":
        """Make the core for inputs of shape (F,)."""
        one_of("mode", self.mode, get_args(MemoryNetMode))
        one_of("output", self.output, get_args(MemoryNetOutput))
        positive(units=self.units)
        if self.embedding < 0:
            raise ValueError(f"embedding={self.embedding}: must be 0, for none, or more")
        if not 0.0 < self.momentum <= 1.0:
            raise ValueError(f"momentum={self.momentum}: must be above 0 and at most 1")
        (features,) = input_shape_of("memory_net", input_shape, "F")
        if self.mode == "reinforce":
            positive(slots=self.slots)
            divisible("units", self.units, {"slots": self.slots})
            return DecidingMemoryNet(self, features)
        return MemoryNet(self, features)


class InputTerms(NamedTuple):
    """What the network makes of an input before it sees the memory."""

    summand: Float[Tensor, "*T B D"]
    embedding: Float[Tensor, "*T B E"] | None
    """The embedding before its normalisation, for the statistics."""


class Rewrite(nn.Module):
    """The network that makes the new memory from an input and the old memory."""

    def __init__(self, config: MemoryNetConfig, features: int) -> None:
        super().__init__()
        self.embed = linear(features, config.embedding) if config.embedding else None
        self.embed_norm = RunningNorm(config.embedding, config.momentum) if self.embed else None
        width = config.embedding or features
        self.from_input = linear(width, config.units)
        self.from_memory = nn.Linear(config.units, config.units, bias=False)
        self.norm = RunningNorm(config.units, config.momentum)
        self.content = Observed()
        for layer in (self.from_input, self.from_memory):
            truncated_normal_(layer.weight, width + config.units)

    def read_input(self, x: Float[Tensor, "*T B F"]) -> InputTerms:
        """What depends on the input alone."""
        if self.embed is None or self.embed_norm is None:
            return InputTerms(self.from_input(x), None)
        embedding = self.embed(x)
        return InputTerms(self.from_input(torch.relu(self.embed_norm(embedding))), embedding)

    def forward(
        self, summand: Float[Tensor, "B D"], memory: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]]:
        """Return the new memory, and what it was before its normalisation."""
        raw = summand + self.from_memory(memory)
        return self.content(torch.sigmoid(self.norm(raw))), raw

    def absorb(self, terms: InputTerms, raws: list[Tensor]) -> None:
        """Move the statistics towards those of an unroll."""
        if self.embed_norm is not None and terms.embedding is not None:
            self.embed_norm.absorb(terms.embedding)
        self.norm.absorb(torch.stack(raws))


class MemoryNet(Core[Tensor]):
    """Memory-net, trained through time or not at all."""

    def __init__(self, config: MemoryNetConfig, features: int) -> None:
        super().__init__()
        self.units, self.shows_input = config.units, config.output == "input_and_memory"
        self.output_size = config.units + (features if self.shows_input else 0)
        self.carries_gradient = config.mode == "bptt"
        self.adapts = config.mode != "frozen"
        self.rewrite = Rewrite(config, features).requires_grad_(self.carries_gradient)

    def initial_state(self, batch: int) -> Float[Tensor, "B D"]:
        """Zeros."""
        return self.rewrite.norm.bias.new_zeros(batch, self.units)

    def step(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "B O"], Float[Tensor, "B D"]]:
        """Consume one time step; the statistics stay."""
        with torch.set_grad_enabled(self.carries_gradient and torch.is_grad_enabled()):
            state, _ = self.rewrite(self.rewrite.read_input(x).summand, state)
        return _output(x, state, self.shows_input), state

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B O"], Float[Tensor, "B D"]]:
        """Unroll over time, with the inputs of all times projected at once."""
        with torch.set_grad_enabled(self.carries_gradient and torch.is_grad_enabled()):
            memories = self._remember(inputs, state, reset)
        return _output(inputs, memories, self.shows_input), memories[-1]

    def _remember(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None,
    ) -> Float[Tensor, "T B D"]:
        fresh = None if reset is None else self.initial_state(inputs.shape[1])
        terms = self.rewrite.read_input(inputs)
        memories, raws = [], []
        for t, summand in enumerate(terms.summand.unbind()):
            if reset is not None:
                state = select(reset[t], fresh, state)
            state, raw = self.rewrite(summand, state)
            memories.append(state)
            raws.append(raw)
        if self.training and self.adapts:
            self.rewrite.absorb(terms, raws)
        return torch.stack(memories)


class DecidingMemoryNet(DecidingCore[Tensor]):
    """Memory-net whose slots are written or kept by decisions learnt from reward.

    No gradient flows through the memory. What the decisions are worth reaches the network that
    takes them by way of their log-probability.
    """

    carries_gradient = False

    def __init__(self, config: MemoryNetConfig, features: int) -> None:
        super().__init__()
        self.units, self.shows_input = config.units, config.output == "input_and_memory"
        self.output_size = config.units + (features if self.shows_input else 0)
        self.decision_size = config.slots
        self.rewrite = Rewrite(config, features).requires_grad_(False)
        self.decision = linear(features + config.units, config.slots)

    def initial_state(self, batch: int) -> Float[Tensor, "B D"]:
        """Zeros."""
        return self.decision.bias.new_zeros(batch, self.units)

    def decide(
        self, x: Float[Tensor, "*T B F"], state: Float[Tensor, "*T B D"]
    ) -> Float[Tensor, "*T B N"]:
        """Logits of every slot being written."""
        return self.decision(torch.cat([x, state], dim=-1))

    def apply_decision(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B D"], decision: Float[Tensor, "B N"]
    ) -> tuple[Float[Tensor, "B O"], Float[Tensor, "B D"]]:
        """Write the slots whose decision is 1, keep the others."""
        with torch.no_grad():
            new, _ = self.rewrite(self.rewrite.read_input(x).summand, state)
            state = self._write(decision, new, state)
        return _output(x, state, self.shows_input), state

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B O"], Float[Tensor, "B D"]]:
        """Unroll over time, taking the likelier side of every decision."""
        _, memories = self._remember(inputs, state, reset, None)
        return _output(inputs, memories, self.shows_input), memories[-1]

    def replay(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"],
        decisions: Float[Tensor, "T B N"],
    ) -> tuple[Float[Tensor, "T B O"], Float[Tensor, "T B N"]]:
        """Unroll with recorded decisions; returns the outputs and the logits of the decisions."""
        before, memories = self._remember(inputs, state, reset, decisions)
        return _output(inputs, memories, self.shows_input), self.decide(inputs, before)

    @torch.no_grad()
    def _remember(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None,
        decisions: Float[Tensor, "T B N"] | None,
    ) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "T B D"]]:
        """The memory before and after each step, by recorded decisions or by the likelier ones."""
        fresh = self.initial_state(inputs.shape[1])
        terms = self.rewrite.read_input(inputs)
        before, after, raws = [], [], []
        for t, summand in enumerate(terms.summand.unbind()):
            if reset is not None:
                state = select(reset[t], fresh, state)
            decision = self._likelier(inputs[t], state) if decisions is None else decisions[t]
            new, raw = self.rewrite(summand, state)
            before.append(state)
            state = self._write(decision, new, state)
            after.append(state)
            raws.append(raw)
        if self.training:
            self.rewrite.absorb(terms, raws)
        return torch.stack(before), torch.stack(after)

    def _likelier(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B D"]
    ) -> Float[Tensor, "B N"]:
        return (self.decide(x, state) > 0).to(x.dtype)

    def _write(
        self, decision: Float[Tensor, "B N"], new: Float[Tensor, "B D"], old: Float[Tensor, "B D"]
    ) -> Float[Tensor, "B D"]:
        """Take the new content of the slots decided on."""
        written = (decision > 0.5).repeat_interleave(self.units // self.decision_size, dim=1)
        return torch.where(written, new, old)


def _output(
    x: Float[Tensor, "*T B F"], memory: Float[Tensor, "*T B D"], shows_input: bool
) -> Float[Tensor, "*T B O"]:
    return torch.cat([x, memory], dim=-1) if shows_input else memory
