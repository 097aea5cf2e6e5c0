"""Delayed recall: repeat, after a pause, the symbols that were shown.

Source: the delayed copy task of Hochreiter and Schmidhuber, "Long short-term memory" (1997), in the
form of Arjovsky et al., "Unitary evolution recurrent neural networks" (2016), section 4.1: symbols,
blanks, a sign to begin, and as many blanks as there were symbols, during which they are due.
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
class DelayedRecallConfig(TaskConfig):
    """Repeat symbols after a pause."""

    symbols: int = 8
    """Different symbols."""
    length: int = 4
    """Symbols to remember."""
    delay: int = 8
    """Steps between the last symbol and the sign to begin."""

    @classmethod
    def small(cls) -> Mapping[str, "DelayedRecallConfig"]:
        """A few symbols."""
        return {"": cls(symbols=5, length=3, delay=4)}

    def build(self, seed: int) -> "DelayedRecall":
        """Make the task."""
        positive(symbols=self.symbols, length=self.length)
        if self.delay < 0:
            raise ValueError(f"delay={self.delay}: must be 0 or more")
        return DelayedRecall(self, seed)


class DelayedRecall(GeneratedTask):
    """Inputs are one-hot: the symbols, a blank, the sign to begin."""

    def __init__(self, config: DelayedRecallConfig, seed: int) -> None:
        super().__init__(seed)
        self.config, self.num_classes = config, config.symbols
        self.longest_episode = 2 * config.length + config.delay

    def encoder(self) -> Encoder:
        """Inputs are vectors already."""
        return Plain(self.config.symbols + 2)

    def draw(self, size: int, random: torch.Generator) -> Batch:
        """Draw a batch of sequences."""
        c = self.config
        shown = torch.randint(c.symbols, (c.length, size), generator=random)
        blank, begin = c.symbols, c.symbols + 1
        symbols = torch.full((2 * c.length + c.delay, size), blank)
        symbols[: c.length] = shown
        symbols[-c.length] = begin
        targets = torch.zeros_like(symbols)
        targets[-c.length :] = shown
        loss_mask = torch.zeros_like(symbols, dtype=torch.bool)
        loss_mask[-c.length :] = True
        return Batch(one_hot(symbols, c.symbols + 2).float(), targets, loss_mask)
