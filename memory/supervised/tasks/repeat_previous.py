"""Repeat previous: at every step, name the symbol that was shown some steps ago.

Source: Morad et al., "POPGym: Benchmarking partially observable reinforcement learning" (2023),
RepeatPrevious: the card of four steps ago (easy), of a deck of four suits.

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
class RepeatPreviousConfig(TaskConfig):
    """Name the symbol of some steps ago, at every step."""

    symbols: int = 4
    """Different symbols."""
    length: int = 52
    """Symbols of a sequence."""
    lag: int = 4
    """How many steps ago; nothing is due before."""

    @classmethod
    def small(cls) -> Mapping[str, "RepeatPreviousConfig"]:
        """A few steps."""
        return {"": cls(length=6, lag=2)}

    def build(self, seed: int) -> "RepeatPrevious":
        """Make the task."""
        positive(symbols=self.symbols, length=self.length, lag=self.lag)
        if self.lag >= self.length:
            raise ValueError(f"lag={self.lag}: must be below length={self.length}")
        return RepeatPrevious(self, seed)


class RepeatPrevious(GeneratedTask):
    """Inputs are one-hot symbols, `[T, B, symbols]`; steps from `lag` on are scored."""

    def __init__(self, config: RepeatPreviousConfig, seed: int) -> None:
        super().__init__(seed)
        self.config, self.num_classes = config, config.symbols
        self.longest_episode = config.length

    def encoder(self) -> Encoder:
        """Inputs are vectors already."""
        return Plain(self.config.symbols)

    def draw(self, size: int, random: torch.Generator) -> Batch:
        """Draw a batch of sequences."""
        c = self.config
        shown = torch.randint(c.symbols, (c.length, size), generator=random)
        loss_mask = torch.ones_like(shown, dtype=torch.bool)
        loss_mask[: c.lag] = False
        return Batch(one_hot(shown, c.symbols).float(), shown.roll(c.lag, dims=0), loss_mask)
