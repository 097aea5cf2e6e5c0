"""Memory-nets that learn, as MANN-RL's does, from the losses of the network.

Source: Barrett, "Learning to remember" (MANN-RL), and its program. `published` is its rule: all
units of the memory are values of one reward, the damped loss of the next step, and the gradient
flows through both sides of the temporal difference,

    smooth_l1(m', gamma m'' - c log(1 + loss)),    m' = f(x, m), m'' = f(x', m').

The memory lies in [0, 1] and the loss is never near 0, so that the difference is beyond 1, where
the slope of `smooth_l1` is constant: the gradient does not depend on the loss. This is kept.

`td_fixed` mends it: a critic Q(x, m') of its own predicts the discounted sum of minus the losses to
come, by squared temporal differences to a target without gradient; each unit of the memory is then
credited with the slope of Q along it, through one step of f.

Differs from the paper:

* All pairs of consecutive steps of an unroll are used, not a sample of them; none across a reset.
* The loss of a memory is that of the step which first reads it. That is the next one, as in the
  program, where the output shows the memory before the step; else the step that wrote it.
* Losses below 0, which reinforcement learning has, are damped by their size and keep their sign.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from memory.core import TaughtCore
from memory.cores.memory_net.rewrite import Output, Rewrite, Show, Unroll
from memory.layers.initialisation import linear

Teaching = Literal["published", "td_fixed"]
CRITIC_UNITS = 128


class TaughtMemoryNet(TaughtCore[Tensor]):
    """Memory-net with a loss of its own."""

    carries_gradient = False

    def __init__(
        self,
        rewrite: Rewrite,
        output: Output,
        teaching: Teaching,
        discount: float,
        dampening: float,
    ) -> None:
        super().__init__()
        self.show = Show(output, rewrite.features, rewrite.units)
        self.output_size = self.show.size
        self.discount, self.dampening = discount, dampening
        self.rewrite = rewrite
        self.critic = None
        self.branches_on_data = teaching == "published"  # it normalises over whichever are pairs
        if teaching == "td_fixed":
            hidden = linear(rewrite.features + rewrite.units, CRITIC_UNITS)
            self.critic = nn.Sequential(hidden, nn.ReLU(), linear(CRITIC_UNITS, 1))

    def initial_state(self, batch: int) -> Float[Tensor, "B D"]:
        """Zeros."""
        return self.rewrite.zeros(batch)

    @torch.no_grad()
    def _rewritten(self, x: Float[Tensor, "B F"], state: Float[Tensor, "B D"]) -> Tensor:
        return self.rewrite(self.rewrite.read_input(x).summand, state)[0]

    def step(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "B O"], Float[Tensor, "B D"]]:
        """Consume one time step; the statistics stay."""
        after = self._rewritten(x, state)
        return self.show(x, state, after), after

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B O"], Float[Tensor, "B D"]]:
        """Unroll over time; the statistics stay."""
        with torch.no_grad():
            unroll = self.rewrite.unroll(inputs, state, reset)
        return self.show(inputs, unroll.before, unroll.after), unroll.after[-1]

    def memory_loss(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"],
        losses: Float[Tensor, "T B"],
    ) -> Float[Tensor, ""]:
        """Loss of the memory; in training the statistics of the normalisation move."""
        inputs, losses = inputs.detach(), losses.detach()
        # The loss that is the first to know the memory which step t made, for t = 0 to T - 2.
        first = losses[1:] if self.show.output == "input_and_memory_before" else losses[:-1]
        with torch.no_grad():
            unroll = self.rewrite.unroll(inputs, state.detach(), reset)
        paired = ~reset[1:]
        if self.critic is None:
            return self._published_loss(inputs, unroll, first, paired)
        loss = self._critic_loss(self.critic, inputs, unroll, first, paired)
        loss = loss + self._credit(self.critic, inputs, unroll)
        if self.training:
            self.rewrite.absorb(unroll.terms, unroll.raws)
        return loss

    def _published_loss(
        self, inputs: Tensor, unroll: Unroll, losses: Tensor, paired: Bool[Tensor, "pairs B"]
    ) -> Float[Tensor, ""]:
        if not paired.any():
            return self.rewrite.norm.bias.sum() * 0.0
        policy = self.rewrite.by_batch(inputs[1:][paired], unroll.before[1:][paired])
        actual = self.rewrite.by_batch(inputs[:-1][paired], unroll.before[:-1][paired])
        reward = -damped(losses[paired], self.dampening)
        return published_td_loss(actual, policy, reward, self.discount)

    def _critic_loss(
        self,
        critic: nn.Module,
        inputs: Tensor,
        unroll: Unroll,
        losses: Tensor,
        paired: Bool[Tensor, "pairs B"],
    ) -> Float[Tensor, ""]:
        """Squared temporal differences of the critic; a reset ends the sum of what is to come."""
        values = critic(torch.cat([inputs, unroll.after], dim=-1)).squeeze(-1)
        targets = -losses + self.discount * paired.to(losses.dtype) * values[1:].detach()
        return 0.5 * (values[:-1] - targets).square().sum() / max(1, targets.numel())

    def _credit(self, critic: nn.Module, inputs: Tensor, unroll: Unroll) -> Float[Tensor, ""]:
        """Its gradient is that of minus the critic's value, but leaves the critic alone."""
        after = unroll.after.detach().requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(critic(torch.cat([inputs, after], dim=-1)).sum(), after)
        rewritten, _ = self.rewrite(self.rewrite.read_input(inputs).summand, unroll.before)
        return -(rewritten * slope).sum(dim=-1).mean()


def damped(losses: Float[Tensor, "*P"], dampening: float) -> Float[Tensor, "*P"]:
    """The published damping c log(1 + loss), odd in the loss."""
    return dampening * losses.sign() * losses.abs().log1p()


def published_td_loss(
    actual: Float[Tensor, "*S P D"],
    policy: Float[Tensor, "*S P D"],
    rewards: Float[Tensor, "*S P"],
    discount: float,
) -> Float[Tensor, ""]:
    """Temporal difference of every unit of the memory, with gradient through both sides."""
    return F.smooth_l1_loss(actual, discount * policy + rewards[..., None])
