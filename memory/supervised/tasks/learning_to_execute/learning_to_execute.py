"""Learning to Execute: read a small program character by character, then write what it computes.

Sources: Santoro et al., "Relational recurrent neural networks" (2018), section 4.2 and appendix
A.2, with the programs of DeepMind's generator (`deepmind_programs`); Zaremba and Sutskever,
"Learning to execute" (2014), with theirs (`zaremba_programs`). The memory tasks show a number to
be repeated, reversed, or written twice.

One core reads and writes. Programs are padded on the left, and an episode starts at their first
character; then the answer is due, one character per step. While it writes, the input of a core is a
constant ("model predictions only" of the paper, its best), or the previous right character, or, in
training too, the previous character that it wrote. In evaluation it is never a right character of
the answer, but the core's own.
"""

# pyright: reportUnknownMemberType=false

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal, cast, get_args

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from numpy.random import Generator, default_rng

from memory.options import one_of, positive
from memory.supervised.batch import Batch
from memory.supervised.task import Encoder, TaskConfig, random_source
from memory.supervised.tasks.curriculum import Curriculum, CurriculumName, Level
from memory.supervised.tasks.graded_task import GradedTask, Hardness
from memory.supervised.tasks.learning_to_execute import deepmind_programs, zaremba_programs
from memory.supervised.tasks.learning_to_execute.written import (
    NOTHING,
    OneHot,
    Written,
    flush_left,
    flush_right,
    lay_out,
    spell,
)

Programs = Literal["add", "control", "program", "copy", "reverse", "double", "zaremba"]
Decoder = Literal["nothing", "targets", "guesses"]

HELD_OUT = {"validation": 3200, "test": 12_800}
"""Programs of each set; the paper has as many in its test."""

REWRITES: dict[str, Callable[[ndarray], ndarray]] = {
    "copy": lambda digits: digits,
    "reverse": lambda digits: digits[::-1],
    "double": lambda digits: np.concatenate([digits, digits]),
}
"""The answers of the memory tasks."""


@dataclass(frozen=True, kw_only=True)
class LearningToExecuteConfig(TaskConfig):
    """Write what a small program computes."""

    programs: Programs = "add"
    """Additions; additions, subtractions and conditions; with products and loops too; one of the
    memory tasks; or programs of several lines, those of Zaremba and Sutskever."""
    length: int = 5
    """Digits of a literal, or of the number to remember; at most."""
    nesting: int = 2
    """Operations in a program, at most. Used by programs, not by memory tasks."""
    curriculum: CurriculumName = "mix"
    """Length and nesting in training: any up to the largest, the largest only; or, as a level that
    rises: those of the level, any up to it, or the level and the mix."""
    decoder: Decoder = "nothing"
    """What is fed in training while the answer is written: nothing, the right character before, or
    the reader's own guess."""

    @classmethod
    def small(cls) -> Mapping[str, "LearningToExecuteConfig"]:
        """Short programs, and a memory task whose answers are fed back."""
        return {
            "": cls(programs="program", length=3, nesting=2),
            "copy": cls(programs="copy", length=3, nesting=1, decoder="targets"),
        }

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        rewrites = self.programs in REWRITES and self.nesting > 1
        return {"nesting": "--task.programs copy, reverse or double"} if rewrites else {}

    def build(self, seed: int) -> "LearningToExecute":
        """Make the task."""
        one_of("programs", self.programs, get_args(Programs))
        one_of("curriculum", self.curriculum, get_args(CurriculumName))
        one_of("decoder", self.decoder, get_args(Decoder))
        positive(length=self.length, nesting=self.nesting)
        if self.programs not in REWRITES and self.length > deepmind_programs.LONGEST:
            raise ValueError(
                f"length={self.length}: must be at most {deepmind_programs.LONGEST} in programs"
            )
        variables = len(zaremba_programs.VARIABLES)
        if self.programs == "zaremba" and self.nesting > variables:
            raise ValueError(
                f"nesting={self.nesting}: must be at most {variables}, the variables there are"
            )
        return LearningToExecute(self, seed)


class LearningToExecute(GradedTask):
    """Inputs are numbers of characters, `[T, B]`, or one of `NOTHING` and `DUE`."""

    held_out_sizes = HELD_OUT

    def __init__(self, config: LearningToExecuteConfig, seed: int) -> None:
        nesting = 1 if config.programs in REWRITES else config.nesting
        super().__init__(Curriculum(config.curriculum, Level(config.length, nesting)))
        self.config, self.seed = config, seed
        self.num_classes = 12 if config.programs == "zaremba" else 10
        self.learns_from_own_answers = config.decoder == "guesses"
        self.longest_episode = max(len(batch.inputs) for batch in self.held_out("validation"))

    def encoder(self) -> Encoder:
        """One-hot."""
        return OneHot()

    def baselines(self) -> dict[str, float]:
        """Guessing, and the most frequent character at each place."""
        counts: list[Counter[int]] = []
        for batch in self.held_out("validation"):
            if batch.groups is not None:
                break
            written = batch.targets.masked_fill(~batch.loss_mask, NOTHING)
            rows = cast(list[list[int]], written[written.ge(0).any(dim=1)].tolist())
            for place, row in enumerate(rows):
                counts += [Counter()] * (place == len(counts))
                counts[place].update(c for c in row if c != NOTHING)
        likeliest = sum(max(count.values()) for count in counts)
        share = likeliest / sum(count.total() for count in counts)
        return {"chance": 1 / self.num_classes, "likeliest at each place": share}

    def draw(self, split: str, number: int, size: int, hardness: Hardness) -> Batch:
        """Draw programs of a difficulty.

        Those of Zaremba and Sutskever in the held-out sets are never trained on; of the others
        small ones recur.
        """
        random = default_rng(random_source(self.seed, split, number))
        if self.config.programs == "zaremba":
            written = _several_lines(random, split, size, hardness)
        elif self.config.programs in REWRITES:
            lengths, _ = hardness(random, size)
            written = draw_numbers(random, REWRITES[self.config.programs], lengths)
        else:
            operations = deepmind_programs.OPERATIONS[self.config.programs]
            lengths, nestings = hardness(random, size)
            written = deepmind_programs.draw_programs(random, operations, lengths, nestings)
        return lay_out(written, feeds=self.config.decoder != "nothing")


def draw_numbers(
    random: Generator, rewrite: Callable[[ndarray], ndarray], lengths: Int[ndarray, " B"]
) -> Written:
    """Draw numbers of given lengths, and their answers."""
    longest = int(lengths.max())
    digits = random.integers(0, 10, (longest, len(lengths)))
    digits[0] = random.integers(1, 10, len(lengths))
    digits[np.arange(longest)[:, None] >= lengths] = NOTHING
    return Written(flush_right(digits), flush_left(rewrite(digits)))


def _several_lines(random: Generator, split: str, size: int, hardness: Hardness) -> Written:
    """The programs of Zaremba and Sutskever. They draw from a source of numbers of their own."""
    stream = _one_by_one(random.spawn(1)[0], hardness)
    source = Random(int(random.integers(2**63)))
    return spell(
        [zaremba_programs.draw_of_share(source, stream.__next__, split) for _ in range(size)]
    )


def _one_by_one(random: Generator, hardness: Hardness) -> Iterator[tuple[int, int]]:
    """Lengths and nestings without end."""
    while True:
        yield from zip(*hardness(random, 1024).tolist(), strict=True)
