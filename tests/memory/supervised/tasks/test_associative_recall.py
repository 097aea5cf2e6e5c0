"""Associative recall: every key is asked for, and the share of a simple strategy."""

import pytest

from memory.supervised.tasks.associative_recall import AssociativeRecallConfig


def test_naming_any_value_shown_is_right_as_often_as_the_plateau_says():
    task = AssociativeRecallConfig(keys=5, values=4, pairs=3).build(seed=1)
    batch = task.batch(0, 20_000)
    first = batch.inputs[0, :, 5:9].argmax(-1)
    right = batch.targets[3:].eq(first).float().mean().item()
    assert task.baselines()["any shown"] == 0.5 == pytest.approx(right, abs=0.01)


def test_associative_recall_asks_for_every_key_that_was_shown():
    batch = AssociativeRecallConfig(keys=5, values=4, pairs=3).build(seed=1).batch(0, 50)
    orders = set()
    for b in range(50):
        keys = batch.inputs[:, b, :5].argmax(1).tolist()
        values = batch.inputs[:3, b, 5:9].argmax(1).tolist()
        shown = dict(zip(keys[:3], values, strict=True))
        assert len(shown) == 3 and set(keys[3:]) == set(shown)
        assert batch.targets[3:, b].tolist() == [shown[key] for key in keys[3:]]
        orders.add(tuple(keys[:3].index(key) for key in keys[3:]))
    assert len(orders) > 3
    assert batch.inputs[3:, :, 5:9].eq(0).all() and batch.inputs[3:, :, 9].eq(1).all()
    assert batch.inputs[:3, :, 9].eq(0).all()
    assert batch.loss_mask[3:].all() and not batch.loss_mask[:3].any()


def test_more_pairs_than_keys_are_refused():
    with pytest.raises(ValueError, match="pairs=4: must be at most keys=3"):
        AssociativeRecallConfig(keys=3).build(seed=1)
