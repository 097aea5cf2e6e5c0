"""The published program of MANN-RL on a stream, for its ablation.

Source: the program of Barrett, "Learning to remember" (MANN-RL), configuration `logic_m_best`. At
every step of an endless stream, without resets between sequences:

1. the action net reads [x; m]: linear, batch norm, SiLU, linear, softmax; its loss is the
   cross-entropy of that softmax, which takes the softmax once more; one step of Adam;
2. every `settle + history` steps, one step of RMSprop of the memory-net on the temporal
   differences (`memory/cores/memory_net/taught.py`) of `samples` pairs of consecutive steps among
   the last `history`, normalised by the batch, which updates the running statistics, once for each
   side of the difference;
3. m' = sigmoid(BN(W [x; m] + b)) by the running statistics.

Several programs run in parallel, each with its own weights, statistics and data: the total loss is
a sum over programs without shared terms. A treatment may omit the step of RMSprop, or all of 2.

Differs from the program: sequences are drawn at random, and no lane ends.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from memory.cores.memory_net.taught import damped


@dataclass(frozen=True, kw_only=True)
class ProgramConfig:
    """`logic_m_best`."""

    units: int = 48
    """Of memory."""
    history: int = 12
    """Last steps among which pairs are chosen."""
    settle: int = 12
    """Steps without an update of the memory-net, between histories."""
    samples: int = 8
    """Pairs of an update."""
    discount: float = 0.99
    """Weight of the later memory."""
    dampening: float = 3.0
    """Factor c of c log(1 + loss)."""
    action_rate: float = 1e-3
    """Learning rate of Adam."""
    memory_rate: float = 1e-5
    """Learning rate of RMSprop."""
    clip_norm: float = 1.0
    """Largest norm of each net's gradient."""


class Stacked:
    """The weights of P nets as one leaf, so that one optimiser steps them all at once."""

    def __init__(self, shapes: list[tuple[int, ...]], programs: int) -> None:
        self.shapes = shapes
        self.sizes = [torch.Size(shape).numel() for shape in shapes]
        self.leaf = torch.empty(programs, sum(self.sizes)).requires_grad_()

    def views(self) -> list[Tensor]:
        """Weights `[P, ...]` of each shape."""
        parts = self.leaf.split(self.sizes, dim=1)
        return [part.unflatten(1, s) for part, s in zip(parts, self.shapes, strict=True)]

    def clip(self, norm: float) -> None:
        """Scale the gradient of each net down to a norm."""
        gradient = self.leaf.grad
        assert gradient is not None
        gradient.mul_((norm / (gradient.norm(dim=1, keepdim=True) + 1e-6)).clamp(max=1.0))


class Statistics(NamedTuple):
    """Running statistics of a batch norm, of all programs one after the other."""

    mean: Float[Tensor, " PD"]
    variance: Float[Tensor, " PD"]


class Moment(NamedTuple):
    """What the memory-net learns from, of one step."""

    x: Float[Tensor, "P B F"]
    memory: Float[Tensor, "P B D"]
    losses: Float[Tensor, "P B"]


class Programs:
    """P programs in parallel.

    Args:
        teaches: which of them do the step of RMSprop.
        adapts: which of them update the statistics of the memory-net.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        teaches: Bool[Tensor, " P"],
        adapts: Bool[Tensor, " P"],
        config: ProgramConfig,
        random: torch.Generator,
    ) -> None:
        self.config, self.random = config, random
        self.programs, self.units = len(teaches), config.units
        self.teaches, self.adapts = teaches[:, None], adapts.repeat_interleave(config.units)
        width = features + config.units
        head = [(width, width), (width,), (width,), (width,), (width, classes), (classes,)]
        self.action = self._drawn(head, width)
        body = [(width, config.units), *[(config.units,)] * 3]
        self.memory_net = self._drawn(body, width)
        self.action_statistics = self._statistics(width)
        self.memory_statistics = self._statistics(config.units)
        self.action_optimizer = torch.optim.Adam([self.action.leaf], config.action_rate)
        self.memory_optimizer = torch.optim.RMSprop([self.memory_net.leaf], config.memory_rate)
        self.history: deque[Moment] = deque(maxlen=config.history)
        self.steps = 0

    def empty_memory(self, lanes: int) -> Float[Tensor, "P B D"]:
        """Before the first step."""
        return torch.zeros(self.programs, lanes, self.units)

    def train_step(
        self,
        x: Float[Tensor, "P B F"],
        memory: Float[Tensor, "P B D"],
        targets: Int[Tensor, "P B"],
    ) -> Float[Tensor, "P B D"]:
        """Learn from one step of the stream; returns the memory after it."""
        losses = double_softmax_losses(self.act(x, memory, training=True), targets)
        self.action_optimizer.zero_grad()
        losses.mean(dim=1).sum().backward()
        self.action.clip(self.config.clip_norm)
        self.action_optimizer.step()
        self.history.append(Moment(x, memory, losses.detach()))
        if self.steps and self.steps % (self.config.settle + self.config.history) == 0:
            self.teach()
        self.steps += 1
        return self.remember(x, memory)

    def act(
        self, x: Float[Tensor, "P B F"], memory: Float[Tensor, "P B D"], training: bool
    ) -> Float[Tensor, "P B C"]:
        """The action net's answer before any softmax."""
        first, first_bias, scale, shift, second, second_bias = self.action.views()
        hidden = torch.baddbmm(first_bias[:, None], torch.cat([x, memory], dim=-1), first)
        hidden = F.silu(_norm(hidden, self.action_statistics, scale, shift, training))
        return torch.baddbmm(second_bias[:, None], hidden, second)

    @torch.no_grad()
    def remember(
        self, x: Float[Tensor, "P B F"], memory: Float[Tensor, "P B D"]
    ) -> Float[Tensor, "P B D"]:
        """The memory after a step, by the running statistics."""
        return self._rewritten(x, memory, self.memory_statistics, training=False)

    def teach(self) -> None:
        """One update of the memory-nets, from the history."""
        before = Statistics(*(leaf.clone() for leaf in self.memory_statistics))
        moments = list(self.history)
        chosen = torch.randperm(len(moments) - 1, generator=self.random)[: self.config.samples]
        self.memory_optimizer.zero_grad()
        self.memory_loss(moments, chosen.tolist()).backward()
        self.memory_net.clip(self.config.clip_norm)
        assert self.memory_net.leaf.grad is not None
        self.memory_net.leaf.grad.mul_(self.teaches)
        self.memory_optimizer.step()
        for now, old in zip(self.memory_statistics, before, strict=True):
            now.copy_(torch.where(self.adapts, now, old))

    def memory_loss(self, moments: list[Moment], starts: list[int]) -> Float[Tensor, ""]:
        """Sum over programs of the mean temporal difference of pairs; updates the statistics."""
        now = Moment(*(torch.cat([moments[i][j] for i in starts], dim=1) for j in range(3)))
        later = Moment(*(torch.cat([moments[i + 1][j] for i in starts], dim=1) for j in range(3)))
        statistics = self.memory_statistics
        policy = self._rewritten(later.x, later.memory, statistics, training=True)
        rewards = -damped(later.losses, self.config.dampening)[..., None]
        actual = self._rewritten(now.x, now.memory, statistics, training=True)
        target = self.config.discount * policy + rewards
        return F.smooth_l1_loss(actual, target, reduction="none").mean(dim=(1, 2)).sum()

    def _rewritten(
        self, x: Tensor, memory: Tensor, statistics: Statistics, training: bool
    ) -> Float[Tensor, "P B D"]:
        weight, bias, scale, shift = self.memory_net.views()
        raw = torch.baddbmm(bias[:, None], torch.cat([x, memory], dim=-1), weight)
        return torch.sigmoid(_norm(raw, statistics, scale, shift, training))

    def _drawn(self, shapes: list[tuple[int, ...]], fan_in: int) -> Stacked:
        """PyTorch's own initial weights: the scale of a batch norm is 1, its shift 0."""
        nets = Stacked(shapes, self.programs)
        with torch.no_grad():
            nets.leaf.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=self.random)
            nets.views()[2].fill_(1.0)
            nets.views()[3].zero_()
        return nets

    def _statistics(self, features: int) -> Statistics:
        count = self.programs * features
        return Statistics(torch.zeros(count), torch.ones(count))


def double_softmax_losses(
    logits: Float[Tensor, "P B C"], targets: Int[Tensor, "P B"]
) -> Float[Tensor, "P B"]:
    """Cross-entropy with the softmax of an answer in place of its logits."""
    log_probs = logits.softmax(-1).log_softmax(-1)
    return -log_probs.gather(-1, targets[..., None]).squeeze(-1)


def _norm(
    x: Float[Tensor, "P B D"], statistics: Statistics, scale: Tensor, shift: Tensor, training: bool
) -> Float[Tensor, "P B D"]:
    """Separate batch norm for each program: their units are the channels of one."""
    channels = x.transpose(0, 1).flatten(1)
    normed = F.batch_norm(channels, *statistics, scale.flatten(), shift.flatten(), training, 0.1)
    return normed.unflatten(1, scale.shape).transpose(0, 1)
