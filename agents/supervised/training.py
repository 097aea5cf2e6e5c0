"""The training loop of a supervised run, the same in each of the processes that share batches."""

from contextlib import nullcontext
from typing import NamedTuple

from agents.cli.exit_status import NOT_FINITE, NOT_SAVED, fail
from agents.runs.checkpoint import Checkpoint, CheckpointError
from agents.runs.run import Run
from agents.runs.stop_signal import StopFile, StopSignal
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
    """

    def __init__(
        self,
        config: SupervisedConfig,
        trainer: Trainer,
        run: Run | None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.config, self.trainer, self.run = config, trainer, run
        if checkpoint is not None:
            trainer.set_state(checkpoint.state["trainer"])
        self.record = None if run is None else RunRecord(config, trainer, run, checkpoint)

    def train(self, stop: StopSignal | StopFile | None = None) -> None:
        """Train to the last step, to `--stop-at` or `--patience`, or until a stop is requested.

        Ends with a checkpoint and, unless a stop was requested, the test of the best weights.

        Args:
            stop: requests to stop; by default signals to this process. Only rank 0's count.

        Raises:
            NotFinite: the loss, the gradient or a validation is not a number; the last checkpoint
                stays the newest.
            CheckpointError: the last checkpoint could not be written.
        """
        with stop or StopSignal() as stop, self.record or nullcontext() as record:
            decision = self._decide(stop)
            while not decision.stop:
                metrics = self.trainer.update()
                if record:
                    record.add(metrics)
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
            self.record.try_to_save(state, best)


def status_of(training: SupervisedTraining, stop: StopFile | None = None) -> int:
    """Train; returns the exit status, and prints what went wrong."""
    try:
        training.train(stop)
    except NotFinite as error:
        return fail(SUPERVISED.name, error, NOT_FINITE)
    except CheckpointError as error:
        return fail(SUPERVISED.name, error, NOT_SAVED)
    return 0
