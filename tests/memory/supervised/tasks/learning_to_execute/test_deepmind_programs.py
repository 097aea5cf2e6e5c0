"""Learning to Execute as DeepMind's generator makes it: programs, answers, and how often which."""

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from memory.supervised.tasks.learning_to_execute.deepmind_programs import (
    OPERATIONS,
    digits,
    draw_programs,
)
from memory.supervised.tasks.learning_to_execute.written import NOTHING, Program
from tests.memory.supervised.reading import read_columns

GOLDEN = Path(__file__).parents[4] / "golden"
SONNET = {"ADDITION": ("+",), "ALGEBRA": ("+", "-", "*"), "CONTROL": ("if", "for")}
SONNET |= {"ALL": OPERATIONS["program"], "ALG_CTRL": OPERATIONS["control"]}
REWRITES = {
    "COPY": lambda text: text,
    "REVERSE": lambda text: text[::-1],
    "DOUBLE": lambda text: text + text,
}


def execute(text: str) -> int:
    """The value of a program, by rewriting it, from the inside out, until it is a number."""
    inner = re.compile(r"\(([^()]*)\)")
    while match := inner.search(text):
        text = text.replace(match[0], str(execute(match[1])), 1)
    if match := re.fullmatch(r"x=(-?\d+)for\[(\d)\]x\+=(\d+)", text):
        start, times, step = map(int, match.groups())
        return start + times * step
    if match := re.fullmatch(r"(-?\d+)if(\d+)([<>])(\d+)else(\d+)", text):
        a, b, sign, c, d = match.groups()
        return int(a) if (int(b) < int(c)) == (sign == "<") and b != c else int(d)
    match = re.fullmatch(r"(-?\d+)([-+*])(\d+)", text)
    if not match:
        return int(text)
    a, b = int(match[1]), int(match[3])
    return {"+": a + b, "-": a - b, "*": a * b}[match[2]]


def shape_of(text: str) -> str:
    """A program without its digits, one comparison for both."""
    return re.sub(r"\d+", "9", text).replace(">", "<")


def draw(seed, operations, length, nesting, size) -> list[Program]:
    random = np.random.default_rng(seed)
    hardness = (np.full(size, length), np.full(size, nesting))
    return read_columns(draw_programs(random, operations, *hardness))


@pytest.mark.parametrize("programs", OPERATIONS)
@pytest.mark.parametrize(("length", "nesting"), [(1, 1), (3, 2), (5, 2), (6, 3), (9, 3), (18, 2)])
def test_the_answer_is_what_the_program_computes(programs, length, nesting):
    for text, answer in draw(0, OPERATIONS[programs], length, nesting, 200):
        assert answer == str(execute(text) % 10 ** (length + 1))
        literals = re.findall(r"\d+", re.sub(r"\[\d\]", "", text))
        assert {len(literal) for literal in literals} == {length}
        assert text.count("(") == nesting - 1 and not text.startswith("((((")


def test_programs_of_a_batch_are_each_as_long_and_nested_as_asked_for():
    lengths, nestings = np.array([[1, 3, 2, 3, 1], [3, 1, 2, 3, 1]]).repeat(100, axis=1)
    random = np.random.default_rng(0)
    written = draw_programs(random, OPERATIONS["program"], lengths, nestings)
    for (text, answer), length, nesting in zip(
        read_columns(written), lengths, nestings, strict=True
    ):
        assert text.count("(") == nesting - 1
        assert {len(d) for d in re.findall(r"\d+", re.sub(r"\[\d\]", "", text))} == {length}
        assert answer == str(execute(text) % 10 ** (length + 1))


@pytest.mark.parametrize("kind", [np.int64, object])
def test_digits_have_no_leading_zeros_but_zero_is_one(kind):
    columns = digits(np.array([0, 7, 40, 305], kind), 3)
    texts = ["".join(str(c) for c in column if c != NOTHING) for column in columns.T.tolist()]
    assert texts == ["0", "7", "40", "305"] and columns.dtype == np.int64


@cache
def golden() -> dict[str, list[list[str]]]:
    """Programs and answers that the original generator made, by task, length and nesting."""
    return json.loads((GOLDEN / "lte_sonnet_samples.json").read_text())


def test_the_originals_programs_compute_what_the_original_says():
    for name, samples in golden().items():
        task, length, _ = name.rsplit("_", 2)
        length = int(length.removeprefix("len"))
        for text, answer in samples:
            if task in SONNET:
                assert str(execute(text) % 10 ** (length + 1)) == answer
            else:
                assert REWRITES[task](text) == answer


@pytest.mark.parametrize("name", SONNET)
@pytest.mark.parametrize(("length", "nesting"), [(1, 1), (3, 2), (5, 2), (6, 3)])
def test_programs_are_made_as_often_as_the_original_makes_them(name, length, nesting):
    samples = golden()[f"{name}_len{length}_nest{nesting}"]
    ours = draw(1, SONNET[name], length, nesting, 5000)
    for what, kinds in {
        "form": lambda program: shape_of(program[0]),
        "first digit": lambda program: re.findall(r"\d", program[0])[0],
        "comparison": lambda program: tuple(re.findall("[<>]", program[0])),
        "loop": lambda program: tuple(re.findall(r"\[(\d)\]", program[0])[:1]),
        "digits of the answer": lambda program: len(program[1]),
    }.items():
        assert_alike(Counter(map(kinds, samples)), Counter(map(kinds, ours)), what)


def assert_alike(theirs: Counter, ours: Counter, what: str) -> None:
    """By chi-square; five and more deviations off."""
    expected = np.array([theirs.total() * ours[kind] / ours.total() for kind in ours])
    found = np.array([theirs[kind] for kind in ours])
    kept = expected >= 1
    statistic = ((found - expected)[kept] ** 2 / expected[kept]).sum()
    assert statistic < 3 * max(kept.sum(), 5), what
    assert sum(theirs[kind] for kind in theirs if kind not in ours) < 0.05 * theirs.total(), what


def test_operations_and_comparisons_are_drawn_alike():
    signs = Counter(program.text[4] for program in draw(2, ("if",), 1, 1, 2000))
    assert set(signs) == {"<", ">"} and abs(signs["<"] - 1000) < 100
    shapes = Counter(shape_of(p.text) for p in draw(2, OPERATIONS["program"], 2, 1, 10_000))
    assert len(shapes) == 5
    for shape, count in shapes.items():
        assert count / 10_000 == pytest.approx(0.2, abs=0.02), shape
