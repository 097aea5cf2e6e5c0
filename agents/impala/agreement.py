"""What several learners agree on before each update."""

from typing import NamedTuple

from agents.impala.workers import EnvironmentHangs, WorkersLost
from envs.fault import EnvironmentFault

Fault = EnvironmentFault | EnvironmentHangs | WorkersLost
FAULTS = (EnvironmentFault, EnvironmentHangs, WorkersLost)
"""Errors of a learner's workers that end the run."""


class OtherLearnerFailed(RuntimeError):
    """Another learner's environment failed or hangs, or its workers were lost.

    Args:
        kind: the error that it raised.
    """

    def __init__(self, kind: type[Exception]) -> None:
        super().__init__(f"another learner: {kind.__name__}.")
        self.kind = kind


class Agreement(NamedTuple):
    """What the learners agree on before an update: the largest number that any of them gives."""

    waits: float
    """A learner has no batch yet."""
    stop: float
    """A stop was requested."""
    fault: float
    """0, or the place in `FAULTS` of what ends the run, counted from 1."""
    report: float
    """The first learner reports."""
    checkpoint: float
    """The first learner writes a checkpoint."""
    stage: float
    """Stage of the level curriculum of the first learner."""
