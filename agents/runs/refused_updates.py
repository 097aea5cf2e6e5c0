"""What follows from updates that were not made because the loss or the gradient is not finite."""

from pathlib import Path
from typing import Any

import torch

from agents.runs.checkpoint import Checkpoint, CheckpointError, load
from memory.core import state_leaves
from memory.group import Group

MAX_IN_A_ROW = 10
"""Refused updates after which the weights go back to a checkpoint."""
BATCH = "not_finite_batch.pt"
"""File of a run folder: the last batch whose update was refused, a list of tensors."""


class RefusedUpdates:
    """Counts refused updates; they are skipped, up to a number in a row.

    Args:
        group: the processes that make the same updates, and refuse the same.
        total: refused by the run so far.
    """

    def __init__(self, group: Group, total: int = 0) -> None:
        self.group, self.total = group, total
        self.in_a_row = 0
        self._rolled_back_to = -1
        """Frame of the checkpoint of the last rollback."""

    def add(self) -> bool:
        """Count one; returns whether too many were refused in a row, which then starts again."""
        self.total += 1
        self.in_a_row = (self.in_a_row + 1) % MAX_IN_A_ROW
        return self.in_a_row == 0

    def checkpoint(self, checkpoints: Path) -> Checkpoint | None:
        """The newest checkpoint, to roll back to, the same in all processes.

        None if there is none or if it is that of the last rollback.
        """
        try:
            found = load(checkpoints)
        except CheckpointError:
            found = None
        frame = found.frame if found else -1
        largest, negative_smallest = self.group.largest([float(frame), float(-frame)])
        if largest != -negative_smallest or frame <= self._rolled_back_to:
            return None
        self._rolled_back_to = frame
        return found


def skipped(error: Exception) -> str:
    """The message when an update was refused."""
    return f"{error} Training continues with the next batch."


def rolled_back(checkpoint: Checkpoint) -> str:
    """The message after a rollback."""
    return (
        f"{MAX_IN_A_ROW} updates in a row were not finite: training continues with the weights of "
        f"{checkpoint.path}."
    )


def save_batch(folder: Path, batch: Any) -> None:
    """Save a batch whose update was refused.

    Raises:
        OSError, RuntimeError: it could not be written.
    """
    torch.save(state_leaves(batch), folder / BATCH)
