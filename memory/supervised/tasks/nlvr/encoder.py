"""Encoders of a picture of three boxes and a sentence about it.

Source: Pavez, Allende and Allende-Cid, "Working Memory Networks" (2018), and the authors' own
program for NLVR. Two layers of 3 x 3 filters, each followed by pooling, turn a box into 49
memories, one for each cell of 7 x 7, with 22 channels and the row and column of the cell. A GRU
reads the sentence; its last state is q. With `Boxes`, the memories of one box are a step, and the
last step is q, which a trained layer brings into the same form.

With `Reads`, the encoder also does the network's reads. For box b with memories m_i

    p_i = softmax over i of  tanh(w . relu(A' relu(A [m_i; q])))        o_b = sum over i of p_i m_i

and again with t(o_b), a rectified layer, in place of q; each of the six reads has its own weights.
The weights of the reads and of t are penalised. The results of the first and the second round are
six steps, and q is the seventh; the core relates them.

Differs from the paper: a box may be given as a list of things, each of which is one memory; the
result of a read is normalised over the batch, so that differences between pictures are not small
compared with the sentence; padding words are not read.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional

from memory.supervised.task import Encoder
from memory.supervised.tasks.nlvr.files import BOXES, FEATURES, THINGS

WIDTH = 24
"""Width of a memory."""
WORD, SENTENCE = 100, 128
"""Width of a word, and of q."""
CELLS = 7
ROUNDS = 2
PENALTY = 1e-3
"""Factor of the sum of squares of the weights of the reads, added to the loss."""


class NlvrInputs(NamedTuple):
    """Boxes, and the sentence about them."""

    boxes: UInt8[Tensor, "3 B 50 50 3"] | Float[Tensor, "3 B 8 11"]
    """Pixels, or things."""
    words: Int[Tensor, "W B"]
    """Numbers of words; 0 after the last."""


class Memories(NamedTuple):
    """Memories of each box, for attention."""

    rows: Float[Tensor, "3 B N D"]
    there: Bool[Tensor, "3 B N"]
    """Empty rows are zeros."""


class Cells(nn.Module):
    """Memories of pixels, one for each cell of 7 x 7.

    Args:
        mean: mean of the pixels of the training pictures, from 0 to 255.
        deviation: their standard deviation.
    """

    rows = CELLS * CELLS

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, WIDTH, 3, padding=1), nn.MaxPool2d(3, 3), nn.ReLU()),
            *(nn.Conv2d(WIDTH, WIDTH - 2, 3, padding=1), nn.MaxPool2d(3, 2), nn.ReLU()),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        steps = torch.arange(CELLS) / CELLS
        self.places: Tensor
        self.register_buffer("places", torch.cartesian_prod(steps, steps), persistent=False)

    def forward(self, boxes: UInt8[Tensor, "3 B 50 50 3"]) -> Memories:
        """All boxes in one batch."""
        pixels = (boxes.flatten(0, 1).float() - self.mean) / self.deviation
        channels = self.layers(pixels.movedim(-1, 1)).flatten(2).transpose(1, 2)
        cells = torch.cat([channels, self.places.expand(len(channels), -1, -1)], dim=-1)
        rows = torch.unflatten(cells, 0, boxes.shape[:2])
        return Memories(rows, torch.ones_like(rows[..., 0], dtype=torch.bool))


class Things(nn.Module):
    """Memories of the things of a box, one for each."""

    rows = THINGS

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(FEATURES, WIDTH)
        nn.init.kaiming_normal_(self.embed.weight, nonlinearity="relu")

    def forward(self, boxes: Float[Tensor, "3 B 8 11"]) -> Memories:
        """A rectified layer."""
        there = boxes.ne(0).any(dim=-1)
        return Memories(torch.relu(self.embed(boxes)) * there.unsqueeze(-1), there)


class Sentence(nn.Module):
    """A GRU over words."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, WORD, padding_idx=0)
        self.read = nn.GRU(WORD, SENTENCE)

    def forward(self, words: Int[Tensor, "W B"]) -> Float[Tensor, "B D"]:
        """State after the last word."""
        states, _ = self.read(self.embed(words))
        last = words.ne(0).sum(dim=0) - 1
        return states[last, torch.arange(len(last), device=last.device)]


class Boxes(Encoder):
    """A box per step, as rows; then the sentence."""

    steps = BOXES + 1

    def __init__(self, look: Cells | Things, words: int) -> None:
        super().__init__()
        self.output_shape = (look.rows, WIDTH)
        self.look, self.sentence = look, Sentence(words)
        self.lay_out = nn.Linear(SENTENCE, look.rows * WIDTH)

    def forward(self, inputs: NlvrInputs) -> Float[Tensor, "4 B N D"]:
        """Memories of each box, then the sentence laid out like them."""
        rows, _ = self.look(inputs.boxes)
        asked = self.lay_out(self.sentence(inputs.words)).unflatten(-1, self.output_shape)
        return torch.cat([rows, asked.unsqueeze(0)])


class Read(nn.Module):
    """One read of a box, by additive attention."""

    def __init__(self) -> None:
        super().__init__()
        self.of_row, self.of_query = nn.Linear(WIDTH, 256), nn.Linear(SENTENCE, 256, bias=False)
        self.score = nn.Sequential(
            *(nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 1), nn.Tanh())
        )
        for layer in self.score:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.norm = nn.BatchNorm1d(WIDTH)

    def forward(
        self,
        query: Float[Tensor, "B Q"],
        rows: Float[Tensor, "B N D"],
        there: Bool[Tensor, "B N"],
    ) -> Float[Tensor, "B D"]:
        """Mean of the present rows, weighted by attention to the question, and normalised."""
        joined = self.of_row(rows) + self.of_query(query).unsqueeze(1)
        scores = self.score(joined).squeeze(-1)  # in half precision, where rows may not be
        scores = scores.masked_fill(~there, torch.finfo(scores.dtype).min)
        return self.norm((torch.softmax(scores, dim=-1).unsqueeze(1) @ rows).squeeze(1))


class Reads(Encoder):
    """Results of reading each box in two rounds, each a step; then the sentence."""

    steps = ROUNDS * BOXES + 1
    output_shape = (SENTENCE,)

    def __init__(self, look: Cells | Things, words: int) -> None:
        super().__init__()
        self.look, self.sentence = look, Sentence(words)
        self.reads = nn.ModuleList(Read() for _ in range(ROUNDS * BOXES))
        self.ask_again = nn.Sequential(nn.Linear(WIDTH, SENTENCE), nn.ReLU())

    def penalties(self) -> Iterable[tuple[Tensor, float]]:
        """Penalties of the layers that score a memory, and of the layer t."""
        return [
            (layer.weight, PENALTY)
            for part in (self.reads, self.ask_again)
            for layer in part.modules()
            if isinstance(layer, nn.Linear)
        ]

    def forward(self, inputs: NlvrInputs) -> Float[Tensor, "7 B D"]:
        """Narrower steps are padded with zeros."""
        boxes, asked = self.look(inputs.boxes), self.sentence(inputs.words)
        queries = [asked] * BOXES
        found: list[Tensor] = []
        for number, read in enumerate(self.reads):
            box = number % BOXES
            found.append(read(queries[box], boxes.rows[box], boxes.there[box]))
            queries[box] = self.ask_again(found[-1])
        steps = functional.pad(torch.stack(found), (0, SENTENCE - WIDTH))
        return torch.cat([steps, asked.unsqueeze(0)])
