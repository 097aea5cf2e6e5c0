"""Two processes that share each batch learn what one learns; checkpoints fit any number of them."""

import pytest
import torch

from memory.group import DistributedGroup
from memory.supervised.reader import ReaderConfig, build_reader
from memory.supervised.trainer import NotFinite, Trainer, TrainingConfig, check_shared
from tests.memory.small_cores import SMALL_CORES
from tests.memory.supervised.tasks.small_tasks import Stream
from tests.two_processes import in_two_processes

CONFIG = TrainingConfig(batch=5, learning_rate=1e-2, decay=0.5)


def make(core, group=None):
    torch.manual_seed(1)
    task = Stream()
    reader = build_reader(task, SMALL_CORES[core], ReaderConfig())
    return Trainer(reader, task, CONFIG, group=group)


def train(trainer, updates):
    losses, is_first = [], trainer.group.rank == 0
    for _ in range(updates):
        losses.append(trainer.update()["loss"])
        if trainer.updates == 2:
            trainer.notice({"accuracy": 0.5}, is_best=not is_first)  # rank 0's counts
    return losses


def work(rank, folder, core, start):
    """Five updates, or three more from what two processes or one have saved."""
    trainer = make(core, DistributedGroup())
    if start:
        saved = torch.load(folder / start)
        trainer.reader.load_state_dict(saved["weights"])
        trainer.set_state(saved["state"])
    losses = train(trainer, 3 if start else 5)
    save(trainer, losses, folder / ("follower" if rank else "together"))
    assert trainer.group.largest([rank, -rank]) == [1, 0]
    assert trainer.group.gather_rows(torch.full((2 + rank, 1), rank)).flatten().tolist() == [
        *[0] * 2,
        *[1] * 3,
    ]
    if rank == 0:
        next(trainer.reader.parameters()).data.fill_(torch.nan)
    with pytest.raises(NotFinite):  # in all of them; none waits for another
        trainer.update()


def save(trainer, losses, file):
    weights = {k: v.clone() for k, v in trainer.reader.state_dict().items()}
    torch.save({"weights": weights, "state": trainer.get_state(), "losses": losses}, file)


def together(folder, core, start=""):
    """What two processes come to."""
    in_two_processes(work, folder, core, start)
    return torch.load(folder / "together")


def assert_close(one, other):
    assert one["losses"] == pytest.approx(other["losses"], rel=1e-4)
    for name, value in one["weights"].items():
        torch.testing.assert_close(other["weights"][name], value, atol=1e-4, rtol=1e-3)
    for a, b in zip(one["state"]["carried"], other["state"]["carried"], strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def assert_followed(folder):
    """The other process has the same weights, to the last bit."""
    leader, follower = (torch.load(folder / name) for name in ("together", "follower"))
    assert leader["state"]["falls"] == follower["state"]["falls"]
    for name, value in leader["weights"].items():
        assert torch.equal(value, follower["weights"][name]), name


def test_two_processes_learn_what_one_learns(tmp_path):
    alone = make("lstm")
    save(alone, train(alone, 5), tmp_path / "alone")
    shared = together(tmp_path, "lstm")
    assert_close(torch.load(tmp_path / "alone"), shared)
    assert_followed(tmp_path)
    assert shared["state"]["falls"] == 1 and shared["state"]["task"] == {"rounds": 1}


@pytest.mark.slow
def test_two_processes_go_on_where_one_stopped(tmp_path):
    alone = make("lstm")
    save(alone, train(alone, 5), tmp_path / "alone")
    save(alone, train(alone, 3), tmp_path / "later")
    assert_close(torch.load(tmp_path / "later"), together(tmp_path, "lstm", start="alone"))
    assert_followed(tmp_path)


@pytest.mark.slow
def test_processes_keep_the_same_statistics(tmp_path):
    shared = together(tmp_path, "memory_net, frozen_bn")["weights"]
    assert_followed(tmp_path)
    before = make("memory_net, frozen_bn").reader.state_dict()
    moved = [name for name in shared if not torch.equal(before[name], shared[name])]
    assert any("variance" in name for name in moved)


@pytest.mark.parametrize("core", ["memory_net, reinforce", "memory_net, td_fixed"])
def test_a_core_that_compares_losses_over_a_batch_cannot_share_it(core):
    with pytest.raises(ValueError, match="several processes cannot share one"):
        check_shared(make(core).reader)
