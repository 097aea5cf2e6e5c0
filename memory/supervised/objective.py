"""The loss of a reader: that of its answers, and that of its core where it has one.

The loss of the answers is the cross-entropy. A `TaughtCore` adds a loss computed from the loss of
each step. The decisions of a `DecidingCore` are sampled and trained by reinforcement; the reward of
a step is minus its loss.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from memory.core import DecidingCore, TaughtCore, map_state
from memory.options import positive
from memory.supervised.batch import Batch
from memory.supervised.reader import Reader
from memory.supervised.reinforcement import (
    ReinforcementConfig,
    advantages_of,
    decision_loss,
    entropy,
    sample,
    standardised,
)


class Learnt(NamedTuple):
    """The loss of a batch, and the accuracy of the answers."""

    loss: Float[Tensor, ""]
    answer_loss: Float[Tensor, ""]
    """The part of it that is the cross-entropy of the answers."""
    accuracy: Float[Tensor, ""]
    state: Any
    """State of the core after the last step."""


class Objective(nn.Module, ABC):
    """A loss for a reader; its own weights are trained with those of the reader."""

    @abstractmethod
    def forward(
        self, reader: Reader, batch: Batch, random: torch.Generator, state: Any = None
    ) -> Learnt:
        """Loss of a batch.

        Args:
            random: generator of the sampled decisions.
            state: of the core before the first step; by default that of a new episode.
        """


class Answers(Objective):
    """Cross-entropy of the answers, and the loss of the core itself, if it has one.

    Args:
        own: feed the reader its own answers at the steps of `Batch.feedback_mask`.
    """

    def __init__(self, own: bool = False) -> None:
        super().__init__()
        self.own = own

    def forward(
        self, reader: Reader, batch: Batch, random: torch.Generator, state: Any = None
    ) -> Learnt:
        """Loss of a batch."""
        if isinstance(reader.core, TaughtCore):
            return self._taught(reader, reader.core, batch, state)
        (losses, guesses), after = reader.answer(batch, state, self.own)
        return Learnt(losses.mean(), losses.mean(), share_right(guesses, batch), after)

    def _taught(self, reader: Reader, core: TaughtCore[Any], batch: Batch, state: Any) -> Learnt:
        """The core is trained on the same features as the answers."""
        features = reader.features(batch.inputs)
        if state is None:
            state = core.initial_state(features.shape[1])
        hidden, after = core.outputs_at(batch.loss_mask, features, state, batch.reset)
        losses, guesses = reader.head.answer(hidden, batch.targets[batch.loss_mask])
        step_losses = by_step(losses.detach(), batch)
        loss = losses.mean() + core.memory_loss(features, state, resets(batch), step_losses)
        return Learnt(loss, losses.mean(), share_right(guesses, batch), after)


class Reinforcement(Objective):
    """Cross-entropy of the answers, and the policy-gradient loss of the decisions."""

    def __init__(self, core: DecidingCore[Any], features: int, config: ReinforcementConfig) -> None:
        super().__init__()
        positive(baseline_units=config.baseline_units, samples=config.samples)
        self.config = config
        self.baseline = nn.Sequential(
            nn.Linear(features + core.output_size, config.baseline_units),
            nn.ReLU(),
            nn.Linear(config.baseline_units, 1),
        )

    def forward(
        self, reader: Reader, batch: Batch, random: torch.Generator, state: Any = None
    ) -> Learnt:
        """Loss of a batch, with newly sampled decisions."""
        core, samples = reader.core, self.config.samples
        assert isinstance(core, DecidingCore)
        batch = batch.repeated(samples)
        features = reader.features(batch.inputs)
        if state is None:
            state = core.initial_state(features.shape[1])
        else:
            state = map_state(lambda leaf: leaf.repeat_interleave(samples, dim=0), state)
        reset = resets(batch)
        decisions, after = sample(core, features.detach(), state, reset, random)
        hidden, decision_logits = core.replay(features, state, reset, decisions)
        losses, guesses = reader.head.answer(
            hidden[batch.loss_mask], batch.targets[batch.loss_mask]
        )
        rewards = -by_step(losses.detach(), batch)
        values = self.values(features.detach(), hidden.detach())
        discount, trace_decay = self.config.discount, self.config.trace_decay
        advantages = advantages_of(rewards, values.detach(), reset, discount, trace_decay)
        returns = advantages + values.detach()
        loss = losses.mean() + 0.5 * (values - returns).square().mean()
        loss = loss + decision_loss(decision_logits, decisions, standardised(advantages))
        loss = loss - self.config.entropy_cost * entropy(decision_logits)
        first = map_state(lambda leaf: leaf[::samples], after)
        return Learnt(loss, losses.mean(), share_right(guesses, batch), first)

    def values(
        self, features: Float[Tensor, "T B *F"], hidden: Float[Tensor, "T B D"]
    ) -> Float[Tensor, "T B"]:
        """Value of each step before its decision."""
        before = torch.cat([torch.zeros_like(hidden[:1]), hidden[:-1]])
        return self.baseline(torch.cat([features.flatten(2), before], dim=-1)).squeeze(-1)


def objective_of(
    reader: Reader, config: ReinforcementConfig, own_answers: bool = False
) -> Objective:
    """The objective for the core of a reader.

    Args:
        own_answers: whether the reader is fed its own answers in training.

    Raises:
        ValueError: a core that decides or is taught cannot learn from its own answers.
    """
    if own_answers and isinstance(reader.core, DecidingCore | TaughtCore):
        raise ValueError(
            f"{type(reader.core).__name__} learns from recorded inputs: it cannot be fed its own "
            "answers in training; feed it the right ones or none."
        )
    if isinstance(reader.core, DecidingCore):
        features = torch.Size(reader.input_adapter.output_shape).numel()
        return Reinforcement(reader.core, features, config)
    return Answers(own_answers)


def by_step(losses: Float[Tensor, " S"], batch: Batch) -> Float[Tensor, "T B"]:
    """Losses of the scored steps, as `[T, B]`; 0 at the others."""
    steps = losses.new_zeros(batch.loss_mask.shape)
    steps[batch.loss_mask] = losses
    return steps


def resets(batch: Batch) -> Bool[Tensor, "T B"]:
    """The first steps of episodes, besides step 0."""
    return torch.zeros_like(batch.loss_mask) if batch.reset is None else batch.reset


def share_right(guesses: Int[Tensor, " S"], batch: Batch) -> Float[Tensor, ""]:
    """Accuracy of answers."""
    return guesses.eq(batch.at_loss_steps(batch.targets)).float().mean()
