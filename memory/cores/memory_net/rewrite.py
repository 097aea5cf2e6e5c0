"""The network that rewrites a memory-net's memory, and its unroll over time."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.core import select
from memory.cores.memory_net.running_norm import RunningNorm
from memory.layers.initialisation import linear, truncated_normal_
from memory.observed import Observed

Output = Literal["input_and_memory", "input_and_memory_before", "memory"]


class InputTerms(NamedTuple):
    """What the network makes of an input before it sees the memory."""

    summand: Float[Tensor, "*T B D"]
    embedding: Float[Tensor, "*T B E"] | None
    """The embedding before its normalisation, for the statistics."""


class Unroll(NamedTuple):
    """The memory over time, and what the statistics are made of."""

    before: Float[Tensor, "T B D"]
    """The memory that each step found: after a reset, zeros."""
    after: Float[Tensor, "T B D"]
    terms: InputTerms
    raws: Float[Tensor, "T B D"]
    """The new memories before their normalisation."""


class Rewrite(nn.Module):
    """The network that makes the new memory from an input and the old memory.

    Args:
        reads_memory: if False, the new memory is made of the input alone.
    """

    def __init__(
        self,
        features: int,
        units: int,
        embedding: int,
        momentum: float,
        reads_memory: bool = True,
    ) -> None:
        super().__init__()
        self.features, self.units = features, units
        self.embed = linear(features, embedding) if embedding else None
        self.embed_norm = RunningNorm(embedding, momentum) if embedding else None
        width = embedding or features
        self.from_input = linear(width, units)
        self.from_memory = nn.Linear(units, units, bias=False) if reads_memory else None
        self.norm = RunningNorm(units, momentum)
        self.content = Observed(unit=())
        if self.from_memory is not None:
            for layer in (self.from_input, self.from_memory):
                truncated_normal_(layer.weight, width + units)

    def zeros(self, batch: int) -> Float[Tensor, "B D"]:
        """The memory before the first step."""
        return self.norm.bias.new_zeros(batch, self.units)

    def read_input(self, x: Float[Tensor, "*T B F"]) -> InputTerms:
        """What depends on the input alone."""
        if self.embed is None or self.embed_norm is None:
            return InputTerms(self.from_input(x), None)
        embedding = self.embed(x)
        return InputTerms(self.from_input(torch.relu(self.embed_norm(embedding))), embedding)

    def forward(
        self, summand: Float[Tensor, "*T B D"], memory: Float[Tensor, "*T B D"] | None
    ) -> tuple[Float[Tensor, "*T B D"], Float[Tensor, "*T B D"]]:
        """Return the new memory, and what it was before its normalisation."""
        raw = summand
        if self.from_memory is not None:
            raw = raw + self.from_memory(memory)
        return self.content(torch.sigmoid(self.norm(raw))), raw

    def by_batch(
        self, x: Float[Tensor, "P F"], memory: Float[Tensor, "P D"]
    ) -> Float[Tensor, "P D"]:
        """The new memory, normalised by the batch; in training the statistics follow it."""
        if self.embed is not None and self.embed_norm is not None:
            embedding = self.embed(x)
            x = torch.relu(self.embed_norm.by_batch(embedding))
            if self.training:
                self.embed_norm.absorb(embedding)
        raw = self.from_input(x)
        raw = raw if self.from_memory is None else raw + self.from_memory(memory)
        if self.training:
            self.norm.absorb(raw)
        return torch.sigmoid(self.norm.by_batch(raw))

    def unroll(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None,
    ) -> Unroll:
        """Rewrite the memory at every step, with the inputs of all times projected at once."""
        fresh = torch.zeros_like(state)
        terms = self.read_input(inputs)
        before, after, raws = list[Tensor](), list[Tensor](), list[Tensor]()
        for t, summand in enumerate(terms.summand.unbind()):
            if reset is not None:
                state = select(reset[t], fresh, state)
            before.append(state)
            state, raw = self(summand, state)
            after.append(state)
            raws.append(raw)
        return Unroll(torch.stack(before), torch.stack(after), terms, torch.stack(raws))

    def absorb(self, terms: InputTerms, raws: Float[Tensor, "T B D"]) -> None:
        """Move the statistics towards those of an unroll."""
        if self.embed_norm is not None and terms.embedding is not None:
            self.embed_norm.absorb(terms.embedding)
        self.norm.absorb(raws)


class Show:
    """What the next layer sees of a step."""

    def __init__(self, output: Output, features: int, units: int) -> None:
        self.output = output
        self.size = units if output == "memory" else features + units

    def __call__(
        self,
        x: Float[Tensor, "*T B F"],
        before: Float[Tensor, "*T B D"],
        after: Float[Tensor, "*T B D"],
    ) -> Float[Tensor, "*T B O"]:
        """Of an input and the memory before and after it."""
        if self.output == "memory":
            return after
        return torch.cat([x, before if self.output == "input_and_memory_before" else after], dim=-1)
