"""How hard programs are: what each curriculum draws, and when it rises."""

from collections import Counter

import numpy as np
import pytest

from memory.supervised.tasks.curriculum import Curriculum, Level


def drawn(curriculum, size=6000):
    return Counter(zip(*curriculum.draw(np.random.default_rng(0), size).tolist(), strict=True))


def at(name, length, nesting, largest=(3, 2)):
    curriculum = Curriculum(name, Level(*largest))
    curriculum.set_state({"level": [length, nesting], "best": 0.0, "stalled": 0})
    return curriculum


def test_the_mix_draws_any_up_to_the_largest_alike():
    counts = drawn(Curriculum("mix", Level(3, 2)))
    assert set(counts) == {(length, nesting) for length in (1, 2, 3) for nesting in (1, 2)}
    assert all(abs(count - 1000) < 120 for count in counts.values())


def test_others_draw_the_largest_the_level_or_up_to_it():
    assert set(drawn(Curriculum("largest", Level(3, 2)))) == {(3, 2)}
    assert set(drawn(Curriculum("naive", Level(3, 2)))) == {(1, 1)}
    assert set(drawn(at("naive", 2, 1))) == {(2, 1)}
    counts = drawn(at("combine", 2, 2))
    assert set(counts) == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert all(abs(count - 1500) < 150 for count in counts.values())


def test_combined_is_the_level_in_four_of_five_cases_and_the_mix_in_the_fifth():
    counts = drawn(at("combined", 2, 1))
    assert len(counts) == 6
    assert counts[2, 1] / 6000 == pytest.approx(4 / 5 + 1 / 30, abs=0.02)
    assert counts[3, 2] / 6000 == pytest.approx(1 / 30, abs=0.01)


def test_a_level_rises_in_length_and_then_in_nesting():
    curriculum, levels = Curriculum("naive", Level(3, 2)), []
    for _ in range(4):
        curriculum.notice({"level_accuracy": 0.96})
        levels.append(tuple(curriculum.level))
    assert levels == [(2, 1), (3, 1), (3, 2), (3, 2)]


def test_a_level_rises_when_it_is_mastered_or_five_validations_were_no_better():
    curriculum = Curriculum("combine", Level(3, 2))
    marks = [0.5, 0.6, 0.6, 0.5, 0.61, 0.6, 0.61, 0.5, 0.5]
    assert not any(curriculum.notice({"level_accuracy": mark}) for mark in marks)
    assert curriculum.notice({"level_accuracy": 0.6}) and curriculum.level == (2, 1)
    assert not curriculum.notice({"level_accuracy": 0.2})
    assert curriculum.notice({"level_accuracy": 0.95}) and curriculum.level == (3, 1)


def test_one_without_levels_never_changes():
    for name in ("mix", "largest"):
        curriculum = Curriculum(name, Level(3, 2))
        before = curriculum.get_state()
        assert not curriculum.notice({"accuracy": 1.0}) and curriculum.get_state() == before


def test_a_restored_curriculum_goes_on_where_it_was():
    one, other = (Curriculum("naive", Level(3, 1)) for _ in range(2))
    for mark in (0.96, 0.3, 0.2, 0.1):
        one.notice({"level_accuracy": mark})
    other.set_state(one.get_state())
    for _ in range(3):
        assert one.notice({"level_accuracy": 0.2}) == other.notice({"level_accuracy": 0.2})
        assert one.get_state() == other.get_state()
    assert one.level == (3, 1)
