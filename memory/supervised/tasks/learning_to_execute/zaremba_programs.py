"""The programs of the first Learning to Execute: variables, loops and conditions, over some lines.

Source: Zaremba and Sutskever, "Learning to execute" (2014), section 4, and the authors' own
generator. Each of `nesting` rounds draws one of six operations. One of its operands is the
expression so far, the others are numbers from 1 to 10^length, all in random order:

    (p+q)   (p*k)   p   v=p;#...(v+q)   v=p#for x in range(k):v+=q#...v   (p if r>s else q)

k runs from 1 to 4 * length, + may be -, > may be <, and # ends a line. The last line
prints the expression. The answer is the whole number, with its sign, and ends with a full stop.

The length is drawn for each number separately, which matters if a curriculum mixes lengths.

Differs from the authors' program: the character @, which ends a program there, is the input that
says that the answer is due; and the hash that sorts programs is another.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple
from zlib import crc32

from memory.supervised.tasks.learning_to_execute.written import Program

VARIABLES = "abcdefghij"

SHARES = ("train", "validation", "test")
"""Programs fall to one of three by a hash of their text: no test is ever trained on."""

Hardness = Callable[[], tuple[int, int]]
"""Draws a length and a nesting."""


class Operand(NamedTuple):
    """An expression and its value."""

    text: str
    value: int


class Draft:
    """A program while it is written."""

    def __init__(self, random: Random, hardness: Hardness) -> None:
        self.random, self.hardness = random, hardness
        self.lines: list[str] = []
        self.so_far: Operand | None = None
        self._variables = random.sample(VARIABLES, len(VARIABLES))

    def variable(self) -> str:
        """One that was not used."""
        return self._variables.pop()

    def operands(self, count: int) -> list[Operand]:
        """The expression so far and fresh numbers, in random order."""
        found = [self.so_far or self.number()] + [self.number() for _ in range(count - 1)]
        self.random.shuffle(found)
        return found

    def number(self) -> Operand:
        """A fresh one."""
        value = self.random.randint(1, 10 ** self.hardness()[0])
        return Operand(str(value), value)

    def times(self) -> int:
        """How often to loop, or a small factor."""
        return self.random.randint(1, 4 * self.hardness()[0])

    def sign(self) -> tuple[str, int]:
        """Plus or minus."""
        return self.random.choice((("+", 1), ("-", -1)))


def pair(draft: Draft) -> Operand:
    """A sum or a difference."""
    (a, b), (sign, factor) = draft.operands(2), draft.sign()
    return Operand(f"({a.text}{sign}{b.text})", a.value + factor * b.value)


def small_multiplication(draft: Draft) -> Operand:
    """A product with a small number."""
    (a,), times = draft.operands(1), draft.times()
    first, second = draft.random.choice(((a.text, times), (times, a.text)))
    return Operand(f"({first}*{second})", a.value * times)


def identity(draft: Draft) -> Operand:
    """The operand as it is."""
    return draft.operands(1)[0]


def assignment(draft: Draft) -> Operand:
    """A variable, then a sum or a difference with it."""
    name, (a, b), (sign, factor) = draft.variable(), draft.operands(2), draft.sign()
    draft.lines.append(f"{name}={a.text};")
    return Operand(f"({name}{sign}{b.text})", a.value + factor * b.value)


def small_loop(draft: Draft) -> Operand:
    """A variable to which a number is added, or from which it is taken, some times."""
    name, (a, b), (sign, factor) = draft.variable(), draft.operands(2), draft.sign()
    times = draft.times()
    draft.lines += [f"{name}={a.text}", f"for x in range({times}):{name}{sign}={b.text}"]
    return Operand(name, a.value + factor * times * b.value)


def condition(draft: Draft) -> Operand:
    """One of two operands, by a comparison of two others."""
    yes, no, left, right = draft.operands(4)
    sign = draft.random.choice("<>")
    holds = left.value < right.value if sign == "<" else left.value > right.value
    text = f"({yes.text} if {left.text}{sign}{right.text} else {no.text})"
    return Operand(text, yes.value if holds else no.value)


OPERATIONS = (pair, small_multiplication, identity, assignment, small_loop, condition)


def draw_program(random: Random, hardness: Hardness) -> Program:
    """A program, whatever share it falls to."""
    draft = Draft(random, hardness)
    _, nesting = hardness()
    for _ in range(nesting):
        draft.so_far = random.choice(OPERATIONS)(draft)
    assert draft.so_far is not None
    lines = [*draft.lines, f"print({draft.so_far.text})"]
    return Program("#".join(lines), f"{draft.so_far.value}.")


def share_of(program: Program) -> str:
    """One of `SHARES`."""
    return SHARES[crc32(program.text.encode()) % len(SHARES)]


def draw_of_share(random: Random, hardness: Hardness, share: str) -> Program:
    """A program that falls to a share: of those drawn, the first."""
    while True:
        program = draw_program(random, hardness)
        if share_of(program) == share:
            return program
