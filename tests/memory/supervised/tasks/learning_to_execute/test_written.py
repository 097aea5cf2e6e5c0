"""How programs and answers are laid out in steps."""

import pytest
import torch

from memory.supervised.tasks.learning_to_execute.written import (
    ALPHABET,
    DUE,
    NOTHING,
    OneHot,
    Program,
    lay_out,
    spell,
)
from tests.memory.supervised.reading import read_back
from tests.present import present

PROGRAMS = [Program("12+34", "46"), Program("7-9", "98"), Program("(1+2)*3", "9")]


def test_programs_end_where_answers_begin_and_nothing_comes_before_them():
    batch = lay_out(spell(PROGRAMS))
    assert batch.inputs.shape == (9, 3)
    assert [read_back(batch, b) for b in range(3)] == PROGRAMS
    assert batch.inputs[7:].eq(DUE).all() and batch.inputs[6].ge(0).all()
    assert present(batch.reset).nonzero().tolist() == [[0, 2], [2, 0], [4, 1]]
    assert batch.inputs[:2, 0].eq(NOTHING).all() and batch.inputs[2, 0] == 1
    assert batch.loss_mask[7].all() and batch.loss_mask[8].tolist() == [True, True, False]
    assert batch.feedback_mask is None


def test_a_character_is_fed_one_step_after_it_was_due_and_after_a_start_symbol():
    programs = [Program("12", "345"), Program("6", "7"), Program("8", "90")]
    batch = lay_out(spell(programs), feeds=True)
    assert batch.inputs.t().tolist() == [
        [1, 2, DUE, 3, 4],
        [-1, 6, DUE, DUE, DUE],
        [-1, 8, DUE, 9, DUE],
    ]
    mask = present(batch.feedback_mask)
    assert mask.nonzero().tolist() == [[3, 0], [3, 2], [4, 0]]
    assert batch.inputs[mask].equal(batch.targets[:-1][mask[1:]])
    plain = lay_out(spell(programs))
    for part in ("targets", "loss_mask", "reset"):
        assert getattr(batch, part).equal(getattr(plain, part)), part


def test_characters_are_one_hot_and_none_is_zeros():
    vectors = OneHot()(torch.tensor([[3, NOTHING, DUE]]))
    assert vectors.shape == (1, 3, len(ALPHABET) + 1) and vectors.sum(-1).tolist() == [[1, 0, 1]]
    assert vectors[0, 0, 3] == vectors[0, 2, -1] == 1


def test_a_character_without_a_number_is_refused():
    with pytest.raises(ValueError, match="has characters other than"):
        spell([Program("1%2", "1")])
