"""Repeat first: at every step, name the symbol that was shown first.

Source: Morad et al., "POPGym: Benchmarking partially observable reinforcement learning" (2023),
RepeatFirst: the first card of a deck of four suits; easy has one deck of 52.

Differs from the paper: symbols are drawn independently, not dealt from a deck, and the answer is
taught, not rewarded.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn.functional import one_hot

from memory.options import positive
from memory.supervised.batch import Batch
from memory.supervised.task import Encoder, Plain, TaskConfig
from memory.supervised.tasks.generated import GeneratedTask


@dataclass(frozen=True, kw_only=True)
class RepeatFirstConfig(TaskConfig):
    """Name the first symbol at every step."""

    symbols: int = 4
    """Different symbols."""
    length: int = 52
    """Symbols of a sequence."""

    @classmethod
    def small(cls) -> Mapping[str, "RepeatFirstConfig"]:
        """A few steps."""
        return {"": cls(length=6)}

    def build(self, seed: int) -> "RepeatFirst":
        """Make the task."""
        positive(symbols=self.symbols, length=self.length)
        return RepeatFirst(self, seed)


class RepeatFirst(GeneratedTask):
    """Inputs are one-hot symbols and a mark of the first step, `[T, B, symbols + 1]`."""

    def __init__(self, config: RepeatFirstConfig, seed: int) -> None:
        super().__init__(seed)
        self.config, self.num_classes = config, config.symbols
        self.longest_episode = config.length

    def encoder(self) -> Encoder:
        """Inputs are vectors already."""
        return Plain(self.config.symbols + 1)

    def draw(self, size: int, random: torch.Generator) -> Batch:
        """Draw a batch of sequences."""
        c = self.config
        shown = torch.randint(c.symbols, (c.length, size), generator=random)
        first = torch.zeros(c.length, size, 1)
        first[0] = 1
        inputs = torch.cat([one_hot(shown, c.symbols).float(), first], dim=-1)
        return Batch(inputs, shown[:1].expand_as(shown), torch.ones_like(shown, dtype=torch.bool))
