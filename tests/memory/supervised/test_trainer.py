"""What a trainer promises tasks: carried state, own answers, decay, precision, on small tasks."""

import pytest
import torch

from agents.runs.checkpoint import load, save
from memory import RMCConfig
from memory.supervised import NthFarthestConfig
from memory.supervised.measure import AccuracyMetric
from memory.supervised.reader import ReaderConfig, build_reader
from memory.supervised.trainer import Trainer, TrainingConfig, computes_bfloat16
from tests.memory.small_cores import SMALL_CORES
from tests.memory.supervised.tasks.small_tasks import Counting, Stream, drawn
from tests.present import present


def make(task, core="lstm", seed=1, **training):
    torch.manual_seed(seed)
    reader = build_reader(task, SMALL_CORES[core], ReaderConfig())
    return Trainer(reader, task, TrainingConfig(**{"batch": 4, **training}))


def assert_same_weights(one, other):
    for name, value in one.reader.state_dict().items():
        assert torch.equal(other.reader.state_dict()[name], value), name


def test_a_batch_goes_on_with_the_state_of_the_one_before():
    trainer = make(Stream())
    _, state = trainer.reader.answer(trainer.task.batch(0, 4))
    trainer.update()
    (losses, _), _ = trainer.reader.answer(trainer.task.batch(1, 4), trainer._carried)
    (fresh, _), _ = trainer.reader.answer(trainer.task.batch(1, 4))
    torch.testing.assert_close(trainer._carried.hidden, state.hidden)
    assert not trainer._carried.hidden.requires_grad
    assert trainer.update()["loss"] == pytest.approx(losses.mean().item())
    assert losses.mean().item() != pytest.approx(fresh.mean().item())


def test_the_gradient_is_clipped_by_its_norm():
    trainer = make(Stream(), clip_norm=1e-3)
    trainer.update()
    squares = [weight.grad.square().sum() for weight in trainer.weights if weight.grad is not None]
    assert torch.stack(squares).sum().sqrt().item() == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("core", ["lstm", "rmc", "dnc", "memory_net, frozen_bn"])
def test_a_run_that_carries_state_is_resumed_bit_for_bit(core, tmp_path):
    def train(trainer, updates):
        for _ in range(updates):
            trainer.update()
            if trainer.updates == 2:
                trainer.notice({"accuracy": 0.5}, is_best=False)

    whole, broken = make(Stream(), core, decay=0.5), make(Stream(), core, decay=0.5)
    train(whole, 6)
    train(broken, 3)
    weights, state = broken.reader.state_dict(), {"trainer": broken.get_state()}
    save(tmp_path, frame=3, weights=weights, state=state)
    checkpoint = load(tmp_path)
    resumed = make(Stream(), core, seed=2, decay=0.5)
    resumed.reader.load_state_dict(checkpoint.weights)
    resumed.set_state(checkpoint.state["trainer"])
    assert isinstance(resumed.task, Stream)
    assert resumed.task.rounds == 1 and resumed.learning_rate == 0.5e-3
    train(resumed, 3)
    assert_same_weights(whole, resumed)
    assert whole.evaluate() == resumed.evaluate()


def test_held_out_batches_go_on_from_one_to_the_next_and_begin_afresh_each_time():
    trainer = make(Stream())
    trainer.update()
    measure, state = AccuracyMetric(), None
    for batch in trainer.task.held_out("test"):
        answered, state = trainer.reader.eval().answer(batch, state)
        measure.add(batch, answered)
    assert trainer.evaluate() == trainer.evaluate() == measure.results()


def test_a_reader_that_is_judged_is_fed_its_own_answers():
    trainer = make(Counting())
    batch = trainer.task.batch(0, 6)
    reader, said = trainer.reader.eval(), list[torch.Tensor]()
    inputs, state = batch.inputs.clone(), None
    for t in range(5):
        if t >= 2:
            inputs[t] = said[-1]
        hidden, state = reader.read(inputs[t : t + 1], state)
        said.append(reader.head(hidden[0]).argmax(-1))
    expected = torch.stack(said[1:]).flatten()
    assert reader.answer(batch, own=True)[0].guesses.equal(expected)
    assert not inputs.equal(batch.inputs)


def test_a_reader_that_is_judged_never_sees_targets():
    """What stands where answers are fed, and what is asked for, may be anything."""
    reader = make(Counting()).reader.eval()
    batch = make(Counting()).task.batch(0, 6)
    spoilt = batch._replace(
        inputs=torch.where(present(batch.feedback_mask), drawn(9, 5, 6), batch.inputs),
        targets=drawn(8, 5, 6),
    )
    honest, other = (reader.answer(b, own=True)[0].guesses for b in (batch, spoilt))
    assert honest.equal(other)
    taught = [reader.answer(b)[0].guesses for b in (batch, spoilt)]
    assert not taught[0].equal(taught[1])


def test_training_feeds_right_answers_unless_the_task_says_own():
    task = Counting()
    trainer = make(task)
    (right, _), _ = trainer.reader.answer(task.batch(0, 4))
    (own, _), _ = trainer.reader.answer(task.batch(0, 4), own=True)
    assert right.mean().item() != pytest.approx(own.mean().item())
    assert trainer.update()["loss"] == pytest.approx(right.mean().item())
    task.learns_from_own_answers = True
    assert make(task).update()["loss"] == pytest.approx(own.mean().item())


def test_evaluation_feeds_own_answers_and_reports_their_loss():
    trainer = make(Counting())
    batch = next(trainer.task.held_out("test"))
    trainer.reader.eval()
    (own, _), _ = trainer.reader.answer(batch, own=True)
    assert trainer.evaluate()["loss"] == pytest.approx(own.mean().item())


@pytest.mark.parametrize("core", ["memory_net, reinforce", "memory_net, td_fixed"])
def test_a_core_that_learns_from_records_cannot_learn_from_its_own_answers(core):
    task = Counting()
    task.learns_from_own_answers = True
    with pytest.raises(ValueError, match="cannot be fed its own answers in training"):
        make(task, core)


def test_the_learning_rate_falls_every_so_many_updates():
    trainer = make(Stream(), learning_rate=1.0, decay=0.5, decay_every=2)
    rates = []
    for _ in range(5):
        rates.append(trainer.learning_rate)
        trainer.update()
        assert trainer.optimizer.param_groups[0]["lr"] == rates[-1]
        trainer.notice({"accuracy": 0.1}, is_best=False)  # of no effect then
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_the_learning_rate_falls_at_each_validation_that_is_not_the_best():
    trainer = make(Stream(), learning_rate=1.0, decay=0.5)
    rates = []
    for is_best in (True, False, True, False, False):
        trainer.notice({"accuracy": 0.1}, is_best)
        rates.append(trainer.learning_rate)
    assert rates == [1.0, 0.5, 0.5, 0.25, 0.125]


def test_a_rate_that_does_not_decay_stays():
    trainer = make(Stream(), learning_rate=1.0)
    trainer.notice({"accuracy": 0.1}, is_best=False)
    assert trainer.learning_rate == 1.0


def test_weight_decay_is_a_gradient_of_so_many_times_the_weight():
    """So large, it alone decides Adam's first step: each weight moves by the rate towards 0."""
    trainer = make(Stream(), learning_rate=1e-4, weight_decay=1e9)
    before = [p.detach().clone() for p in trainer.weights]
    trainer.update()
    for old, new in zip(before, trainer.weights, strict=True):
        moved = (new.detach() - old)[old != 0]
        torch.testing.assert_close(moved, -1e-4 * old.sign()[old != 0], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"decay": 0.0}, "decay=0.0: must be above 0"),
        ({"decay": 1.5}, "decay=1.5: must be at most 1"),
        ({"decay_every": 0}, "decay_every=0: must be at least 1"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1: must be 0 or more"),
    ],
)
def test_bad_options_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**option)


def losses_of(core, precision):
    task = NthFarthestConfig(vectors=3, dimensions=2).build(1)
    trainer = make(task, core, precision=precision, batch=16, learning_rate=3e-3)
    return [trainer.update()["loss"] for _ in range(4)] + [trainer.evaluate()["loss"]], trainer


@pytest.mark.skipif(not computes_bfloat16("cpu"), reason="the processor lacks bfloat16")
@pytest.mark.parametrize("core", SMALL_CORES)
def test_every_core_learns_in_half_precision_much_as_in_full(core):
    full, _ = losses_of(core, "float32")
    half, trainer = losses_of(core, "bfloat16")
    assert half == pytest.approx(full, rel=0.03)
    assert half != full
    assert all(weight.dtype == torch.float32 for weight in trainer.reader.state_dict().values())


@pytest.mark.parametrize("capability", ["AVX2", "DEFAULT"])
def test_half_precision_is_refused_where_the_processor_lacks_it(capability, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    with pytest.raises(ValueError, match="precision=bfloat16: cpu has no instructions for it"):
        make(Stream(), precision="bfloat16")
    make(Stream(), precision="float32")


def test_kernels_for_a_gpu_are_refused_on_a_cpu():
    reader = build_reader(Stream(), RMCConfig(fused="triton"), ReaderConfig())
    with pytest.raises(ValueError, match=r"fused=triton: .*; use fused=auto"):
        Trainer(reader, Stream(), TrainingConfig(batch=4))
