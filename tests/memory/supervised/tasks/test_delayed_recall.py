"""Delayed recall: symbols, blanks, a sign to begin, and the options that are refused."""

import pytest
import torch

from memory.supervised.tasks.delayed_recall import DelayedRecallConfig


def test_delayed_recall_shows_waits_and_asks():
    batch = DelayedRecallConfig(symbols=5, length=3, delay=4).build(seed=1).batch(0, 50)
    symbols = batch.inputs.argmax(-1)
    assert batch.inputs.sum(-1).eq(1).all()
    assert symbols[:3].max() < 5
    assert symbols[3:].t().unique(dim=0).tolist() == [[5, 5, 5, 5, 6, 5, 5]]
    assert torch.equal(batch.targets[-3:], symbols[:3])
    assert batch.loss_mask.t().unique(dim=0).int().tolist() == [[0] * 7 + [1] * 3]
    assert set(symbols[:3].flatten().tolist()) == set(range(5))


def test_3200_sequences_are_held_out_for_the_test():
    task = DelayedRecallConfig().build(seed=1)
    assert sum(batch.targets.shape[1] for batch in task.held_out("test")) == 3200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delay": -1}, "delay=-1: must be 0 or more"),
        ({"length": 0}, "length=0: must be at least 1"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DelayedRecallConfig(**options).build(seed=1)
