"""Multi-head attention to a window of rows, with relative positions, as in Transformer-XL.

Source: Dai et al., "Transformer-XL: attentive language models beyond a fixed-length context"
(2019), section 3.3. The score of query q, for a key from row r that is a steps old, with the
sinusoids phi(a) of that age and trained vectors u and v:

    (q + u) . W_k r + (q + v) . W_R phi(a)

Every query attends to ages 0 to M only, so the cost of a step is constant.

Keys and values are not computed: q . W_k r is (W_k^T q) . r, and the mean of the values is W_v
times the mean of the rows. The result is the same to rounding, and a single step costs about
M * heads * width products in place of M * width².
"""

# pyright: standard

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from memory.layers.initialisation import linear, truncated_normal_
from memory.observed import Observed


class RelativeAttention(nn.Module):
    """Attention of T rows to themselves and to M rows before them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Parameter(torch.empty(heads, width // heads, width))
        self.value = nn.Parameter(torch.empty(heads, width // heads, width))
        self.position = nn.Linear(width, width, bias=False)  # W_R
        self.content_bias = nn.Parameter(torch.zeros(heads, width // heads))  # u
        self.position_bias = nn.Parameter(torch.zeros(heads, width // heads))  # v
        self.merge = linear(width, width)
        self.weights = Observed(head=(), query=(), key=())
        for weight in (self.query.weight, self.key, self.value, self.position.weight):
            truncated_normal_(weight, width)

    def forward(
        self,
        rows: Float[Tensor, "B N D"],
        visible: Bool[Tensor, "B T N"],
        broken: Bool[Tensor, "B N"],
        ages: Float[Tensor, "ages D"],
    ) -> Float[Tensor, "B T D"]:
        """What each of the last T rows reads.

        Args:
            rows: oldest first, N = M + T of them.
            visible: which rows each query attends to.
            broken: rows in place of numbers that are not finite; who attends to one gets NaN.
            ages: sinusoids of the ages M to 0.
        """
        steps = visible.shape[1]
        queries = self.query(rows[:, -steps:]).unflatten(-1, (self.heads, -1))  # [B, T, K, d]
        moved = torch.einsum("btkd,kdf->bktf", queries + self.content_bias, self.key)
        content = moved.flatten(1, 2) @ rows.transpose(1, 2)
        positions = self.position(ages).unflatten(-1, (self.heads, -1))  # [M + 1, K, d]
        by_age = torch.einsum("btkd,akd->bkta", queries + self.position_bias, positions)
        scores = self.scale * (content.unflatten(1, (self.heads, -1)) + _align(by_age))
        scores = scores.masked_fill(broken[:, None, None], torch.nan)
        scores = scores.masked_fill(~visible.unsqueeze(1), -torch.inf)
        weights = self.weights(torch.softmax(scores, dim=-1))  # [B, K, T, N]
        read = (weights.flatten(1, 2) @ rows).unflatten(1, (self.heads, -1))
        return self.merge(torch.einsum("bktf,kdf->btkd", read, self.value).flatten(2))


def sinusoids(ages: Float[Tensor, " N"], width: int) -> Float[Tensor, "N D"]:
    """Sines, then cosines, of each age at wavelengths from 2 pi to nearly 20,000 pi."""
    half = torch.arange((width + 1) // 2, dtype=ages.dtype, device=ages.device)
    angles = ages.unsqueeze(1) * 10_000 ** (-2 * half / width)
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


def window(steps: int, before: int, device: torch.device) -> Bool[Tensor, "T N"]:
    """Which of N = before + T rows lie at ages 0 to `before` of each of the last T."""
    return torch.ones(steps, before + steps, dtype=torch.bool, device=device).triu().tril(before)


def _align(by_age: Float[Tensor, "B K T ages"]) -> Float[Tensor, "B K T N"]:
    """Scores by age, M to 0, to the places of the rows; zeros outside the window.

    Row t moves to the right by t. Padded with T zeros and read as rows shorter by one, it does.
    """
    steps = by_age.shape[2]
    flat = functional.pad(by_age, (0, steps)).flatten(2)
    return flat[..., : flat.shape[-1] - steps].unflatten(2, (steps, -1))
