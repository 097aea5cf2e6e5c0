"""Policy gradient for the decisions of a core, with generalised advantage estimation.

    advantage_t = sum_k (discount * trace_decay)^k delta_{t+k}
    delta_t = reward_t + discount * value_{t+1} - value_t

Source: Schulman et al., "High-dimensional continuous control using generalized advantage
estimation" (2016), equation 16. A batch ends with its last step.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from numpy.random import SeedSequence
from torch import Tensor
from torch.nn import functional as F

from memory.core import DecidingCore, select
from memory.options import positive
from memory.supervised.task import SPLITS


@dataclass(frozen=True, kw_only=True)
class ReinforcementConfig:
    """How the decisions of a core are trained."""

    discount: float = 0.95
    """Weight of a reward one step later."""
    trace_decay: float = 0.9
    """Lambda of the advantage: 0 uses the next reward and the baseline, 1 all later rewards."""
    entropy_cost: float = 0.01
    """Weight of the entropy of the decisions."""
    samples: int = 4
    """Rollouts per sequence of a batch, each with its own sampled decisions."""
    baseline_units: int = 128
    """Hidden units of the baseline."""

    def __post_init__(self) -> None:
        for name in ("discount", "trace_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be from 0 to 1")
        if not 0 <= self.entropy_cost < math.inf:
            raise ValueError(f"entropy_cost={self.entropy_cost}: must be 0 or more")
        positive(samples=self.samples, baseline_units=self.baseline_units)


def decision_generator(seed: int, update: int) -> torch.Generator:
    """The random numbers of an update's decisions, independent of those of the task's splits."""
    source = SeedSequence([seed, len(SPLITS), update])
    return torch.Generator().manual_seed(int(source.generate_state(1)[0]))


@torch.no_grad()
def sample(
    core: DecidingCore[Any],
    features: Float[Tensor, "T B *F"],
    state: Any,
    reset: Bool[Tensor, "T B"],
    random: torch.Generator,
) -> tuple[Float[Tensor, "T B K"], Any]:
    """Decisions of an unroll, sampled from their probabilities, and the state after it."""
    fresh = core.initial_state(features.shape[1])
    shape = (*features.shape[:2], core.decision_size)
    uniforms = torch.rand(shape, generator=random).to(features)
    decisions: list[Tensor] = []
    for x, starts, uniform in zip(features, reset, uniforms, strict=True):
        state = select(starts, fresh, state)
        decision = (core.decide(x, state).sigmoid() > uniform).to(features.dtype)
        _, state = core.apply_decision(x, state, decision)
        decisions.append(decision)
    return torch.stack(decisions), state


def advantages_of(
    rewards: Float[Tensor, "T B"],
    values: Float[Tensor, "T B"],
    reset: Bool[Tensor, "T B"],
    discount: float,
    trace_decay: float,
) -> Float[Tensor, "T B"]:
    """Generalised advantage of each step; an episode ends before each reset."""
    ends = torch.cat([reset[1:], torch.ones_like(reset[:1])])
    discounts = discount * (~ends).to(values.dtype)
    deltas = rewards + discounts * values.roll(-1, 0) - values
    advantages, later = list[Tensor](), torch.zeros_like(deltas[0])
    for delta, kept in zip(deltas.flip(0), discounts.flip(0), strict=True):
        later = delta + kept * trace_decay * later
        advantages.append(later)
    return torch.stack(advantages[::-1])


def standardised(x: Float[Tensor, "T B"]) -> Float[Tensor, "T B"]:
    """Scaled to mean 0 and standard deviation 1 over the batch."""
    return (x - x.mean()) / (x.std(correction=0) + 1e-6)


def decision_loss(
    logits: Float[Tensor, "T B K"],
    decisions: Float[Tensor, "T B K"],
    advantages: Float[Tensor, "T B"],
) -> Float[Tensor, ""]:
    """Mean of minus log-probability times advantage: its gradient is the policy gradient."""
    log_probs = -F.binary_cross_entropy_with_logits(logits, decisions, reduction="none").sum(-1)
    return -(log_probs * advantages).mean()


def entropy(logits: Float[Tensor, "T B K"]) -> Float[Tensor, ""]:
    """Mean over time and batch of the summed entropy of the decisions of a step."""
    each = F.binary_cross_entropy_with_logits(logits, logits.sigmoid(), reduction="none")
    return each.sum(-1).mean()
