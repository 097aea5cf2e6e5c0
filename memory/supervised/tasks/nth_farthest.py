"""Nth Farthest: which of the vectors shown is the n-th farthest from the one of label m?

Source: Santoro et al., "Relational recurrent neural networks" (2018), section 4.1 and appendix A.1.
N vectors, uniform in [-1, 1]^d, come one per step with their labels, a permutation of 1 to N; the
question (n, m) is part of each input. The answer, a label, is due at the last step.

The vector of label m is among the candidates: it is the farthest but N - 1, at distance 0. A model
that has understood this much and no more answers m then, guesses among the others otherwise, and is
right 2 times in N: the plateau of 25 % at N = 8, where training may stay for long.

Differs from the paper: training may begin with few vectors of few dimensions (`--task.curriculum`).
The other dimensions of these are zeros; validation and test are always of the full size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import torch
from numpy.random import default_rng
from torch.nn.functional import one_hot

from memory.options import one_of, positive
from memory.supervised.batch import Batch
from memory.supervised.task import Encoder, Plain, TaskConfig, random_source
from memory.supervised.tasks.curriculum import Curriculum, CurriculumName, Level
from memory.supervised.tasks.generated import HELD_OUT, torch_generator
from memory.supervised.tasks.graded_task import GradedTask, Hardness

MASTERED = 0.8
"""Accuracy at which a level rises."""


@dataclass(frozen=True, kw_only=True)
class NthFarthestConfig(TaskConfig):
    """Label of the n-th farthest vector from the m-th."""

    vectors: int = 8
    """Vectors, and labels."""
    dimensions: int = 16
    """Of each vector."""
    curriculum: CurriculumName = "largest"
    """Vectors and dimensions of a training batch: the largest only, as in the paper, or any up to
    it; or, as a level that rises, in vectors first: those of the level, any up to it, or the level
    mixed with any."""

    @classmethod
    def small(cls) -> Mapping[str, "NthFarthestConfig"]:
        """A few vectors, with and without a curriculum."""
        return {
            "": cls(vectors=4, dimensions=3),
            "curriculum": cls(vectors=4, dimensions=3, curriculum="combined"),
        }

    def build(self, seed: int) -> "NthFarthest":
        """Make the task."""
        one_of("curriculum", self.curriculum, get_args(CurriculumName))
        positive(vectors=self.vectors, dimensions=self.dimensions)
        largest = Level(self.vectors, self.dimensions)
        return NthFarthest(Curriculum(self.curriculum, largest, MASTERED), seed)


class NthFarthest(GradedTask):
    """Inputs are [vector; label; n; m], `d + 3 N` features per step."""

    held_out_sizes = dict.fromkeys(("validation", "test"), HELD_OUT)

    def __init__(self, curriculum: Curriculum, seed: int) -> None:
        super().__init__(curriculum)
        self.vectors, self.dimensions = curriculum.largest
        self.num_classes = self.longest_episode = self.vectors
        self.seed = seed

    def encoder(self) -> Encoder:
        """Inputs are vectors already."""
        return Plain(self.dimensions + 3 * self.vectors)

    def baselines(self) -> dict[str, float]:
        """Guessing, and always answering m."""
        return {"chance": 1 / self.vectors, "answer yourself": min(1.0, 2 / self.vectors)}

    def draw(self, split: str, number: int, size: int, hardness: Hardness) -> Batch:
        """Draw a batch of sequences of one length."""
        source = random_source(self.seed, split, number)
        count, dimensions = hardness(default_rng(source), 1)[:, 0].tolist()
        random = torch_generator(source)
        points = 2 * torch.rand(size, count, self.dimensions, generator=random) - 1
        points[..., dimensions:] = 0
        labels = torch.rand(size, count, generator=random).argsort(dim=1)
        asked = torch.randint(count, (2, size), generator=random)  # n and m, from 0
        answers = nth_farthest(points, labels, *asked)
        question = one_hot(asked, self.vectors).transpose(0, 1).flatten(1).float()
        names = one_hot(labels, self.vectors)
        inputs = torch.cat([points, names, question[:, None].expand(-1, count, -1)], dim=-1)
        loss_mask = torch.zeros(count, size, dtype=torch.bool)
        loss_mask[-1] = True
        return Batch(inputs.transpose(0, 1).contiguous(), answers.expand(count, -1), loss_mask)


def nth_farthest(
    points: torch.Tensor, labels: torch.Tensor, n: torch.Tensor, m: torch.Tensor
) -> torch.Tensor:
    """Labels `[B]` of the n-th farthest (0: the farthest) of `points` `[B, N, d]` from label m."""
    order = torch.arange(len(points))
    reference = points[order, labels.eq(m[:, None]).int().argmax(dim=1)]
    distances = (points - reference[:, None]).square().sum(dim=-1)
    ranked = distances.argsort(dim=1, descending=True, stable=True)
    return labels[order, ranked[order, n]]
