"""Programs and what they compute, written in characters, and how they are laid out for a reader.

A character is a number, its place in `ALPHABET`. Texts of different lengths are
columns, `[R, B]`, the rest of a column being `NOTHING`.
"""

# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import one_hot

from memory.supervised.batch import Batch
from memory.supervised.task import Encoder

ALPHABET = "0123456789.-+*()<>=[]#;: abcdefghijlnoprstx"
"""Characters of programs; those of answers come first, as they are classes too."""

NOTHING, DUE = -1, len(ALPHABET)
"""Inputs that are no characters: beside a text, and that the answer is due."""


class Program(NamedTuple):
    """A program and what it computes, both as text."""

    text: str
    answer: str


class Written(NamedTuple):
    """Programs and what they compute, side by side."""

    programs: Int[ndarray, "R B"]
    """Flush with the end."""
    answers: Int[ndarray, "A B"]
    """Flush with the start."""


class OneHot(Encoder):
    """Characters, and that the answer is due, as one-hot vectors; nothing as zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.output_shape = (len(ALPHABET) + 1,)

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors of characters."""
        return one_hot(inputs + 1, len(ALPHABET) + 2)[..., 1:].float()


def lay_out(written: Written, feeds: bool = False) -> Batch:
    """Programs, then their answers, as many steps as the longest of each takes.

    An episode starts at the first character of a program. In place of the first character of the
    answer, the input says that it is due; in place of the others too, or it is the one before.

    Args:
        feeds: whether the characters of an answer are fed back.
    """
    reading, loss_mask = len(written.programs), written.answers != NOTHING
    targets = np.concatenate(
        [np.zeros_like(written.programs), np.where(loss_mask, written.answers, 0)]
    )
    loss_mask = np.concatenate([np.zeros(written.programs.shape, bool), loss_mask])
    inputs = np.concatenate([written.programs, np.full_like(written.answers, DUE)])
    reset = inputs != NOTHING
    reset[1:] &= inputs[:-1] == NOTHING
    feedback_mask = None
    if feeds:
        feedback_mask = loss_mask.copy()
        feedback_mask[: reading + 1] = False
        inputs[1:][feedback_mask[1:]] = targets[:-1][feedback_mask[1:]]
        feedback_mask = torch.from_numpy(feedback_mask)
    parts = (torch.from_numpy(part) for part in (inputs, targets, loss_mask, reset))
    return Batch(*parts, feedback_mask=feedback_mask)


def spell(programs: Sequence[Program]) -> Written:
    """Programs that were made as text."""
    texts = flush_right(_columns([program.text for program in programs]))
    return Written(texts, flush_left(_columns([program.answer for program in programs])))


def numbers(text: str) -> Int[ndarray, " R"]:
    """The characters of a text.

    Raises:
        ValueError: one that is not in `ALPHABET`.
    """
    found = _NUMBERS[np.frombuffer(text.encode("latin-1"), np.uint8)]
    if (found == NOTHING).any():
        raise ValueError(f"{text!r} has characters other than {ALPHABET!r}")
    return found


def flush_right(characters: Int[ndarray, "W B"]) -> Int[ndarray, "R B"]:
    """The same texts without gaps, flush with the end."""
    there = characters != NOTHING
    order = there.argsort(axis=0, kind="stable")
    texts = np.take_along_axis(characters, order, axis=0)
    return texts[len(texts) - _longest(there) :]


def flush_left(characters: Int[ndarray, "W B"]) -> Int[ndarray, "R B"]:
    """The same texts without gaps, flush with the start."""
    there = characters != NOTHING
    order = (~there).argsort(axis=0, kind="stable")
    return np.take_along_axis(characters, order, axis=0)[: _longest(there)]


def _longest(there: Bool[ndarray, "W B"]) -> int:
    return int(there.sum(axis=0).max())


def _columns(texts: Sequence[str]) -> Int[ndarray, "W B"]:
    columns = np.full((max(map(len, texts)), len(texts)), NOTHING)
    for b, text in enumerate(texts):
        columns[: len(text), b] = numbers(text)
    return columns


_NUMBERS = np.full(256, NOTHING)
_NUMBERS[list(ALPHABET.encode())] = np.arange(len(ALPHABET))
