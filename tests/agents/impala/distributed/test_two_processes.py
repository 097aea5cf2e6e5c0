"""Two learners in processes of their own, over gloo, make the updates of one."""

from pathlib import Path

import pytest
import torch

from agents.impala.build import build_learner, build_policy
from memory.group import DistributedGroup
from tests.agents.impala.updates import CORE_OPTIONS, learn, make_batches, settings
from tests.two_processes import in_two_processes

BATCH = 32


def learn_a_half(rank: int, folder: Path, core: str) -> None:
    """The updates of one of two learners, from its 16 trajectories of each batch of 32."""
    config = settings(core, BATCH)
    learner = build_learner(config, build_policy(config), DistributedGroup())
    assert learner.group.size == 2
    torch.save(learn(learner, make_batches(config))["weights"], folder / str(rank))


@pytest.mark.slow
@pytest.mark.parametrize("core", CORE_OPTIONS)
def test_two_learners_of_batch_16_make_the_updates_of_one_of_32(core: str, tmp_path: Path) -> None:
    config = settings(core, BATCH)
    batches = make_batches(config)
    assert all(batch.inputs.resets[1:-1].any() for batch in batches), "episodes begin inside"
    policy = build_policy(config)
    start = {name: weights.clone() for name, weights in policy.state_dict().items()}
    alone = learn(build_learner(config, policy), batches)["weights"]
    in_two_processes(learn_a_half, tmp_path, core)
    first, second = (torch.load(tmp_path / str(rank)) for rank in (0, 1))
    assert any(not torch.equal(alone[name], weights) for name, weights in start.items())
    for name, weights in alone.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], weights, atol=2e-5, rtol=1e-3)
