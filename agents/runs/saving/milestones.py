"""Weights of early in a run, kept to show how it progressed."""

from pathlib import Path

from agents.runs import checkpoint
from agents.runs.checkpoint import Snapshot

SHARES = (0.01, 0.1)
"""Of all frames of a run, after which its weights are kept."""
FOLDER = "progress"
"""In the folder of the checkpoints."""


class Milestones:
    """Says when a run passes 1 % and 10 % of its frames.

    Args:
        total: frames at which the run ends.
        frame: at which it starts or resumes.
    """

    def __init__(self, total: int, frame: int) -> None:
        self._ahead = [share * total for share in SHARES if share * total > frame]

    def due(self, frame: int) -> bool:
        """Whether a share was passed since the last call."""
        passed = [share for share in self._ahead if share <= frame]
        self._ahead = self._ahead[len(passed) :]
        return bool(passed)


def write(checkpoints: Path, content: Snapshot, config: bytes) -> Path:
    """Write a checkpoint of the weights alone.

    Args:
        checkpoints: folder of the run's checkpoints.

    Raises:
        CheckpointError: it could not be written.
    """
    return checkpoint.write(checkpoints / FOLDER, content, config=config, keep=8)
