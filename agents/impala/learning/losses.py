"""The IMPALA loss: V-trace policy gradient, value error and entropy bonus.

Source: Espeholt et al. 2018, section 4.2. Means over time and batch, where the paper sums.
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from agents.impala.config import LossConfig
from agents.impala.learning.vtrace import vtrace
from agents.impala.trajectory import Trajectory
from agents.networks.distributions import Distribution
from agents.networks.policy import PolicyOutput


class Loss(NamedTuple):
    """Unweighted terms of the loss, and metrics."""

    policy: Tensor
    value: Tensor
    entropy: Tensor
    decision_entropy: Tensor
    advantage_rms: Tensor
    mean_value: Tensor
    mean_rho: Tensor
    kl: Tensor
    """KL divergence of the learner's policy from the behaviour policy, in nats."""
    per_step: Tensor
    """Weighted policy and value loss of each step, `[T, B]`, without gradient, for a `TaughtCore`.
    Its source defines supervised losses only; this sum is our choice."""


def decision_log_probs(logits: Float[Tensor, "T B K"], decisions: Float[Tensor, "T B K"]) -> Tensor:
    """Log-probability `[T, B]` of all decisions of the core at each step."""
    return -F.binary_cross_entropy_with_logits(logits, decisions, reduction="none").sum(-1)


def learning_rewards(rewards: Tensor, config: LossConfig) -> Tensor:
    """Rewards that the loss uses: scaled, then clipped if `reward_clip` is given."""
    rewards = rewards * config.reward_scale
    return (
        rewards
        if config.reward_clip is None
        else rewards.clamp(-config.reward_clip, config.reward_clip)
    )


def impala_loss(
    output: PolicyOutput,
    batch: Trajectory,
    config: LossConfig,
    actions: Distribution,
    average: Callable[[list[Tensor]], None] = lambda tensors: None,
) -> Loss:
    """Loss of the unrolled policy on a batch.

    A decision of the core at step t is part of the action at t; the importance ratio covers both.

    Args:
        output: of T + 1 steps; the last value is the bootstrap.
        actions: the distribution whose parameters are the logits.
        average: replaces tensors by their means over the processes that share a batch.
    """
    logits, values = output.logits[:-1], output.values
    decisions, decided = batch.decisions[:-1], output.decision_logits[:-1]
    log_probs = actions.log_prob(logits, batch.actions) + decision_log_probs(decided, decisions)
    behaviour = actions.log_prob(batch.logits, batch.actions) + decision_log_probs(
        batch.decision_logits[:-1], decisions
    )
    log_rhos = log_probs.detach() - behaviour
    ended = batch.terminated | batch.truncated
    discounts = config.discount * (~ended).to(values.dtype)
    # The value of the final observation of a truncated episode is added to its last reward.
    rewards = learning_rewards(batch.rewards, config) + config.discount * batch.truncation_values
    target = vtrace(
        log_rhos,
        discounts,
        rewards,
        values[:-1].detach(),
        values[-1].detach(),
        config.rho_clip,
        config.c_clip,
        config.trace_decay,
    )
    advantages = target.advantages
    if config.centre_advantages:
        mean = advantages.mean()
        average([mean])
        advantages = advantages - mean
    policy_losses = -log_probs * advantages
    value_losses = 0.5 * (target.targets - values[:-1]).square()
    return Loss(
        policy=policy_losses.mean(),
        value=value_losses.mean(),
        entropy=actions.entropy(logits).mean(),
        decision_entropy=_bernoulli_entropy(decided),
        advantage_rms=target.advantages.square().mean().sqrt(),
        mean_value=values.detach().mean(),
        mean_rho=log_rhos.exp().mean(),
        kl=actions.kl(batch.logits, logits.detach()).mean(),
        per_step=(policy_losses + config.value_cost * value_losses).detach(),
    )


def _bernoulli_entropy(logits: Float[Tensor, "T B K"]) -> Tensor:
    """Mean over time and batch of the entropy, summed over decisions."""
    return (
        F.binary_cross_entropy_with_logits(logits, logits.sigmoid(), reduction="none")
        .sum(-1)
        .mean()
    )
