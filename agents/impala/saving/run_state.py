"""The state of a learner's process that its checkpoints hold."""

from typing import Any, TypeGuard

from agents.impala.distributed.collector import Collector
from agents.impala.episodes import EpisodeWindow
from agents.impala.learning.learner import Learner
from agents.impala.level_curriculum import LevelCurriculum
from agents.impala.local_workers import LocalWorkers
from agents.impala.trajectory import from_leaves
from agents.impala.trajectory_queue import TrajectoryQueue
from agents.impala.workers import Workers
from agents.runs.checkpoint import Checkpoint
from agents.runs.clock import Clock
from memory.core import state_leaves

MIN_EPISODES_FOR_BEST = 100
"""Episodes before a mean return can make a checkpoint the best."""


class RunState:
    """The learner, the queue, the most recent episodes, the curriculum and the best return.

    The actors and the queue are saved too if they are those of one learner and in its process, so
    that a resumed run continues as if it had not been interrupted.
    """

    def __init__(self, learner: Learner, curriculum: LevelCurriculum) -> None:
        self.learner, self.curriculum = learner, curriculum
        self.queue = TrajectoryQueue()
        self.episodes = EpisodeWindow()
        self.best_return: float | None = None
        """Mean return of the best checkpoint."""

    def get(
        self, workers: Workers, clock: Clock, collector: Collector, refused: int
    ) -> dict[str, Any]:
        """All that a resume needs beside the weights, in values that a checkpoint can hold.

        Args:
            refused: updates that were refused by the run so far.
        """
        state: dict[str, Any] = {
            "learner": self.learner.get_state(),
            "episodes": self.episodes.get_state(),
            "mix": self.curriculum.get_state(),
            "seconds": clock.seconds,
            "cpu_seconds": clock.cpu_seconds,
            "best_return": self.episodes.mean_return if self.is_best else self.best_return,
            "dropped": collector.dropped,
            "restarts": collector.restarts,
            "refused": refused,
        }
        if self._saves_actors(workers):
            state["actors"] = workers.get_state()
            state["queue"] = [state_leaves(block) for block in self.queue.blocks()]
        return state

    def restore_learner(self, checkpoint: Checkpoint | None) -> None:
        """Restore all but the actors."""
        if checkpoint is None:
            return
        self.learner.set_state(checkpoint.state["learner"])
        self.episodes.set_state(checkpoint.state["episodes"])
        self.curriculum.set_state(checkpoint.state["mix"])
        self.best_return = checkpoint.state["best_return"]

    def restore_actors(self, checkpoint: Checkpoint | None, workers: Workers) -> None:
        """Continue the episodes of the actors, if they were saved."""
        if checkpoint is None or not self._saves_actors(workers):
            return
        if checkpoint.state.get("actors") is None:
            return
        workers.set_state(checkpoint.state["actors"])
        core_state = workers.group.rollout.state
        for leaves in checkpoint.state["queue"]:
            self.queue.put(from_leaves(leaves, core_state))

    @property
    def is_best(self) -> bool:
        """Whether the mean return, on all levels, exceeds that of each checkpoint before."""
        now = self.episodes.mean_return
        if now is None or len(self.episodes) < MIN_EPISODES_FOR_BEST:
            return False
        if not self.curriculum.is_last_stage:
            return False
        return self.best_return is None or now > self.best_return

    def _saves_actors(self, workers: Workers) -> TypeGuard[LocalWorkers]:
        return isinstance(workers, LocalWorkers) and self.learner.group.size == 1
