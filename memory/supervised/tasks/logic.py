"""Logic: repeat the previous symbol, and at the end give the value of an expression.

Source: Barrett, "Learning to remember" (MANN-RL), and its program. A sequence is the letters of an
operator (and, or, xor), its operands, `=` and `|`. The target is the symbol of the step before (`.`
at the first), but at `|` the value of the expression. `xor` has two operands. The others are all
neutral (1 for `and`, 0 for `or`), or all but one, at a place of its own, each with probability 1/2.

Sequences follow one another in a lane, and nothing is reset between them. Only one answer in 13
asks for a memory of more than one step: a reader is judged by `answer_accuracy`. The `f1` that the
paper reports is 0.96 for an echo that guesses. The test `longer` asks for expressions longer than
any of training.

Differs from the paper:

* Sequences are drawn afresh; the program draws 10,000 once, of which only 460 are different.
* A batch is a piece of the stream, with an empty memory before it; its last sequences are cut.
"""

# pyright: reportUnknownMemberType=false

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast, get_args

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn.functional import one_hot

from memory.options import one_of
from memory.supervised.batch import Batch
from memory.supervised.head import Answered
from memory.supervised.measure import AccuracyMetric, Measure
from memory.supervised.task import CHUNK, Encoder, Plain, TaskConfig
from memory.supervised.tasks.generated import HELD_OUT, GeneratedTask
from memory.supervised.tasks.weighted_f1 import WeightedF1

ALPHABET = "andorx01=.|"
"""Eleven symbols."""
ZERO, EQUALS, START, END = (ALPHABET.index(symbol) for symbol in "0=.|")
OPERATORS = ("and", "or", "xor")
AND, OR, XOR = range(3)
SHORTEST = len("or00=|")

Operands = Literal["one_opposite", "random"]


@dataclass(frozen=True, kw_only=True)
class LogicConfig(TaskConfig):
    """Echo what is shown, and evaluate it."""

    operands: Operands = "one_opposite"
    """Neutral but for at most one, as published, or all drawn at random."""
    lengths: tuple[int, int] = (2, 20)
    """Fewest and most operands of `and` and `or`."""
    longer: tuple[int, int] = (21, 40)
    """The same, in the test of that name; `xor`, a third of the expressions, has two there too."""
    steps: int = 64
    """Length of a piece of the stream; in the test `longer`, twice that, or more where its longest
    expression needs it."""

    @classmethod
    def small(cls) -> Mapping[str, "LogicConfig"]:
        """Short expressions."""
        return {"": cls(lengths=(2, 4), steps=20)}

    def build(self, seed: int) -> "Logic":
        """Make the task."""
        one_of("operands", self.operands, get_args(Operands))
        if self.steps < SHORTEST:
            raise ValueError(f"steps={self.steps}: must be at least {SHORTEST}, for one answer")
        for name in ("lengths", "longer"):
            fewest, most = getattr(self, name)
            if not 2 <= fewest <= most:
                raise ValueError(
                    f"{name}={fewest, most}: must be two counts from 2 on, the smaller first"
                )
        return Logic(self, seed)


class Logic(GeneratedTask):
    """Inputs are one-hot."""

    num_classes = len(ALPHABET)
    measure = "answer_accuracy"
    tests = ("test", "longer")

    def __init__(self, config: LogicConfig, seed: int) -> None:
        super().__init__(seed)
        self.config = config

    def encoder(self) -> Encoder:
        """Inputs are vectors already."""
        return Plain(self.num_classes)

    def measures(self) -> list[Measure]:
        """Metrics of the answers and of the echo."""
        return [AccuracyMetric(), WeightedF1(self.num_classes), AnswersAndEcho()]

    def baselines(self) -> dict[str, float]:
        """An answer is yes or no."""
        return {"guess": 0.5}

    def draw(self, size: int, random: torch.Generator) -> Batch:
        """Pieces of the stream with the lengths of training."""
        return self._stream(size, self.config.steps, self.config.lengths, random)

    def held_out(self, split: str) -> Iterator[Batch]:
        """As many pieces as of other tasks there are sequences."""
        if split != "longer":
            yield from super().held_out(split)
            return
        steps = max(2 * self.config.steps, len("and=|") + self.config.longer[1])
        for number in range(HELD_OUT // CHUNK):
            random = self.random("test", number)
            yield self._stream(CHUNK, steps, self.config.longer, random)

    def _stream(
        self, lanes: int, steps: int, lengths: tuple[int, int], random: torch.Generator
    ) -> Batch:
        drawn = sequences(lanes * (steps // SHORTEST + 1), self.config.operands, lengths, random)
        symbols, targets = lay_out(drawn, lanes, steps)
        inputs = one_hot(symbols, self.num_classes).float()
        return Batch(inputs, targets, torch.ones_like(targets, dtype=torch.bool))


class AnswersAndEcho(Measure):
    """`answer_accuracy` where an expression is to be evaluated, `echo_accuracy` elsewhere."""

    def __init__(self) -> None:
        self.right, self.due = torch.zeros(2, 2, dtype=torch.long).unbind()

    def add(self, batch: Batch, answered: Answered) -> None:
        """Add the answers to a batch, every step of which is scored."""
        kind = is_answer(batch)[batch.loss_mask].long().cpu()
        right = answered.guesses.eq(batch.targets[batch.loss_mask]).cpu()
        self.due += kind.bincount(minlength=2)
        self.right += kind[right].bincount(minlength=2)

    def results(self) -> dict[str, float]:
        """Shares of right answers."""
        echo, answer = cast(list[float], (self.right / self.due).tolist())
        return {"answer_accuracy": answer, "echo_accuracy": echo}


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
