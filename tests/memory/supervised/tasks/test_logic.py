"""The logic task: its symbols, its distribution, and its answers by Python's own operators."""

import re
from collections import Counter
from functools import reduce

import numpy as np
import pytest
import torch

from memory.supervised.head import Answered
from memory.supervised.tasks.logic import ALPHABET, LogicConfig, Operands, is_answer, sequences
from memory.supervised.tasks.weighted_f1 import WeightedF1, weighted_f1
from tests.present import present

FOLD = {"and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b}


def drawn(count=6000, operands: Operands = "one_opposite", lengths=(2, 20)):
    batch = sequences(count, operands, lengths, torch.Generator().manual_seed(1))
    for symbols, targets, length in zip(*(leaf.tolist() for leaf in batch), strict=True):
        yield tuple("".join(ALPHABET[i] for i in row[:length]) for row in (symbols, targets))


def parsed(shown):
    operator, bits = present(re.fullmatch(r"(and|or|xor)([01]+)=\|", shown)).groups()
    return operator, [int(bit) for bit in bits]


@pytest.mark.parametrize("operands", ["one_opposite", "random"])
def test_targets_echo_and_then_evaluate(operands):
    for shown, due in drawn(500, operands):
        operator, bits = parsed(shown)
        assert due == "." + shown[:-2] + str(reduce(FOLD[operator], bits))


def test_operators_are_even_answers_balanced_and_lengths_uniform():
    found = [(*parsed(shown), due[-1]) for shown, due in drawn()]
    operators = Counter(operator for operator, _, _ in found)
    assert set(operators) == set(FOLD) and all(1850 < n < 2150 for n in operators.values())
    for operator in FOLD:
        ones = np.mean([due == "1" for o, _, due in found if o == operator])
        assert 0.46 < ones < 0.54, operator
    assert {len(bits) for o, bits, _ in found if o == "xor"} == {2}
    lengths = Counter(len(bits) for o, bits, _ in found if o != "xor")
    assert set(lengths) == set(range(2, 21))
    assert max(lengths.values()) < 1.5 * min(lengths.values())


def test_at_most_one_operand_is_not_neutral_and_it_may_stand_anywhere():
    places = Counter()
    for shown, _ in drawn():
        operator, bits = parsed(shown)
        if operator != "xor":
            odd = [i for i, bit in enumerate(bits) if bit != (operator == "and")]
            assert len(odd) <= 1
            if len(bits) == 8:
                places.update(odd)
    assert set(places) == set(range(8))


def test_random_operands_are_random():
    ones = [bit for shown, _ in drawn(2000, "random") for bit in parsed(shown)[1]]
    assert 0.48 < np.mean(ones) < 0.52


def test_sequences_follow_one_another_in_every_lane():
    batch = LogicConfig(lengths=(2, 5), steps=50).build(seed=2).batch(0, 7)
    symbols = batch.inputs.argmax(-1)
    assert batch.inputs.sum(-1).eq(1).all() and batch.loss_mask.all()
    for lane in range(7):
        shown = "".join(ALPHABET[i] for i in symbols[:, lane])
        due = "".join(ALPHABET[i] for i in batch.targets[:, lane])
        *whole, _ = shown.split("|")
        assert len(whole) >= 3
        place = 0
        for text in whole:
            _, bits = parsed(text + "|")
            assert 2 <= len(bits) <= 5
            assert due[place] == "."
            assert is_answer(batch)[place + len(text), lane]
            place += len(text) + 1
        assert is_answer(batch)[:, lane].sum() == len(whole)


def operands_of(batch):
    text = "|".join("".join(ALPHABET[i] for i in row) for row in batch.inputs.argmax(-1).t())
    return [len(bits) for bits in re.findall(r"(?:and|(?<!x)or)([01]+)=", text)]


def test_one_test_is_like_training_and_the_other_asks_for_longer_sequences():
    task = LogicConfig().build(seed=2)
    usual, longer = (next(task.held_out(name)) for name in task.tests)
    for batch in (usual, next(task.held_out("validation")), task.batch(0, 320)):
        assert {min(operands_of(batch)), max(operands_of(batch))} == {2, 20}
    lengths = operands_of(longer)
    assert len(lengths) > 300 and min(lengths) == 21 and max(lengths) == 40
    assert len(longer.targets) == 2 * len(usual.targets)


def echo_of(task, batch, said):
    """The symbol before, `.` after a `|`, and one answer to every expression."""
    echo = torch.cat([batch.targets[:1], batch.inputs.argmax(-1)[:-1]])
    begins = batch.targets.eq(ALPHABET.index("."))
    guesses = torch.where(begins, batch.targets, echo)
    guesses[is_answer(batch)] = ALPHABET.index(said)
    return Answered(torch.zeros(guesses.numel()), guesses[batch.loss_mask])


def test_an_echo_has_a_high_f1_and_answers_half():
    task = LogicConfig().build(seed=1)
    measures = task.measures()
    for number, said in enumerate("01"):
        batch = task.batch(number, 512)
        for measure in measures:
            measure.add(batch, echo_of(task, batch, said))
    found = {name: value for m in measures for name, value in m.results().items()}
    assert found["echo_accuracy"] == 1.0
    assert found["answer_accuracy"] == pytest.approx(task.baselines()["guess"], abs=0.01)
    assert 0.955 < found["f1"] < 0.965 and 0.955 < found["accuracy"] < 0.965


def test_weighted_f1_adds_up_over_batches():
    random = torch.Generator().manual_seed(1)
    guesses, targets = torch.randint(5, (2, 90), generator=random)
    measure = WeightedF1(7)
    for part in (slice(0, 20), slice(20, 90)):
        measure.count(guesses[part], targets[part])
    assert measure.results()["f1"] == pytest.approx(weighted_f1(guesses, targets))


def test_weighted_f1_by_hand():
    # class 0: 2 of 3 found, nothing else called 0: F = 4/5. class 1: F = 2/3. class 2: found none.
    targets = torch.tensor([0, 0, 0, 1, 2])
    said = torch.tensor([0, 0, 1, 1, 3])
    assert weighted_f1(said, targets) == pytest.approx((3 * 4 / 5 + 1 * 2 / 3 + 0) / 5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"operands": "one"}, "operands='one'"),
        ({"lengths": (5, 4)}, r"lengths=\(5, 4\)"),
        ({"longer": (0, 4)}, r"longer=\(0, 4\)"),
        ({"steps": 5}, "steps=5: must be at least 6"),
    ],
)
def test_a_wrong_option_is_named(options, words):
    config = LogicConfig()
    for name, value in options.items():
        object.__setattr__(config, name, value)
    with pytest.raises(ValueError, match=words):
        config.build(seed=1)
