"""The programs of DeepMind's generator for Learning to Execute, a batch of them at once.

Source: Santoro et al., "Relational recurrent neural networks" (2018), section 4.2 and appendix A.2,
and the authors' own generator. Each of `nesting` rounds draws one operation; its first operand is
the program so far, in parentheses, the others are literals of `length` digits:

    p+q   p-q   p*q   pifq>relses   pifq<relses   x=pfor[k]x+=q    (k from 1 to 9)

The answer is taken modulo 10^(length + 1), as the generator does; the paper's caption has
10^length, its figure 6 the former.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray
from numpy.random import Generator

from memory.supervised.tasks.learning_to_execute.written import (
    NOTHING,
    Written,
    flush_left,
    flush_right,
    numbers,
)

OPERATIONS: dict[str, tuple[str, ...]] = {
    "add": ("+",),
    "control": ("+", "-", "if"),
    "program": ("+", "-", "*", "if", "for"),
}
"""What programs are made of. `control` is what the paper's figure shows."""

LONGEST = 18
"""Digits that a literal of 64 bits can have, whatever they are."""

KINDS = ("+", "-", "*", "if", "for")
NONE = -1
"""In place of an operation: the program has fewer rounds."""
SMALL = 8
"""Digits of literals whose products, and what they are added to, are numbers of 64 bits."""


class Round(NamedTuple):
    """One operation of each program; what an operation has no use for was drawn for nothing."""

    kind: Int[ndarray, " B"]
    """Place in `KINDS`, or `NONE`."""
    operand: ndarray
    """The second: what is added or multiplied, or the value of a condition that fails."""
    left: ndarray
    right: ndarray
    greater: Bool[ndarray, " B"]
    """Whether `left` is asked to be the greater one."""
    times: Int[ndarray, " B"]


def draw_programs(
    random: Generator,
    operations: tuple[str, ...],
    lengths: Int[ndarray, " B"],
    nestings: Int[ndarray, " B"],
) -> Written:
    """Programs of so many digits per literal, and so many operations."""
    places = int(lengths.max())
    exact = np.int64 if places <= SMALL else object  # Python's integers have no end
    first = _literals(random, lengths, 1).astype(exact)[0]
    rounds = [
        _draw_round(random, operations, lengths, number < nestings, exact)
        for number in range(nestings.max())
    ]
    modulus = 10 ** (lengths.astype(exact) + 1)
    answers = digits(_compute(first, rounds, modulus), places + 1)
    return Written(flush_right(_write(first, rounds, places)), flush_left(answers))


def _draw_round(
    random: Generator,
    operations: tuple[str, ...],
    lengths: Int[ndarray, " B"],
    there: Bool[ndarray, " B"],
    exact: type,
) -> Round:
    size, kinds = len(lengths), np.array([KINDS.index(operation) for operation in operations])
    operand, left, right = _literals(random, lengths, 3).astype(exact)
    return Round(
        kind=np.where(there, kinds[random.integers(len(kinds), size=size)], NONE),
        operand=operand,
        left=left,
        right=right,
        greater=random.integers(2, size=size) == 1,
        times=random.integers(1, 10, size),
    )


def _literals(random: Generator, lengths: Int[ndarray, " B"], count: int) -> Int[ndarray, "N B"]:
    return random.integers(10 ** (lengths - 1), 10**lengths, (count, len(lengths)))


def _compute(first: ndarray, rounds: list[Round], modulus: ndarray) -> ndarray:
    """What programs come to. Conditions compare literals: all else may be taken modulo."""
    value = first
    for kind, operand, left, right, greater, times in rounds:
        holds = np.where(greater, left > right, left < right)
        value = np.select(
            [kind == KINDS.index(name) for name in KINDS],
            [
                value + operand,
                value - operand,
                value * operand,
                np.where(holds, value, operand),
                value + times * operand,
            ],
            value,
        )
        value = value % modulus
    return value


def _write(first: ndarray, rounds: list[Round], places: int) -> Int[ndarray, "W B"]:
    """The texts of programs, with gaps where one has no such part."""
    before, after = list[ndarray](), list[ndarray]()
    for number, one in enumerate(rounds):
        is_there, signs, (condition, loop) = one.kind != NONE, KINDS[:3], _are(one, "if", "for")
        if number:
            before.append(_where(is_there, "("))
            after.append(_where(is_there, ")"))
        after += [_where(has, sign) for has, sign in zip(_are(one, *signs), signs, strict=True)]
        if loop.any():
            before.append(_where(loop, "x="))
            after += [_where(loop, "for["), _where(loop, one.times), _where(loop, "]x+=")]
        if condition.any():
            after += [_where(condition, "if"), _where(condition, digits(one.left, places))]
            after += [_where(condition & one.greater, ">"), _where(condition & ~one.greater, "<")]
            after += [_where(condition, digits(one.right, places)), _where(condition, "else")]
        after.append(_where(is_there, digits(one.operand, places)))
    return np.concatenate([*reversed(before), digits(first, places), *after])


def _are(one: Round, *kinds: str) -> list[Bool[ndarray, " B"]]:
    return [one.kind == KINDS.index(kind) for kind in kinds]


def _where(is_there: Bool[ndarray, " B"], part: str | ndarray) -> Int[ndarray, "W B"]:
    """Characters where a program has this part, gaps elsewhere."""
    characters = numbers(part)[:, None] if isinstance(part, str) else np.atleast_2d(part)
    return np.where(is_there, characters, NOTHING)


def digits(values: ndarray, places: int) -> Int[ndarray, "W B"]:
    """Decimal digits, which are characters as they are, with gaps for leading zeros."""
    powers = 10 ** np.arange(places - 1, -1, -1).astype(values.dtype)[:, None]
    leading = (values < powers) & (powers > 1)
    return np.where(leading, NOTHING, values // powers % 10).astype(np.int64)
