"""One supervised run: updates, validation, checkpoints, and at the end the test of the best."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.progress import TimeRemainingColumn

from agents.cli.exit_status import NOT_FINITE, NOT_SAVED, fail
from agents.runs.atomic import atomic_write
from agents.runs.checkpoint import Checkpoint, CheckpointError, load, save
from agents.runs.clock import Clock, Every
from agents.runs.monitor import Monitor
from agents.runs.run import Run
from agents.runs.stop_signal import StopFile, StopSignal
from agents.supervised.config import SupervisedConfig
from agents.supervised.status import Status, describe
from memory.supervised import Task, Trainer
from memory.supervised.reader import num_parameters
from memory.supervised.trainer import NotFinite

RESULTS = "results.json"
"""File of a run folder: the test of its best weights, written at the end."""


class SupervisedTraining:
    """A trainer, the run it writes to, and what is known of both so far."""

    def __init__(
        self,
        config: SupervisedConfig,
        trainer: Trainer,
        run: Run,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.config, self.trainer, self.run = config, trainer, run
        self.clock = Clock()
        self.best: dict[str, float] | None = None
        """Validation of the best weights so far."""
        self.validation: dict[str, float] = {}
        self.since_best = 0
        """Validations since the best."""
        if checkpoint is not None:
            trainer.set_state(checkpoint.state["trainer"])
            self.clock = Clock(checkpoint.state["seconds"])
            self.best, self.validation = checkpoint.state["best"], checkpoint.state["validation"]
            self.since_best = checkpoint.state["since_best"]
        self._recent: list[dict[str, float]] = []
        self._updates_reported = trainer.updates
        self._waited_reported = 0.0
        self._log_due = Every(config.log_seconds)
        self._checkpoint_due = Every(60 * config.checkpoint_minutes)
        self.monitor = Monitor(config.steps, trainer.updates, TimeRemainingColumn())

    def train(self, stop: StopSignal | StopFile | None = None) -> None:
        """Train to the last step, the accuracy asked for, or until asked to stop.

        Ends with a checkpoint each way; if it came to its end, with the test of the best weights.

        Args:
            stop: who asks; signals to this process, if left out.

        Raises:
            NotFinite: the loss or gradient is not a number; the last checkpoint stays the newest.
            CheckpointError: the last checkpoint could not be written.
        """
        with stop or StopSignal() as stop, self.monitor, self.run:
            (self.run.folder / RESULTS).unlink(missing_ok=True)
            while not (self._ended or stop.requested):
                self._recent.append(self.trainer.update())
                if self._validation_due:
                    self._validate()
                self._look_around()
            self._report()
            self._save()
            if self._ended:
                self._conclude()

    @property
    def _ended(self) -> bool:
        done = self.trainer.updates >= self.config.steps
        tired = self.since_best >= (self.config.patience or math.inf)
        return done or tired or has_reached(self.config, self.trainer.task, self.validation)

    @property
    def _validation_due(self) -> bool:
        """Now and then, and at the last step: all that was learnt is to be judged."""
        done, config = self.trainer.updates, self.config
        return done % config.validate_every == 0 or done == config.steps

    def _validate(self) -> None:
        """Validate, and keep these weights if they are the best so far."""
        with self.clock.measure("validating"):
            self.validation = self.trainer.evaluate("validation")
        named = {f"validation/{name}": value for name, value in self.validation.items()}
        self.run.log(named, self.trainer.updates)
        if math.isnan(self.validation[self.trainer.task.measure]):
            raise NotFinite(
                f"the validation's {self.trainer.task.measure} is nan at update "
                f"{self.trainer.updates:,}; the checkpoints before it are kept."
            )
        before, waited = self.best, self.since_best
        is_best = before is None or is_better(self.trainer.task, self.validation, before)
        self.since_best = 0 if is_best else waited + 1
        self.trainer.notice(self.validation, is_best)
        if is_best:
            self.best = self.validation
            if not self._try_to_save(best=True):
                self.best = before

    def _look_around(self) -> None:
        if self._log_due.due():
            self._report()
        if self._checkpoint_due.due():
            self._try_to_save()

    def _try_to_save(self, best: bool = False) -> bool:
        """Write a checkpoint; where the disk is full, that is told and training goes on."""
        try:
            self._save(best)
        except CheckpointError as error:
            self.monitor.note(str(error))
            return False
        return True

    def _report(self) -> None:
        """Metrics to the log, and to whoever watches."""
        if not self._recent:
            return
        seconds, phases = self.clock.look()
        updates = self.trainer.updates - self._updates_reported
        self._updates_reported = self.trainer.updates
        means = {f"train/{name}": fmean(m[name] for m in self._recent) for name in self._recent[0]}
        self._recent.clear()
        waited = self.trainer.prefetcher.seconds_waited
        speed = {
            "speed/updates_per_second": updates / seconds,
            "speed/sequences_per_second": updates * self.config.training.batch / seconds,
            "speed/waiting": (waited - self._waited_reported) / seconds,
            "speed/validating": phases.get("validating", 0.0) / seconds,
            "speed/seconds": self.clock.seconds,
        }
        self._waited_reported = waited
        self.run.log(means | speed, self.trainer.updates)
        status = Status(
            self.trainer.updates, updates / seconds, means["train/loss"], means["train/accuracy"]
        )
        measure = self.trainer.task.measure
        self.monitor.update(
            self.trainer.updates,
            describe(status, self.config.steps, measure, self.validation.get(measure)),
        )

    def _save(self, best: bool = False) -> None:
        state: Mapping[str, Any] = {
            "trainer": self.trainer.get_state(),
            "seconds": self.clock.seconds,
            "best": self.best,
            "validation": self.validation,
            "since_best": self.since_best,
            "identity": self.trainer.task.identity(),
        }
        save(
            self.run.checkpoints,
            frame=self.trainer.updates,
            weights=self.trainer.reader.state_dict(),
            state=state,
            best=best,
        )

    def _conclude(self) -> None:
        """Test the best weights, and write down what came of it."""
        best, damage = self._best_checkpoint()
        self.trainer.reader.load_state_dict(best.weights)
        task = self.trainer.task
        results = {
            "measure": task.measure,
            "step": best.frame,
            **{name: self.trainer.evaluate(name) for name in task.tests},
            "validation": best.state["validation"],
            "baselines": task.baselines(),
            "parameters": num_parameters(self.trainer.reader),
            "remarks": [*task.remarks(), *damage],
            "seconds": self.clock.seconds,
        }
        _write(self.run.folder / RESULTS, json.dumps(results, indent=1) + "\n")
        for name in task.tests:
            parts = (f"{key} {value:.4g}" for key, value in results[name].items())
            self.monitor.note(f"{name} of the best, step {best.frame:,}: {', '.join(parts)}")
        beside = (f"{name} {value:.4g}" for name, value in results["baselines"].items())
        self.monitor.note(f"beside it, {task.measure}: {', '.join(beside)}")
        for remark in results["remarks"]:
            self.monitor.note(remark)

    def _best_checkpoint(self) -> tuple[Checkpoint, list[str]]:
        """The best by validation; the newest, and what has to be said of it, if it is damaged."""
        damage = []
        try:
            best = load(self.run.checkpoints, best=True)
        except CheckpointError as error:
            damage.append(f"{error} The newest is tested instead.")
            best = load(self.run.checkpoints)
        for warning in best.warnings:
            self.monitor.note(warning)
        return best, damage


def _write(file: Path, text: str) -> None:
    """Write the results atomically."""
    try:
        atomic_write(file, text)
    except OSError as error:
        raise CheckpointError(f"{file} is not written: {error}; --resume tests again.") from None


def is_better(task: Task, results: Mapping[str, float], others: Mapping[str, float]) -> bool:
    """Whether a validation is better than another, by the measure of the task."""
    ours, theirs = results[task.measure], others[task.measure]
    return ours < theirs if task.lower_is_better else ours > theirs


def has_reached(config: SupervisedConfig, task: Task, validation: Mapping[str, float]) -> bool:
    """Whether a validation is as good as `--stop-at` asks."""
    if config.stop_at is None or not validation:
        return False
    return not is_better(task, {task.measure: config.stop_at}, validation)


def status_of(training: SupervisedTraining, stop: StopFile | None = None) -> int:
    """Train; returns the exit status, and says what went wrong."""
    try:
        training.train(stop)
    except NotFinite as error:
        return fail(training.run.program.name, error, NOT_FINITE)
    except CheckpointError as error:
        return fail(training.run.program.name, error, NOT_SAVED)
    return 0
