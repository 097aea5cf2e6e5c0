"""The training loop of a supervised run, the same in each of the processes that share batches."""

from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from agents.cli.exit_status import NOT_FINITE, NOT_SAVED, fail
from agents.runs.checkpoint import Checkpoint, CheckpointError
from agents.runs.refused_updates import RefusedUpdates, rolled_back
from agents.runs.run import Run
from agents.runs.stop_signal import StopFile, StopSignal
from agents.runs.weights import load_weights
from agents.supervised.config import SupervisedConfig
from agents.supervised.program import SUPERVISED
from agents.supervised.record import RunRecord
from memory.supervised import Trainer
from memory.supervised.trainer import NotFinite


class Decision(NamedTuple):
    """What rank 0 decides after an update, 0 or 1 each."""

    stop: float
    checkpoint: float


class SupervisedTraining:
    """Updates, validations and checkpoints of a trainer.

    Args:
        run: the run folder; None in processes other than rank 0, which write nothing and follow
            the decisions of rank 0.
        checkpoint: where training resumes.
        checkpoints: folder of the run's checkpoints, for other processes than rank 0.
    """

    def __init__(
        self,
        config: SupervisedConfig,
        trainer: Trainer,
        run: Run | None,
        checkpoint: Checkpoint | None = None,
        checkpoints: Path | None = None,
    ) -> None:
        self.config, self.trainer, self.run = config, trainer, run
        if checkpoint is not None:
            trainer.set_state(checkpoint.state["trainer"])
        self.record = None if run is None else RunRecord(config, trainer, run, checkpoint)
        self.refused = RefusedUpdates(trainer.group, self.record.refused if self.record else 0)
        self._checkpoints = checkpoints if run is None else run.checkpoints

    def train(self, stop: StopSignal | StopFile | None = None) -> None:
        """Train to the last step, to `--stop-at` or `--patience`, or until a stop is requested.

        Ends with a checkpoint and, unless a stop was requested, the test of the best weights.

        Args:
            stop: an entered one; by default signals to this process count from here on. Only rank
                0's count.

        Raises:
            NotFinite: the loss or the gradient stays not finite, or a validation is not a number;
                the last checkpoint stays the newest.
            CheckpointError: the last checkpoint could not be written.
        """
        with (
            nullcontext(stop) if stop else StopSignal() as stop,
            self.record or nullcontext() as record,
        ):
            decision = self._decide(stop)
            while not decision.stop:
                self._update()
                if self._validation_due:
                    self._validate()
                if record:
                    record.report_if_due()
                decision = self._decide(stop)
                if decision.checkpoint:
                    self._try_to_save()
            state = self.trainer.get_state()
            if record:
                record.report()
                record.save(state)
                if record.ended:
                    record.conclude()

    @property
    def _validation_due(self) -> bool:
        """Every `--validate-every` updates and at the last step."""
        updates, config = self.trainer.updates, self.config
        return updates % config.validate_every == 0 or updates == config.steps

    def _decide(self, stop: StopSignal | StopFile) -> Decision:
        """Whether to stop and whether to write a checkpoint."""
        decision = Decision(0.0, 0.0)
        if self.record:
            ended = self.record.ended or stop.requested
            decision = Decision(float(ended), float(self.record.checkpoint_due()))
        return Decision(*self.trainer.group.broadcast(decision))

    def _validate(self) -> None:
        """Validate on rank 0, and keep these weights if they are the best so far."""
        is_best, is_finite, validation = False, True, {}
        if self.record:
            is_best = self.record.validate()
            is_finite, validation = self.record.is_finite, self.record.validation
        is_best, is_finite = self.trainer.group.broadcast([float(is_best), float(is_finite)])
        if not is_finite:
            raise NotFinite(
                f"the validation's {self.trainer.task.measure} is nan at update "
                f"{self.trainer.updates:,}; the checkpoints before it are kept."
            )
        self.trainer.notice(validation, bool(is_best))
        if is_best:
            self._try_to_save(best=True)

    def _try_to_save(self, best: bool = False) -> None:
        state = self.trainer.get_state()
        if self.record:
            self.record.start_saving(state, best)

    def _update(self) -> None:
        """Make one update, or skip a batch whose update is refused."""
        try:
            metrics = self.trainer.update()
        except NotFinite as error:
            self._refuse(error)
            return
        self.refused.in_a_row = 0
        if self.record:
            self.record.add(metrics)

    def _refuse(self, error: NotFinite) -> None:
        """Skip the batch; after too many in a row, roll back.

        Raises:
            NotFinite: it did not help the last time, or there is no checkpoint.
        """
        is_first = not self.refused.in_a_row
        is_last = self.refused.add()
        if self.record:
            self.record.refuse(error, self.refused.total, shows=is_first)
        self.trainer.skip()
        if is_last:
            self._roll_back(error)

    def _roll_back(self, error: NotFinite) -> None:
        """Continue with the weights and the optimiser of the newest checkpoint, and new batches."""
        if self.record:
            self.record.run.writer.wait()
        self.trainer.group.broadcast([0.0])  # the others wait until it is written
        assert self._checkpoints is not None
        checkpoint = self.refused.checkpoint(self._checkpoints)
        if checkpoint is None:
            raise error
        load_weights(self.trainer.reader, checkpoint)
        self.trainer.prefetcher.forget()
        self.trainer.set_state(checkpoint.state["trainer"] | {"updates": self.trainer.updates})
        if self.record:
            self.record.monitor.note(rolled_back(checkpoint))


def status_of(training: SupervisedTraining, stop: StopFile | StopSignal | None = None) -> int:
    """Train; returns the exit status, and prints what went wrong."""
    try:
        training.train(stop)
    except NotFinite as error:
        return fail(SUPERVISED.name, error, NOT_FINITE)
    except CheckpointError as error:
        return fail(SUPERVISED.name, error, NOT_SAVED)
    return 0
