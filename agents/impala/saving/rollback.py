"""Updates that are not finite: skipped, and after too many in a row undone by a checkpoint."""

from pathlib import Path

from agents.impala.learning.learner import Learner, NotFinite
from agents.impala.trajectory import Trajectory
from agents.impala.trajectory_queue import TrajectoryQueue
from agents.runs.monitor import Monitor
from agents.runs.refused_updates import RefusedUpdates, rolled_back, save_batch, skipped
from agents.runs.run import Run
from agents.runs.side_work import SideWork
from agents.runs.weights import load_weights


class Rollback:
    """Skips updates of a learner that are not finite, or goes back to the newest checkpoint.

    Args:
        queue: of trajectories; those of weights before a rollback are dropped.
        run: of the first learner.
        checkpoints: folder of the run's checkpoints.
        monitor: shows what happened.
        side_work: counts failures to save a batch.
        total: updates that were refused by the run so far.
    """

    def __init__(
        self,
        learner: Learner,
        queue: TrajectoryQueue,
        run: Run | None,
        checkpoints: Path | None,
        monitor: Monitor,
        side_work: SideWork,
        total: int,
    ) -> None:
        self.learner, self.queue, self.run, self.monitor = learner, queue, run, monitor
        self.checkpoints, self.side_work = checkpoints, side_work
        self.refused = RefusedUpdates(learner.group, total)
        self.version: int | None = None
        """Of the weights after the last rollback: older trajectories are not learned from."""

    def learn(self, batch: Trajectory) -> None:
        """Make an update, or refuse it.

        Raises:
            NotFinite: a rollback did not help the last time, or there is no checkpoint.
        """
        try:
            self.learner.learn(batch)
            if self.refused.in_a_row:
                self.learner.read()
        except NotFinite as error:
            self._refuse(error, batch)
        else:
            self.refused.in_a_row = 0

    def read(self) -> dict[str, float]:
        """Metrics of the last update, once it is finished.

        Raises:
            NotFinite: as `learn`.
        """
        try:
            return self.learner.read()
        except NotFinite as error:
            self._refuse(error)
            return self.learner.read()

    def _refuse(self, error: NotFinite, batch: Trajectory | None = None) -> None:
        """Skip an update; after too many in a row, roll back.

        Args:
            batch: of the update, if it is known.
        """
        if self.run and batch is not None:
            with self.side_work.attempt("copy of the batch"):
                save_batch(self.run.folder, batch)
        is_first = not self.refused.in_a_row
        if self.refused.add():
            self._roll_back(error)
        elif self.run and is_first:
            self.monitor.note(skipped(error))

    def _roll_back(self, error: NotFinite) -> None:
        """Continue with the weights and the optimiser of the newest checkpoint.

        Frames and updates still count up. The rollback counts as an update, so that actors get its
        weights, and trajectories of earlier weights are dropped.
        """
        if self.run:
            self.run.writer.wait()
        self.learner.group.broadcast([0.0])  # the others wait until it is written
        assert self.checkpoints is not None
        checkpoint = self.refused.checkpoint(self.checkpoints)
        if checkpoint is None:
            raise error
        load_weights(self.learner.policy, checkpoint)
        counts = {"updates": self.learner.updates + 1, "frames": self.learner.frames}
        self.learner.set_state(checkpoint.state["learner"] | counts)
        self.version = version = self.learner.updates
        self.queue.drop_older(version)
        if self.run:
            self.monitor.note(rolled_back(checkpoint))
