"""Learning to Execute: the programs, their answers, and how they are laid out."""

import json
import re
from collections import Counter

import numpy as np
import pytest
import torch

from memory.supervised import ReaderConfig, build_reader
from memory.supervised.learning_to_execute import (
    ALPHABET,
    DUE,
    NOTHING,
    OPERATIONS,
    REWRITES,
    LearningToExecuteConfig,
    Program,
    draw_program,
    lay_out,
)
from tests.agents.conftest import SMALL_CORES

SONNET = {"ADDITION": ("+",), "ALGEBRA": ("+", "-", "*"), "CONTROL": ("if", "for")}
SONNET |= {"ALL": OPERATIONS["program"], "ALG_CTRL": OPERATIONS["control"]}


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


def read_back(batch, b):
    text = "".join(ALPHABET[i] for i in batch.inputs[:, b].tolist() if 0 <= i < DUE)
    answer = "".join(map(str, batch.targets[:, b][batch.scored[:, b]].tolist()))
    return Program(text, answer)


@pytest.mark.parametrize("programs", OPERATIONS)
@pytest.mark.parametrize(("length", "nesting"), [(1, 1), (3, 2), (5, 2), (6, 3)])
def test_the_answer_is_what_the_program_computes(programs, length, nesting):
    random = np.random.default_rng(0)
    for _ in range(200):
        text, answer = draw_program(random, OPERATIONS[programs], length, nesting)
        assert answer == str(execute(text) % 10 ** (length + 1))
        literals = re.findall(r"\d+", re.sub(r"\[\d\]", "", text))
        assert {len(literal) for literal in literals} == {length}
        assert text.count("(") == nesting - 1 and not text.startswith("((((")


def test_the_originals_programs_compute_what_the_original_says(request):
    file = request.config.getoption("--golden") / "lte_sonnet_samples.json"
    if not file.exists():
        pytest.skip(f"no samples in {file.parent}")
    for name, samples in json.loads(file.read_text()).items():
        task, length, _ = name.rsplit("_", 2)
        length = int(length.removeprefix("len"))
        for text, answer in samples:
            if task in SONNET:
                assert str(execute(text) % 10 ** (length + 1)) == answer
            else:
                assert REWRITES[task.lower()](text) == answer


@pytest.mark.parametrize("name", SONNET)
@pytest.mark.parametrize(("length", "nesting"), [(1, 1), (3, 2), (5, 2), (6, 3)])
def test_programs_are_made_as_often_as_the_original_makes_them(name, length, nesting, request):
    file = request.config.getoption("--golden") / "lte_sonnet_samples.json"
    if not file.exists():
        pytest.skip(f"no samples in {file.parent}")
    theirs = Counter(
        shape_of(text)
        for text, _ in json.loads(file.read_text())[f"{name}_len{length}_nest{nesting}"]
    )
    random = np.random.default_rng(1)
    ours = Counter(
        shape_of(draw_program(random, SONNET[name], length, nesting).text) for _ in range(5000)
    )
    assert set(theirs) <= set(ours)
    shares = [ours[shape] / 5000 for shape in ours]
    expected = np.array([sum(theirs.values()) * share for share in shares])
    found = np.array([theirs[shape] for shape in ours])
    kept = expected >= 1
    statistic = ((found - expected)[kept] ** 2 / expected[kept]).sum()
    assert statistic < 3 * max(kept.sum(), 5)  # chi-square; five and more deviations off


def test_operations_and_comparisons_are_drawn_alike():
    random = np.random.default_rng(2)
    signs = Counter(draw_program(random, ("if",), 1, 1).text[4] for _ in range(2000))
    assert set(signs) == {"<", ">"} and abs(signs["<"] - 1000) < 100
    shapes = Counter(
        shape_of(draw_program(random, OPERATIONS["program"], 2, 1).text) for _ in range(10_000)
    )
    assert len(shapes) == 5
    for shape, count in shapes.items():
        assert count / 10_000 == pytest.approx(0.2, abs=0.02), shape


def test_programs_end_where_answers_begin_and_nothing_comes_before_them():
    batch = lay_out([Program("12+34", "46"), Program("7-9", "98"), Program("(1+2)*3", "9")])
    assert batch.inputs.shape == (9, 3)
    assert [read_back(batch, b) for b in range(3)] == [
        ("12+34", "46"),
        ("7-9", "98"),
        ("(1+2)*3", "9"),
    ]
    assert batch.inputs[7:].eq(DUE).all() and batch.inputs[6].ge(0).all()
    assert batch.reset.nonzero().tolist() == [[0, 2], [2, 0], [4, 1]]
    assert batch.inputs[:2, 0].eq(-1).all() and batch.inputs[2, 0] == 1
    assert batch.scored[7].all() and batch.scored[8].tolist() == [True, True, False]


def test_characters_are_one_hot_and_none_is_zeros():
    encoder = LearningToExecuteConfig().build(1).encoder()
    vectors = encoder(torch.tensor([[3, NOTHING, DUE]]))
    assert vectors.shape == (1, 3, len(ALPHABET) + 1) and vectors.sum(-1).tolist() == [[1, 0, 1]]
    assert vectors[0, 0, 3] == vectors[0, 2, -1] == 1


@pytest.mark.parametrize("programs", REWRITES)
def test_memory_tasks_ask_for_the_number_again(programs):
    batch = LearningToExecuteConfig(programs=programs, length=4).build(1).batch(0, 60)
    lengths = set()
    for b in range(60):
        text, answer = read_back(batch, b)
        expected = {"copy": text, "reverse": text[::-1], "double": text + text}[programs]
        assert answer == expected and text[0] != "0"
        lengths.add(len(text))
    assert lengths == {1, 2, 3, 4}


def test_training_mixes_and_the_test_has_the_largest_only():
    task = LearningToExecuteConfig(programs="add", length=3, nesting=2).build(1)
    trained = [read_back(task.batch(0, 400), b).text for b in range(400)]
    kinds = Counter((text.count("+"), len(re.findall(r"\d+", text)[0])) for text in trained)
    assert set(kinds) == {(n, length) for n in (1, 2) for length in (1, 2, 3)}
    assert all(40 < count < 100 for count in kinds.values())
    tested = next(iter(task.held_out("test")))
    assert {shape_of(read_back(tested, b).text) for b in range(320)} == {"(9+9)+9"}
    largest = LearningToExecuteConfig(length=3, curriculum="largest").build(1).batch(0, 50)
    assert {len(read_back(largest, b).text) for b in range(50)} == {13}


@pytest.mark.parametrize("name", SMALL_CORES)
def test_every_core_tells_programs_apart_when_the_answer_is_due(name):
    torch.manual_seed(1)
    task = LearningToExecuteConfig(length=2).build(1)
    reader = build_reader(task, SMALL_CORES[name], ReaderConfig())
    batch = lay_out([Program("12+34", "46"), Program("98-71", "27")])
    answers, _ = reader(batch.inputs, batch.scored, reset=batch.reset)
    assert (answers[0] - answers[1]).abs().max() > 1e-6


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="length=19: must be at most 18"):
        LearningToExecuteConfig(length=19).build(1)
    LearningToExecuteConfig(length=18, programs="program").build(1).batch(0, 20)
