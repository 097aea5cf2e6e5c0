"""Memory-net whose slots are written or kept by decisions trained by reinforcement.

The memory is cut into slots. What is written into a slot is a fixed random code of the input of
that step; a network that reads the input and the whole memory decides when. Only the
decisions are trained, and only by reward: no gradient flows through the memory.

Differs from the paper, which takes no decisions and explores nothing:

* A decision is a Bernoulli variable, and is taught by its log-probability times what followed.
* A slot takes a code of the input, not a random mixture of the input and the whole memory: what is
  kept stays as it was, so a decision can be worth something long afterwards.
* The codes are nearly binary, so that a reader tells them apart early.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.core import DecidingCore, select
from memory.cores.memory_net.rewrite import Output, Rewrite, Show
from memory.layers.initialisation import linear
from memory.observed import Observed

SHARPNESS = 3.0
"""Scale of the codes before their sigmoid, in standard deviations."""


class DecidingMemoryNet(DecidingCore[Tensor]):
    """Memory-net that decides for each slot whether to write it."""

    carries_gradient = False

    def __init__(self, rewrite: Rewrite, output: Output, slots: int, decision_units: int) -> None:
        super().__init__()
        features, units = rewrite.features, rewrite.units
        self.show, self.slot_units = Show(output, features, units), units // slots
        self.output_size = self.show.size
        self.shows_decision = output != "input_and_memory_before"
        self.decision_size = slots
        self.rewrite = rewrite.requires_grad_(False)
        self.writes = Observed(slot=())
        nn.init.constant_(rewrite.norm.weight, SHARPNESS)
        hidden = linear(features + units, decision_units)
        self.decision = nn.Sequential(hidden, nn.ReLU(), linear(decision_units, slots))

    def initial_state(self, batch: int) -> Float[Tensor, "B D"]:
        """Zeros."""
        return self.rewrite.zeros(batch)

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
            new, _ = self.rewrite(self.rewrite.read_input(x).summand, None)
            after = self._write(decision, new, state)
        return self.show(x, state, after), after

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B O"], Float[Tensor, "B D"]]:
        """Unroll over time, with the more likely value of every decision."""
        before, after = self._remember(inputs, state, reset, None)
        return self.show(inputs, before, after), after[-1]

    def replay(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"],
        decisions: Float[Tensor, "T B N"],
    ) -> tuple[Float[Tensor, "T B O"], Float[Tensor, "T B N"]]:
        """Unroll with recorded decisions; returns the outputs and the logits of the decisions."""
        before, after = self._remember(inputs, state, reset, decisions)
        return self.show(inputs, before, after), self.decide(inputs, before)

    @torch.no_grad()
    def _remember(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None,
        decisions: Float[Tensor, "T B N"] | None,
    ) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "T B D"]]:
        """The memory before and after each step, by recorded decisions or the more likely ones."""
        fresh = self.initial_state(inputs.shape[1])
        terms = self.rewrite.read_input(inputs)
        codes, _ = self.rewrite(terms.summand, None)
        before, after = list[Tensor](), list[Tensor]()
        for t, code in enumerate(codes.unbind()):
            if reset is not None:
                state = select(reset[t], fresh, state)
            decision = self._likelier(inputs[t], state) if decisions is None else decisions[t]
            before.append(state)
            state = self._write(decision, code, state)
            after.append(state)
        if self.training:
            self.rewrite.absorb(terms, terms.summand)
        return torch.stack(before), torch.stack(after)

    def _likelier(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B D"]
    ) -> Float[Tensor, "B N"]:
        return (self.decide(x, state) > 0).to(x.dtype)

    def _write(
        self, decision: Float[Tensor, "B N"], new: Float[Tensor, "B D"], old: Float[Tensor, "B D"]
    ) -> Float[Tensor, "B D"]:
        """Take the new content of the slots decided on."""
        written = (self.writes(decision) > 0.5).repeat_interleave(self.slot_units, dim=1)
        return torch.where(written, new, old)
