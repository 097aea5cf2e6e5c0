"""What checkpoints of a run hold, and which of them is the best."""

import pytest

from agents.impala.saving.run_state import MIN_EPISODES_FOR_BEST
from agents.runs.checkpoint import CheckpointError, load
from tests.agents.impala.scripted_training import FAILED, SOLVED, prepare


@pytest.mark.parametrize(
    ("episodes", "grow_levels", "has_best"),
    [
        ([FAILED] * (MIN_EPISODES_FOR_BEST - 1), None, False),
        ([FAILED] * MIN_EPISODES_FOR_BEST, None, True),
        ([FAILED] * MIN_EPISODES_FOR_BEST, 0.5, False),
    ],
    ids=["too few episodes", "enough episodes", "not all levels"],
)
def test_a_best_checkpoint_needs_enough_episodes_on_all_levels(
    episodes, grow_levels, has_best, tmp_path
) -> None:
    training, workers = prepare(tmp_path / "x", updates=1, grow_levels=grow_levels)
    workers.episodes = episodes
    training.train()
    if has_best:
        assert load(tmp_path / "x" / "checkpoints", best=True).frame == 4
    else:
        with pytest.raises(CheckpointError, match="There is none"):
            load(tmp_path / "x" / "checkpoints", best=True)


def test_a_resumed_run_that_gets_worse_keeps_its_best_checkpoint(tmp_path) -> None:
    training, workers = prepare(tmp_path / "x", updates=1)
    workers.episodes = [SOLVED] * MIN_EPISODES_FOR_BEST
    training.train()
    resumed, workers = prepare(tmp_path / "x", updates=2, resume=True)
    workers.episodes = [FAILED] * MIN_EPISODES_FOR_BEST
    resumed.train()
    assert load(tmp_path / "x" / "checkpoints").frame == 8
    assert load(tmp_path / "x" / "checkpoints", best=True).frame == 4
