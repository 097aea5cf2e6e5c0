"""The IMPALA loss: V-trace policy gradient, value error and entropy bonus.

Source: Espeholt et al. 2018, section 4.2. Means over time and batch, where the paper sums.
"""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from agents.impala.config import LossConfig
from agents.impala.trajectory import Trajectory
from agents.impala.vtrace import vtrace
from agents.networks.policy import PolicyOutput


class Loss(NamedTuple):
    """Terms of the loss, before their weights, and what is worth a curve."""

    policy: Tensor
    value: Tensor
    entropy: Tensor
    decision_entropy: Tensor
    advantage_rms: Tensor
    mean_value: Tensor
    mean_rho: Tensor
    kl: Tensor
    """KL divergence of the learner's policy from the behaviour policy, in nats."""
    steps: Tensor
    """Policy and value loss of each step, `[T, B]`, weighed, without gradient: what a core that is
    taught by losses hears. Their source knows supervised losses only; this is our choice."""


def log_probs_of(logits: Float[Tensor, "T B A"], actions: Int[Tensor, "T B"]) -> Tensor:
    """Log-probability `[T, B]` of each action."""
    return logits.log_softmax(-1).gather(-1, actions[..., None]).squeeze(-1)


def decision_log_probs(logits: Float[Tensor, "T B K"], decisions: Float[Tensor, "T B K"]) -> Tensor:
    """Log-probability `[T, B]` of all the core's decisions at each step."""
    return -F.binary_cross_entropy_with_logits(logits, decisions, reduction="none").sum(-1)


def learning_rewards(rewards: Tensor, config: LossConfig) -> Tensor:
    """Rewards as the loss sees them: scaled, then clipped if asked."""
    rewards = rewards * config.reward_scale
    return (
        rewards
        if config.reward_clip is None
        else rewards.clamp(-config.reward_clip, config.reward_clip)
    )


def impala_loss(output: PolicyOutput, batch: Trajectory, config: LossConfig) -> Loss:
    """Loss of the unrolled policy on a batch.

    The core's decision at input t is part of the action at t: the ratio is over both.

    Args:
        output: of T + 1 steps; the last one only bootstraps.
    """
    logits, values = output.logits[:-1], output.values
    decisions, decided = batch.decisions[:-1], output.decision_logits[:-1]
    log_probs = log_probs_of(logits, batch.actions) + decision_log_probs(decided, decisions)
    behaviour = log_probs_of(batch.logits, batch.actions) + decision_log_probs(
        batch.decision_logits[:-1], decisions
    )
    log_rhos = log_probs.detach() - behaviour
    ended = batch.terminated | batch.truncated
    discounts = config.discount * (~ended).to(values.dtype)
    # What a truncated episode would still have been worth is added to its last reward.
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
        advantages = advantages - advantages.mean()
    policy_losses = -log_probs * advantages
    value_losses = 0.5 * (target.targets - values[:-1]).square()
    return Loss(
        policy=policy_losses.mean(),
        value=value_losses.mean(),
        entropy=_entropy(logits),
        decision_entropy=_bernoulli_entropy(decided),
        advantage_rms=target.advantages.square().mean().sqrt(),
        mean_value=values.detach().mean(),
        mean_rho=log_rhos.exp().mean(),
        kl=_kl(batch.logits, logits.detach()),
        steps=(policy_losses + config.value_cost * value_losses).detach(),
    )


def _entropy(logits: Float[Tensor, "T B A"]) -> Tensor:
    log_probs = logits.log_softmax(-1)
    return -(log_probs.exp() * log_probs).sum(-1).mean()


def _bernoulli_entropy(logits: Float[Tensor, "T B K"]) -> Tensor:
    """Mean over time and batch of the summed entropy of all decisions."""
    return (
        F.binary_cross_entropy_with_logits(logits, logits.sigmoid(), reduction="none")
        .sum(-1)
        .mean()
    )


def _kl(behaviour: Float[Tensor, "T B A"], target: Float[Tensor, "T B A"]) -> Tensor:
    p, q = behaviour.log_softmax(-1), target.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).mean()
