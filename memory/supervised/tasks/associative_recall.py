"""Associative recall: pairs of a key and a value are shown; then the value of each key is asked.

Source: Graves et al., "Neural Turing machines" (2014), section 4.3, with pairs in place of items
that follow one another, as in Ba et al., "Using fast weights to attend to the recent past" (2016),
section 4.1. The keys of a sequence are different; each is asked for once, in random order.
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
class AssociativeRecallConfig(TaskConfig):
    """Recall the value that was paired with a key."""

    keys: int = 8
    """Different keys."""
    values: int = 8
    """Different values."""
    pairs: int = 4
    """Pairs to remember."""

    @classmethod
    def small(cls) -> Mapping[str, "AssociativeRecallConfig"]:
        """A few pairs."""
        return {"": cls(keys=5, values=4, pairs=3)}

    def build(self, seed: int) -> "AssociativeRecall":
        """Make the task."""
        positive(keys=self.keys, values=self.values, pairs=self.pairs)
        if self.pairs > self.keys:
            raise ValueError(f"pairs={self.pairs}: must be at most keys={self.keys}, all different")
        return AssociativeRecall(self, seed)


class AssociativeRecall(GeneratedTask):
    """Inputs are [key; value; whether this is a question], one-hot; questions have no value."""

    def __init__(self, config: AssociativeRecallConfig, seed: int) -> None:
        super().__init__(seed)
        self.config, self.num_classes = config, config.values
        self.longest_episode = 2 * config.pairs

    def encoder(self) -> Encoder:
        """Inputs are vectors already."""
        return Plain(self.config.keys + self.config.values + 1)

    def baselines(self) -> dict[str, float]:
        """Guessing, and naming any value that was shown."""
        hit = 1 / self.config.pairs
        return {"chance": 1 / self.config.values, "any shown": hit + (1 - hit) / self.config.values}

    def draw(self, size: int, random: torch.Generator) -> Batch:
        """Draw a batch of sequences."""
        c = self.config
        keys = torch.rand(size, c.keys, generator=random).argsort(dim=1)[:, : c.pairs]
        values = torch.randint(c.values, (size, c.pairs), generator=random)
        order = torch.rand(size, c.pairs, generator=random).argsort(dim=1)
        asked, answers = keys.gather(1, order), values.gather(1, order)
        inputs = torch.zeros(2 * c.pairs, size, c.keys + c.values + 1)
        inputs[..., : c.keys] = one_hot(torch.cat([keys, asked], dim=1).t(), c.keys)
        inputs[: c.pairs, :, c.keys : -1] = one_hot(values.t(), c.values)
        inputs[c.pairs :, :, -1] = 1
        targets = torch.cat([torch.zeros_like(answers), answers], dim=1).t().contiguous()
        loss_mask = torch.zeros_like(targets, dtype=torch.bool)
        loss_mask[c.pairs :] = True
        return Batch(inputs, targets, loss_mask)
