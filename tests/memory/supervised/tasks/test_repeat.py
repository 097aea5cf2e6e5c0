"""Repeat first and repeat previous: what is shown, what is due, and refused options."""

import pytest
import torch

from memory.supervised.tasks.repeat_first import RepeatFirstConfig
from memory.supervised.tasks.repeat_previous import RepeatPreviousConfig


def test_the_first_symbol_is_due_at_every_step():
    batch = RepeatFirstConfig(symbols=4, length=7).build(seed=1).batch(0, 50)
    shown = batch.inputs[..., :4].argmax(-1)
    assert batch.inputs[..., :4].sum(-1).eq(1).all()
    assert batch.inputs[..., 4].t().unique(dim=0).tolist() == [[1, 0, 0, 0, 0, 0, 0]]
    assert torch.equal(batch.targets, shown[0].expand(7, -1))
    assert batch.loss_mask.all()
    assert set(shown.flatten().tolist()) == set(range(4))


def test_the_symbol_of_some_steps_ago_is_due_as_soon_as_there_is_one():
    batch = RepeatPreviousConfig(symbols=5, length=7, lag=3).build(seed=1).batch(0, 50)
    shown = batch.inputs.argmax(-1)
    assert batch.inputs.sum(-1).eq(1).all()
    assert torch.equal(batch.targets[3:], shown[:-3])
    assert batch.loss_mask.t().unique(dim=0).int().tolist() == [[0, 0, 0, 1, 1, 1, 1]]
    assert set(shown.flatten().tolist()) == set(range(5))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (RepeatFirstConfig(length=0), "length=0: must be at least 1"),
        (RepeatPreviousConfig(lag=0), "lag=0: must be at least 1"),
        (RepeatPreviousConfig(length=4), "lag=4: must be below length=4"),
    ],
)
def test_bad_options_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        config.build(seed=1)
