"""V-trace: off-policy corrected value targets and policy-gradient advantages.

Source: Espeholt et al. 2018, "IMPALA: Scalable Distributed Deep-RL with Importance Weighted
Actor-Learner Architectures", section 4.1 (eq. 1) and section 4.2; lambda as in remark 2.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class VTrace(NamedTuple):
    """Targets of the learner, without gradient."""

    targets: Float[Tensor, "T B"]
    """Corrected values v_s, the targets of the value function."""
    advantages: Float[Tensor, "T B"]
    """rho_s (r_s + gamma v_{s+1} - V(x_s)), the weight of the policy gradient."""


@torch.no_grad()
def vtrace(
    log_rhos: Float[Tensor, "T B"],
    discounts: Float[Tensor, "T B"],
    rewards: Float[Tensor, "T B"],
    values: Float[Tensor, "T B"],
    bootstrap: Float[Tensor, " B"],
    rho_clip: float = 1.0,
    c_clip: float = 1.0,
    trace_decay: float = 1.0,
) -> VTrace:
    """Targets and advantages of T transitions.

    Args:
        log_rhos: log of target over behaviour probability of each action.
        discounts: gamma, or 0 where the episode ends with the transition.
        bootstrap: value of the observation after the last transition.
    """
    rhos = log_rhos.exp()
    clipped = rhos.clamp(max=rho_clip)
    traces = discounts * trace_decay * rhos.clamp(max=c_clip)
    next_values = torch.cat([values[1:], bootstrap[None]])
    deltas = clipped * (rewards + discounts * next_values - values)
    corrections = torch.empty_like(deltas)
    correction = torch.zeros_like(bootstrap)
    for t in reversed(range(len(deltas))):
        correction = deltas[t] + traces[t] * correction  # eq. 1, written recursively (remark 1)
        corrections[t] = correction
    targets = values + corrections
    next_targets = torch.cat([targets[1:], bootstrap[None]])
    return VTrace(targets, clipped * (rewards + discounts * next_targets - values))
