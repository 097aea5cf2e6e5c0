"""Learning to Execute: read a small program character by character, then write what it computes.

Source: Santoro et al., "Relational recurrent neural networks" (2018), section 4.2 and appendix A.2,
after Zaremba and Sutskever, "Learning to execute" (2014), with the programs of DeepMind's own
generator. `nesting` rounds each draw one operation; its first operand is the program so far, in
parentheses, the others are literals of `length` digits:

    p+q   p-q   p*q   pifq>relses   pifq<relses   x=pfor[k]x+=q    (k from 1 to 9)

The answer is taken modulo 10^(length + 1), as the generator does; the paper's caption has
10^length, its figure 6 the former. The memory tasks show a number to be repeated, reversed, or
written twice.

One core reads and writes. Programs stand flush right, an episode opens at their first character, so
that none reads padding; from the step after the last character on, the input says only that the
answer is due, a digit at each step ("model predictions only" of the paper, its best).

Training draws length and nesting of each program from 1 up to the largest (the Mix curriculum); the
test has the largest only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor
from torch.nn.functional import one_hot

from memory.options import one_of, positive
from memory.supervised.batch import Batch
from memory.supervised.task import CHUNK, Encoder, Task, random_source

Programs = Literal["add", "control", "program", "copy", "reverse", "double"]
Curriculum = Literal["mix", "largest"]

LONGEST = 18
"""Digits that a number of 64 bits can have, whatever they are."""

HELD_OUT = 12_800
"""Programs of the validation, and of the test."""

ALPHABET = "0123456789+-*()<>=[]xifelsor"
"""Characters of programs; digits first, as they are the classes of an answer."""

OPERATIONS: dict[str, tuple[str, ...]] = {
    "add": ("+",),
    "control": ("+", "-", "if"),
    "program": ("+", "-", "*", "if", "for"),
}
"""What programs are made of. `control` is what the paper's figure shows."""

REWRITES: dict[str, Callable[[str], str]] = {
    "copy": lambda digits: digits,
    "reverse": lambda digits: digits[::-1],
    "double": lambda digits: 2 * digits,
}
"""What the memory tasks ask for."""


@dataclass(frozen=True, kw_only=True)
class LearningToExecuteConfig:
    """Write what a small program computes."""

    programs: Programs = "add"
    """Additions; additions, subtractions and conditions; with products and loops too; or one of the
    memory tasks."""
    length: int = 5
    """Digits of a literal, or of the number to remember; at most."""
    nesting: int = 2
    """Operations in a program, at most. Used by programs, not by memory tasks."""
    curriculum: Curriculum = "mix"
    """Lengths and nestings up to the largest in training, or the largest only."""

    def build(self, seed: int) -> "LearningToExecute":
        """Make the task."""
        one_of("programs", self.programs, get_args(Programs))
        one_of("curriculum", self.curriculum, get_args(Curriculum))
        positive(length=self.length, nesting=self.nesting)
        if self.length > LONGEST:
            raise ValueError(f"length={self.length}: must be at most {LONGEST}")
        return LearningToExecute(self, seed)


class Program(NamedTuple):
    """A program and what it computes, both as text."""

    text: str
    answer: str


NOTHING, DUE = -1, len(ALPHABET)
"""Inputs that are no characters: before the program, and while the answer is due."""


class OneHot(Encoder):
    """Characters, and that the answer is due, as one-hot vectors; nothing as zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.output_shape = (len(ALPHABET) + 1,)

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors of characters."""
        return one_hot(inputs + 1, len(ALPHABET) + 2)[..., 1:].float()


class LearningToExecute(Task):
    """Inputs are numbers of characters, `[T, B]`, or one of `NOTHING` and `DUE`."""

    num_classes = 10

    def __init__(self, config: LearningToExecuteConfig, seed: int) -> None:
        self.config, self.seed = config, seed

    def encoder(self) -> Encoder:
        """One-hot."""
        return OneHot()

    def batch(self, number: int, size: int) -> Batch:
        """A training batch."""
        return self._batch("train", number, size, self.config.curriculum == "largest")

    def held_out(self, split: str) -> Iterator[Batch]:
        """12,800 programs of the largest kind, drawn apart from training: small ones do recur."""
        for number in range(HELD_OUT // CHUNK):
            yield self._batch(split, number, CHUNK, largest=True)

    def _batch(self, split: str, number: int, size: int, largest: bool) -> Batch:
        random = default_rng(random_source(self.seed, split, number))
        return lay_out([self._draw(random, largest) for _ in range(size)])

    def _draw(self, random: Generator, largest: bool) -> Program:
        c = self.config
        length = c.length if largest else int(random.integers(1, c.length + 1))
        if c.programs in REWRITES:
            digits = str(literal(random, length))
            return Program(digits, REWRITES[c.programs](digits))
        nesting = c.nesting if largest else int(random.integers(1, c.nesting + 1))
        return draw_program(random, OPERATIONS[c.programs], length, nesting)


def literal(random: Generator, length: int) -> int:
    """A number of exactly so many digits."""
    return int(random.integers(10 ** (length - 1), 10**length))


def draw_program(
    random: Generator, operations: tuple[str, ...], length: int, nesting: int
) -> Program:
    """A program of `nesting` operations."""
    text, value = _operate(random, operations, length, None)
    for _ in range(nesting - 1):
        text, value = _operate(random, operations, length, (f"({text})", value))
    return Program(text, str(value % 10 ** (length + 1)))


def _operate(
    random: Generator, operations: tuple[str, ...], length: int, first: tuple[str, int] | None
) -> tuple[str, int]:
    """One operation on the program so far, or on a literal: its text and its value."""
    operation = operations[random.integers(len(operations))]
    a, value = first or _both(literal(random, length))
    b = literal(random, length)
    match operation:
        case "+":
            return f"{a}+{b}", value + b
        case "-":
            return f"{a}-{b}", value - b
        case "*":
            return f"{a}*{b}", value * b
        case "for":
            times = int(random.integers(1, 10))
            return f"x={a}for[{times}]x+={b}", value + times * b
    c, otherwise = literal(random, length), literal(random, length)
    greater = bool(random.integers(2))
    holds = b > c if greater else b < c
    return f"{a}if{b}{'>' if greater else '<'}{c}else{otherwise}", value if holds else otherwise


def _both(number: int) -> tuple[str, int]:
    return str(number), number


def lay_out(programs: list[Program]) -> Batch:
    """Programs flush right, then their answers, as many steps as the longest of each takes."""
    reading = max(len(program.text) for program in programs)
    writing = max(len(program.answer) for program in programs)
    shape = (reading + writing, len(programs))
    inputs, targets = np.full(shape, NOTHING), np.zeros(shape, np.int64)
    inputs[reading:] = DUE
    scored, reset = np.zeros(shape, bool), np.zeros(shape, bool)
    for b, (text, answer) in enumerate(programs):
        start, end = reading - len(text), reading + len(answer)
        inputs[start:reading, b] = _numbers(text)
        targets[reading:end, b] = _numbers(answer)
        scored[reading:end, b] = True
        reset[start, b] = True
    return Batch(*map(torch.from_numpy, (inputs, targets, scored, reset)))


_NUMBERS = np.full(128, NOTHING)
_NUMBERS[list(ALPHABET.encode())] = np.arange(len(ALPHABET))


def _numbers(text: str) -> np.ndarray:
    return _NUMBERS[np.frombuffer(text.encode(), np.uint8)]
