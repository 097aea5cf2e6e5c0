"""Logic: echo the symbol before, and at the end say what an expression comes to.

Source: Barrett, "Learning to remember" (MANN-RL), and its program. A sequence is the letters of an
operator (and, or, xor), its operands, `=` and `|`. The target is the symbol of the step before (`.`
at the first), but at `|` the value of the expression. `xor` has two operands. The others are all
neutral (1 for `and`, 0 for `or`), or all but one, at a place of its own, each with probability 1/2.

Sequences follow one another in a lane, and nothing is reset between them. Only one answer in 13
asks for a memory of more than one step: judge by `answer_accuracy` and not by the whole.

Differs from the paper:

* Sequences are drawn afresh; the program draws 10,000 once, of which only 460 are different.
* A batch is a piece of the stream, with an empty memory before it; its last sequences are cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn.functional import one_hot

from memory.options import one_of, positive
from memory.supervised.batch import Batch
from memory.supervised.generated import HELD_OUT, GeneratedTask
from memory.supervised.task import CHUNK, Encoder, Plain

ALPHABET = "andorx01=.|"
"""Eleven symbols."""
ZERO, EQUALS, START, END = (ALPHABET.index(symbol) for symbol in "0=.|")
OPERATORS = ("and", "or", "xor")
AND, OR, XOR = range(3)
SHORTEST = len("or00=|")

Operands = Literal["one_opposite", "random"]


@dataclass(frozen=True, kw_only=True)
class LogicConfig:
    """Echo what is shown, and evaluate it."""

    operands: Operands = "one_opposite"
    """Neutral but for at most one, as published, or all drawn at random."""
    lengths: tuple[int, int] = (2, 20)
    """Fewest and most operands of `and` and `or`."""
    test_lengths: tuple[int, int] = (2, 20)
    """The same, in the test; (21, 40) asks to generalise to longer ones."""
    steps: int = 64
    """Length of a piece of the stream."""

    def build(self, seed: int) -> "Logic":
        """Make the task."""
        one_of("operands", self.operands, get_args(Operands))
        positive(steps=self.steps)
        for name in ("lengths", "test_lengths"):
            fewest, most = getattr(self, name)
            if not 1 <= fewest <= most:
                raise ValueError(f"{name}={fewest, most}: must be two counts, the smaller first")
        return Logic(self, seed)


class Logic(GeneratedTask):
    """Inputs are one-hot."""

    num_classes = len(ALPHABET)

    def __init__(self, config: LogicConfig, seed: int) -> None:
        super().__init__(seed)
        self.config = config

    def encoder(self) -> Encoder:
        """Inputs are vectors already."""
        return Plain(self.num_classes)

    def plateaus(self) -> dict[str, float]:
        """Echoing: right but at the answers, and there right half of the time."""
        batch = next(self.held_out("test"))
        answers = is_answer(batch).float().mean().item()
        return {"chance": 1 / self.num_classes, "echo and guess": 1 - answers / 2}

    def draw(self, size: int, random: torch.Generator) -> Batch:
        """Pieces of the stream with the lengths of training."""
        return self._stream(size, self.config.lengths, random)

    def held_out(self, split: str) -> Iterator[Batch]:
        """As many pieces as of other tasks there are sequences, with the lengths of the test."""
        for number in range(HELD_OUT // CHUNK):
            yield self._stream(CHUNK, self.config.test_lengths, self.random(split, number))

    def _stream(self, lanes: int, lengths: tuple[int, int], random: torch.Generator) -> Batch:
        steps = self.config.steps
        drawn = sequences(lanes * (steps // SHORTEST + 1), self.config.operands, lengths, random)
        symbols, targets = lay_out(drawn, lanes, steps)
        inputs = one_hot(symbols, self.num_classes).float()
        return Batch(inputs, targets, torch.ones_like(targets, dtype=torch.bool))


class Sequences(NamedTuple):
    """Sequences of different lengths, from the left."""

    symbols: Int[Tensor, "N L"]
    targets: Int[Tensor, "N L"]
    lengths: Int[Tensor, " N"]
    """What is beyond means nothing."""


def sequences(
    count: int, operands: Operands, lengths: tuple[int, int], random: torch.Generator
) -> Sequences:
    """Draw sequences, all at once."""
    operator = torch.randint(3, (count,), generator=random)
    most = max(2, lengths[1])
    sizes = torch.randint(lengths[0], lengths[1] + 1, (count,), generator=random)
    sizes[operator == XOR] = 2
    bits = torch.randint(2, (count, most), generator=random)
    if operands == "one_opposite":
        few = _one_opposite(operator.eq(AND).long(), sizes, most, random)
        bits = torch.where(operator.eq(XOR)[:, None], bits, few)
    letters = torch.tensor([len(name) for name in OPERATORS])[operator]
    place = torch.arange(most)
    shown = place < sizes[:, None]

    rows, ends = torch.arange(count), letters + sizes
    symbols = torch.full((count, 3 + most + 2), END)
    for number, name in enumerate(OPERATORS):
        spelt = torch.tensor([ALPHABET.index(letter) for letter in name])
        symbols[operator == number, : len(name)] = spelt
    symbols[rows.repeat_interleave(sizes), (letters[:, None] + place)[shown]] = ZERO + bits[shown]
    symbols[rows, ends] = EQUALS

    targets = torch.cat([torch.full((count, 1), START), symbols[:, :-1]], dim=1)
    targets[rows, ends + 1] = ZERO + evaluate(operator, bits, shown)
    return Sequences(symbols, targets, ends + 2)


def _one_opposite(
    neutral: Int[Tensor, " N"], sizes: Int[Tensor, " N"], most: int, random: torch.Generator
) -> Int[Tensor, "N L"]:
    """Neutral operands, of which one is the opposite with probability 1/2."""
    odd = (torch.rand(len(sizes), generator=random) * sizes).long()
    is_odd = torch.randint(2, (len(sizes), 1), generator=random).bool()
    flipped = is_odd & (torch.arange(most) == odd[:, None])
    return neutral[:, None] ^ flipped.long()


def evaluate(
    operator: Int[Tensor, " N"], bits: Int[Tensor, "N L"], shown: Bool[Tensor, "N L"]
) -> Int[Tensor, " N"]:
    """The value of each expression."""
    ones = (bits * shown).sum(dim=1)
    values = torch.stack([ones == shown.sum(dim=1), ones > 0, ones % 2 == 1])
    return values.gather(0, operator[None])[0].long()


def lay_out(
    drawn: Sequences, lanes: int, steps: int
) -> tuple[Int[Tensor, "T B"], Int[Tensor, "T B"]]:
    """Symbols and targets of sequences one after the other, as many as fit in each lane."""
    lengths = drawn.lengths.view(lanes, -1)
    starts = (lengths.cumsum(dim=1) - lengths).flatten()
    place = torch.arange(drawn.symbols.shape[1])
    step = starts[:, None] + place
    fits = (place < drawn.lengths[:, None]) & (step < steps)
    lane = torch.arange(lanes).repeat_interleave(lengths.shape[1])[:, None].expand_as(step)
    symbols, targets = torch.empty(2, steps, lanes, dtype=torch.long).unbind()
    symbols[step[fits], lane[fits]] = drawn.symbols[fits]
    targets[step[fits], lane[fits]] = drawn.targets[fits]
    return symbols, targets


def is_answer(batch: Batch) -> Bool[Tensor, "T B"]:
    """The steps at which the value of an expression is due."""
    return batch.inputs[..., END] > 0.5


def weighted_f1(predicted: Int[Tensor, " S"], targets: Int[Tensor, " S"]) -> float:
    """Mean over the classes, weighted by their numbers, of the harmonic mean of precision and
    recall."""
    classes = int(max(predicted.max(), targets.max())) + 1
    support = targets.bincount(minlength=classes)
    right = targets[predicted == targets].bincount(minlength=classes)
    both = support + predicted.bincount(minlength=classes)
    return (support * 2 * right / both.clamp(min=1)).sum().item() / len(targets)
