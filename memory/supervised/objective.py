"""What a reader is trained for: its answers, and what its core has to learn besides.

The answers are learnt by cross-entropy. A core that is taught (`TaughtCore`) adds a loss made of
the loss of each step. The decisions of a core that decides (`DecidingCore`) are sampled, and learnt
by reinforcement; the reward of a step is minus its loss.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from memory.core import DecidingCore, TaughtCore
from memory.options import positive
from memory.supervised.reader import Reader
from memory.supervised.reinforcement import (
    ReinforcementConfig,
    advantages_of,
    decision_loss,
    entropy,
    sample,
    standardised,
)
from memory.supervised.task import Batch


class Learnt(NamedTuple):
    """The loss of a batch, and how good the answers were."""

    loss: Float[Tensor, ""]
    answer_loss: Float[Tensor, ""]
    """The part of it that is the cross-entropy of the answers."""
    accuracy: float


class Objective(nn.Module, ABC):
    """A loss for a reader; its own weights are trained with those of the reader."""

    @abstractmethod
    def forward(self, reader: Reader, batch: Batch, random: torch.Generator) -> Learnt:
        """Loss of a batch.

        Args:
            random: for decisions to sample.
        """


class Answers(Objective):
    """Cross-entropy of the answers, and what the core asks for itself."""

    def forward(self, reader: Reader, batch: Batch, random: torch.Generator) -> Learnt:
        """Loss of a batch."""
        logits, _ = reader(batch.inputs, batch.scored, reset=batch.reset)
        targets = batch.targets[batch.scored]
        losses = F.cross_entropy(logits, targets, reduction="none")
        loss = answer_loss = losses.mean()
        if isinstance(reader.core, TaughtCore):
            features = reader.features(batch.inputs)
            state = reader.core.initial_state(features.shape[1])
            suffered = by_step(losses.detach(), batch)
            loss = loss + reader.core.memory_loss(features, state, resets(batch), suffered)
        return Learnt(loss, answer_loss, share_right(logits, targets))


class Reinforcement(Objective):
    """Cross-entropy of the answers, and the decisions of the core by their rewards."""

    def __init__(self, core: DecidingCore[Any], features: int, config: ReinforcementConfig) -> None:
        super().__init__()
        positive(baseline_units=config.baseline_units, samples=config.samples)
        self.config = config
        self.baseline = nn.Sequential(
            nn.Linear(features + core.output_size, config.baseline_units),
            nn.ReLU(),
            nn.Linear(config.baseline_units, 1),
        )

    def forward(self, reader: Reader, batch: Batch, random: torch.Generator) -> Learnt:
        """Loss of a batch, with decisions sampled afresh."""
        core = reader.core
        assert isinstance(core, DecidingCore)
        batch = repeated(batch, self.config.samples)
        features = reader.features(batch.inputs)
        state = core.initial_state(features.shape[1])
        reset = resets(batch)
        decisions = sample(core, features.detach(), state, reset, random)
        hidden, decision_logits = core.replay(features, state, reset, decisions)
        logits, targets = reader.readout(hidden[batch.scored]), batch.targets[batch.scored]
        losses = F.cross_entropy(logits, targets, reduction="none")
        rewards = -by_step(losses.detach(), batch)
        values = self.values(features.detach(), hidden.detach())
        discount, trace_decay = self.config.discount, self.config.trace_decay
        advantages = advantages_of(rewards, values.detach(), reset, discount, trace_decay)
        returns = advantages + values.detach()
        loss = losses.mean() + 0.5 * (values - returns).square().mean()
        loss = loss + decision_loss(decision_logits, decisions, standardised(advantages))
        loss = loss - self.config.entropy_cost * entropy(decision_logits)
        return Learnt(loss, losses.mean(), share_right(logits, targets))

    def values(
        self, features: Float[Tensor, "T B *F"], hidden: Float[Tensor, "T B D"]
    ) -> Float[Tensor, "T B"]:
        """Of each step before its decision: all that the decision could not yet change."""
        before = torch.cat([torch.zeros_like(hidden[:1]), hidden[:-1]])
        return self.baseline(torch.cat([features.flatten(2), before], dim=-1)).squeeze(-1)


def objective_of(reader: Reader, config: ReinforcementConfig) -> Objective:
    """What the core of a reader has to be trained by."""
    if isinstance(reader.core, DecidingCore):
        features = torch.Size(reader.fit.output_shape).numel()
        return Reinforcement(reader.core, features, config)
    return Answers()


def by_step(losses: Float[Tensor, " S"], batch: Batch) -> Float[Tensor, "T B"]:
    """Losses of the scored steps at their places; 0 elsewhere."""
    steps = losses.new_zeros(batch.scored.shape)
    steps[batch.scored] = losses
    return steps


def resets(batch: Batch) -> Bool[Tensor, "T B"]:
    """The steps that open an episode, besides the first."""
    return torch.zeros_like(batch.scored) if batch.reset is None else batch.reset


def repeated(batch: Batch, times: int) -> Batch:
    """Each sequence as many times."""
    leaves = {name: leaf for name, leaf in batch._asdict().items() if leaf is not None}
    return batch._replace(
        **{name: leaf.repeat_interleave(times, dim=1) for name, leaf in leaves.items()}
    )


def share_right(logits: Float[Tensor, "S C"], targets: Int[Tensor, " S"]) -> float:
    """Accuracy of answers."""
    return logits.argmax(-1).eq(targets).float().mean().item()
