"""Nth Farthest: which of the vectors shown is the n-th farthest from the one of label m?

Source: Santoro et al., "Relational recurrent neural networks" (2018), section 4.1 and appendix A.1.
N vectors, uniform in [-1, 1]^d, come one per step with their labels, a permutation of 1 to N; the
question (n, m) stands beside each of them. The answer, a label, is due at the last step.

The vector of label m is among the candidates: it is the farthest but N - 1, at distance 0. A model
that has understood this much and no more answers m then, guesses among the others otherwise, and is
right 2 times in N: the plateau of 25 % at N = 8, where training may stay for long.
"""

from dataclasses import dataclass

import torch
from torch.nn.functional import one_hot

from memory.options import positive
from memory.supervised.batch import Batch
from memory.supervised.generated import GeneratedTask
from memory.supervised.task import Encoder, Plain


@dataclass(frozen=True, kw_only=True)
class NthFarthestConfig:
    """Label of the n-th farthest vector from the m-th."""

    vectors: int = 8
    """Vectors, and labels."""
    dimensions: int = 16
    """Of each vector."""

    def build(self, seed: int) -> "NthFarthest":
        """Make the task."""
        positive(vectors=self.vectors, dimensions=self.dimensions)
        return NthFarthest(self.vectors, self.dimensions, seed)


class NthFarthest(GeneratedTask):
    """Inputs are [vector; label; n; m], `d + 3 N` features per step."""

    def __init__(self, vectors: int, dimensions: int, seed: int) -> None:
        super().__init__(seed)
        self.vectors, self.dimensions, self.num_classes = vectors, dimensions, vectors
        self.longest_episode = vectors

    def encoder(self) -> Encoder:
        """Inputs are vectors already."""
        return Plain(self.dimensions + 3 * self.vectors)

    def plateaus(self) -> dict[str, float]:
        """Guessing, and knowing no more than that m is nearest to itself."""
        return {"chance": 1 / self.vectors, "answer yourself": min(1.0, 2 / self.vectors)}

    def draw(self, size: int, random: torch.Generator) -> Batch:
        """Sequences, all at once."""
        count = self.vectors
        points = 2 * torch.rand(size, count, self.dimensions, generator=random) - 1
        labels = torch.rand(size, count, generator=random).argsort(dim=1)
        asked = torch.randint(count, (2, size), generator=random)  # n and m, from 0
        answers = nth_farthest(points, labels, *asked)
        question = one_hot(asked, count).transpose(0, 1).flatten(1).float()
        inputs = torch.cat(
            [points, one_hot(labels, count), question[:, None].expand(-1, count, -1)], dim=-1
        )
        scored = torch.zeros(count, size, dtype=torch.bool)
        scored[-1] = True
        return Batch(inputs.transpose(0, 1).contiguous(), answers.expand(count, -1), scored)


def nth_farthest(
    points: torch.Tensor, labels: torch.Tensor, n: torch.Tensor, m: torch.Tensor
) -> torch.Tensor:
    """Labels `[B]` of the n-th farthest (0: the farthest) of `points` `[B, N, d]` from label m."""
    order = torch.arange(len(points))
    reference = points[order, labels.eq(m[:, None]).int().argmax(dim=1)]
    distances = (points - reference[:, None]).square().sum(dim=-1)
    ranked = distances.argsort(dim=1, descending=True, stable=True)
    return labels[order, ranked[order, n]]
