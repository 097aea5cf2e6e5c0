"""When a run writes checkpoints, and what it shows of them."""

from collections.abc import Callable
from typing import Any

from agents.impala.config import ImpalaConfig
from agents.impala.saving.run_state import RunState
from agents.runs.checkpoint import CheckpointError
from agents.runs.clock import Every
from agents.runs.messages import RECORD, command
from agents.runs.monitor import Monitor
from agents.runs.run import Run
from agents.runs.saving.checkpoint_writer import Outcome
from agents.runs.saving.milestones import Milestones
from agents.runs.side_work import SideWork


class RunCheckpoints:
    """Writes the checkpoints of a run.

    Args:
        state: what a checkpoint holds; pending updates are read before one is written.
        get_state: returns it in values that a checkpoint can hold.
        is_new: whether the run is not a resumed one; its first checkpoint is due at once.
    """

    def __init__(
        self,
        config: ImpalaConfig,
        run: Run,
        state: RunState,
        get_state: Callable[[], dict[str, Any]],
        monitor: Monitor,
        side_work: SideWork,
        is_new: bool,
    ) -> None:
        self.run, self.state, self.get_state = run, state, get_state
        self.monitor, self.side_work = monitor, side_work
        self._minutes = config.checkpoint_minutes
        self._due = Every(60 * self._minutes, at_once=is_new)
        self._milestones = Milestones(config.frames, state.learner.frames)

    def due(self) -> bool:
        """Whether to write one now; it waits for the one before only without an interval."""
        waits = self._minutes > 0 and self.run.writer.is_busy
        return not waits and self._due.due()

    def start(self) -> None:
        """Start to write a checkpoint; if that fails, show the error and continue."""
        self.run.writer.wait()
        parts = self._parts()
        best = parts["state"]["best_return"]
        self.run.start_saving(lambda outcome: self._end(outcome, best), **parts)

    def start_milestone(self) -> None:
        """Start to keep the weights of early in the run, if that is due."""
        learner = self.state.learner
        if self._milestones.due(learner.frames):
            weights = learner.policy.state_dict()
            self.run.start_saving_milestone(self._end_milestone, learner.frames, weights)

    def save(self) -> None:
        """Write the last checkpoint.

        Raises:
            CheckpointError: it could not be written; older checkpoints are kept.
        """
        self.run.writer.wait()
        parts = self._parts()
        self.run.save(**parts)
        self.state.best_return = parts["state"]["best_return"]

    def _parts(self) -> dict[str, Any]:
        state, learner = self.get_state(), self.state.learner
        return {
            "frame": learner.frames,
            "weights": learner.policy.state_dict(),
            "state": state,
            "best": self.state.is_best,
        }

    def _end(self, outcome: Outcome, best: float | None) -> None:
        """Show that a checkpoint was written, or why it was not."""
        if isinstance(outcome, CheckpointError):
            self.monitor.note(str(outcome))
            return
        note = f"checkpoint {outcome}"
        if best != self.state.best_return:
            record = command(RECORD, self.run.folder, "--best")
            note += f", the best so far: return {best:.4g}; {record}"
        self.state.best_return = best
        self.monitor.note(note)

    def _end_milestone(self, outcome: Outcome) -> None:
        with self.side_work.attempt("checkpoint of the progress"):
            if isinstance(outcome, CheckpointError):
                raise outcome
