"""Every core reads and learns through the same reader and the same trainer."""

import math

import pytest
import torch

from memory import LSTM, GRUConfig
from memory.supervised import (
    DelayedRecallConfig,
    NthFarthestConfig,
    ReaderConfig,
    Trainer,
    TrainingConfig,
    build_reader,
)
from memory.supervised.head import Classifier
from memory.supervised.reader import InputAdapter, num_parameters
from memory.supervised.trainer import NotFinite
from tests.memory.small_cores import SMALL_CORES


def small_task(seed=1):
    return NthFarthestConfig(vectors=3, dimensions=2).build(seed)


def make(config, seed=1, **training):
    torch.manual_seed(seed)
    task = small_task(seed)
    reader = build_reader(task, config, ReaderConfig(readout=(16,)))
    return Trainer(reader, task, TrainingConfig(**{"batch": 8, **training}))


@pytest.mark.parametrize("name", SMALL_CORES)
def test_every_core_learns_from_nth_farthest_and_goes_on_exactly_where_it_stopped(name):
    whole, broken = (make(SMALL_CORES[name]) for _ in range(2))
    before = [p.clone() for p in whole.reader.parameters()]
    for _ in range(4):
        metrics = whole.update()
        assert math.isfinite(metrics["loss"])
    assert any(
        not torch.equal(a, b) for a, b in zip(before, whole.reader.parameters(), strict=True)
    )
    for _ in range(2):
        broken.update()
    resumed = make(SMALL_CORES[name], seed=1)
    resumed.reader.load_state_dict(broken.reader.state_dict())
    resumed.set_state(broken.get_state())
    for _ in range(2):
        resumed.update()
    for key, value in whole.reader.state_dict().items():
        assert torch.equal(resumed.reader.state_dict()[key], value), key
    assert whole.evaluate() == resumed.evaluate()


def test_recall_is_learnt_in_seconds():
    torch.manual_seed(1)
    task = DelayedRecallConfig(symbols=3, length=2, delay=1).build(seed=1)
    reader = build_reader(task, GRUConfig(hidden=32), ReaderConfig())
    trainer = Trainer(reader, task, TrainingConfig(batch=32, learning_rate=1e-2))
    assert trainer.evaluate()["accuracy"] < 0.6
    for _ in range(300):
        trainer.update()
    assert trainer.evaluate()["accuracy"] > 0.99


def test_evaluation_moves_nothing_and_repeats():
    trainer = make(SMALL_CORES["memory_net, frozen_bn"])
    state = {k: v.clone() for k, v in trainer.reader.state_dict().items()}
    assert trainer.evaluate() == trainer.evaluate()
    for key, value in trainer.reader.state_dict().items():
        assert torch.equal(value, state[key])


def test_a_loss_that_is_not_finite_leaves_the_weights_as_they_were():
    trainer = make(SMALL_CORES["lstm"])
    trainer.update()
    assert isinstance(trainer.reader.core, LSTM)
    with torch.no_grad():
        trainer.reader.core.bias[0] = torch.nan
    before = {k: v.clone() for k, v in trainer.reader.state_dict().items()}
    with pytest.raises(NotFinite, match="at update 1; the update was not made"):
        trainer.update()
    for key, value in trainer.reader.state_dict().items():
        torch.testing.assert_close(value, before[key], equal_nan=True)
    assert trainer.updates == 1


def test_a_loss_that_is_not_finite_leaves_the_statistics_as_they_were():
    trainer = make(SMALL_CORES["memory_net, frozen_bn"])
    before = {k: v.clone() for k, v in trainer.reader.named_buffers()}
    assert isinstance(trainer.reader.head, Classifier)
    first = trainer.reader.head.layers[0]
    assert isinstance(first, torch.nn.Linear)
    with torch.no_grad():
        first.weight[0] = torch.nan
    with pytest.raises(NotFinite):
        trainer.update()
    assert before
    for name, buffer in trainer.reader.named_buffers():
        assert buffer.equal(before[name]), name


def test_state_and_resets_reach_the_core():
    trainer = make(SMALL_CORES["lstm"])
    batch = trainer.task.batch(0, 4)
    loss_mask = torch.ones_like(batch.loss_mask)
    reader = trainer.reader.eval()
    logits, state = reader(batch.inputs, loss_mask)
    first, middle = reader(batch.inputs[:1], loss_mask[:1])
    rest, end = reader(batch.inputs[1:], loss_mask[1:], middle)
    torch.testing.assert_close(torch.cat([first, rest]), logits)
    torch.testing.assert_close(end.hidden, state.hidden)
    opened, _ = reader(batch.inputs, loss_mask, middle, torch.ones_like(loss_mask))
    torch.testing.assert_close(opened[:4], logits[:4])
    assert not torch.allclose(opened[4:], logits[4:])


@pytest.mark.parametrize(
    ("shape", "kind", "expected"),
    [
        ((7,), "vector", (7,)),
        ((3, 4, 5), "vector", (60,)),
        ((7,), "rows", (1, 7)),
        ((3, 4), "rows", (3, 4)),
        ((3, 4, 5), "map", (3, 4, 5)),
        ((20,), "map", (2, 4, 4)),
    ],
)
def test_features_take_the_form_that_the_core_takes(shape, kind, expected):
    adapter = InputAdapter(shape, kind)
    assert adapter.output_shape == expected
    features = torch.randn(2, 3, *shape)
    adapted = adapter(features)
    assert adapted.shape == (2, 3, *expected)
    if (len(shape), kind) != (1, "map"):
        torch.testing.assert_close(adapted.flatten(), features.flatten())


def test_parameters_are_counted():
    assert num_parameters(torch.nn.Linear(3, 4)) == 16


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"batch": 0}, "batch=0: must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: must be above 0"),
        ({"clip_norm": -1.0}, "clip_norm=-1.0: must be above 0"),
    ],
)
def test_bad_options_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        make(SMALL_CORES["lstm"], **option)
