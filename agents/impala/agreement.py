"""What several learners agree on before each update."""

from typing import NamedTuple


class OtherLearnerFailed(RuntimeError):
    """Another learner's environment failed or its workers were lost.

    Args:
        lost_workers: whether workers were lost.
    """

    def __init__(self, lost_workers: bool) -> None:
        reason = "lost its workers" if lost_workers else "has an environment that failed"
        super().__init__(f"another learner {reason}.")
        self.lost_workers = lost_workers


class Agreement(NamedTuple):
    """What the learners agree on before an update: the largest number that any of them gives."""

    waits: float
    """A learner has no batch yet."""
    stop: float
    """A stop was requested."""
    fault: float
    """1 if an environment failed, 2 if workers were lost."""
    report: float
    """The first learner reports."""
    checkpoint: float
    """The first learner writes a checkpoint."""
    stage: float
    """Stage of the level curriculum of the first learner."""
