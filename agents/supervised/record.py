"""Output of a supervised run: metrics, checkpoints and the final test."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Any

from rich.progress import TimeRemainingColumn

from agents.runs.atomic import atomic_write
from agents.runs.checkpoint import Checkpoint, CheckpointError
from agents.runs.clock import Clock, Every
from agents.runs.monitor import Monitor
from agents.runs.refused_updates import save_batch, skipped
from agents.runs.run import RESULTS, Run
from agents.runs.saving.checkpoint_writer import Outcome
from agents.supervised.config import SupervisedConfig
from agents.supervised.status import Status, describe
from memory.supervised import Task, Trainer
from memory.supervised.reader import num_parameters


class RunRecord:
    """The run folder and the monitor of a trainer, and its validations so far."""

    def __init__(
        self,
        config: SupervisedConfig,
        trainer: Trainer,
        run: Run,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.config, self.trainer, self.run = config, trainer, run
        state: Mapping[str, Any] = {} if checkpoint is None else checkpoint.state
        self.clock = Clock(state.get("seconds", 0.0), state.get("cpu_seconds", 0.0))
        self.best: dict[str, float] | None = state.get("best")
        """Validation of the best weights so far."""
        self.validation: dict[str, float] = state.get("validation", {})
        self.since_best: int = state.get("since_best", 0)
        """Validations since the best."""
        self.refused: int = state.get("refused", 0)
        """Updates that were refused since they were not finite."""
        self._recent: list[dict[str, float]] = []
        self._updates_reported = trainer.updates
        self._waited_reported = 0.0
        self._log_due = Every(config.log_seconds)
        self._checkpoint_due = Every(60 * config.checkpoint_minutes, at_once=checkpoint is None)
        self.monitor = Monitor(
            config.steps, trainer.updates, TimeRemainingColumn(), quiet=config.quiet
        )

    def __enter__(self) -> "RunRecord":
        self.monitor.__enter__()
        self.run.__enter__()
        (self.run.folder / RESULTS).unlink(missing_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.run.__exit__(kind, error, traceback)
        self.monitor.__exit__(kind, error, traceback)

    @property
    def ended(self) -> bool:
        """Whether the run has reached its last step, `--stop-at` or `--patience`."""
        return self.trainer.updates >= self.config.steps or self.ended_early

    @property
    def ended_early(self) -> bool:
        """Whether the run has reached `--stop-at` or `--patience`."""
        impatient = self.since_best >= (self.config.patience or math.inf)
        return impatient or has_reached(self.config, self.trainer.task, self.validation)

    def add(self, metrics: dict[str, float]) -> None:
        """Record the metrics of an update."""
        self._recent.append(metrics)

    def refuse(self, error: Exception, total: int, *, shows: bool) -> None:
        """Record an update that was refused, and save its batch.

        Args:
            total: refused so far.
            shows: print the error.
        """
        self.refused = total
        with self.monitor.side_work.attempt("copy of the batch"):
            save_batch(self.run.folder, self.trainer.prefetcher.take(self.trainer.updates))
        if shows:
            self.monitor.note(skipped(error))

    def report_if_due(self) -> None:
        """Log the metrics every `--log-seconds`."""
        if self._log_due.due():
            self.report()

    def checkpoint_due(self) -> bool:
        """Whether `--checkpoint-minutes` have passed, or this is the first update.

        Without an interval it waits for the checkpoint before.
        """
        waits = self.config.checkpoint_minutes > 0 and self.run.writer.is_busy
        return self.trainer.updates > 0 and not waits and self._checkpoint_due.due()

    def validate(self) -> bool:
        """Evaluate on the validation set. Returns whether these weights are the best so far."""
        with self.clock.measure("validating"):
            self.validation = self.trainer.evaluate("validation")
        self.run.writer.wait()  # whether the best before was written
        named = {f"validation/{name}": value for name, value in self.validation.items()}
        self.run.log(named, self.trainer.updates)
        best = self.best
        is_best = best is None or is_better(self.trainer.task, self.validation, best)
        self.since_best = 0 if is_best else self.since_best + 1
        return is_best

    @property
    def is_finite(self) -> bool:
        """Whether the last validation is a number."""
        return not math.isnan(self.validation[self.trainer.task.measure])

    def start_saving(self, trainer_state: Mapping[str, Any], best: bool = False) -> None:
        """Start to write a checkpoint. If that fails, print why; training continues."""
        self.run.writer.wait()
        before = self.best
        if best:
            self.best = self.validation
        self.run.start_saving(
            lambda outcome: self._end_saving(outcome, best, before),
            **self._parts(trainer_state),
            best=best,
        )

    def _end_saving(self, outcome: Outcome, best: bool, before: dict[str, float] | None) -> None:
        if isinstance(outcome, CheckpointError):
            self.monitor.note(str(outcome))
            self.best = before
        elif best and self.best:
            measure = self.trainer.task.measure
            value = f"validation {measure} {self.best[measure]:.4g}"
            self.monitor.note(f"checkpoint {outcome}, the best so far: {value}")

    def save(self, trainer_state: Mapping[str, Any]) -> Path:
        """Write the last checkpoint, and return its folder.

        Raises:
            CheckpointError: it could not be written.
        """
        self.run.writer.wait()
        return self.run.save(**self._parts(trainer_state))

    def _parts(self, trainer_state: Mapping[str, Any]) -> dict[str, Any]:
        """What a checkpoint holds."""
        state: Mapping[str, Any] = {
            "trainer": trainer_state,
            "seconds": self.clock.seconds,
            "cpu_seconds": self.clock.cpu_seconds,
            "best": self.best,
            "validation": self.validation,
            "since_best": self.since_best,
            "refused": self.refused,
            "identity": self.trainer.task.identity(),
        }
        return {
            "frame": self.trainer.updates,
            "weights": self.trainer.reader.state_dict(),
            "state": state,
        }

    def report(self) -> None:
        """Log the means of the metrics since the last report, and show them."""
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
            "speed/cpu_seconds": self.clock.cpu_seconds,
            "updates/refused": self.refused,
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

    def conclude(self) -> None:
        """Test the best weights, and write the results.

        Raises:
            CheckpointError: there is no undamaged checkpoint, or the file could not be written.
        """
        best, damage = self._best_checkpoint()
        self.trainer.reader.load_state_dict(best.weights)
        task = self.trainer.task
        baselines = task.baselines()
        results: dict[str, Any] = {
            "measure": task.measure,
            "step": best.frame,
            "updates": self.trainer.updates,
            "ended_early": self.ended_early,
            **{name: self.trainer.evaluate(name) for name in task.tests},
            "validation": best.state["validation"],
            "baselines": baselines,
            "floor": floor_of(task, baselines),
            "parameters": num_parameters(self.trainer.reader),
            "remarks": [*task.remarks(), *damage],
            "seconds": self.clock.seconds,
            "cpu_seconds": self.clock.cpu_seconds,
        }
        _write(self.run.folder / RESULTS, json.dumps(results, indent=1) + "\n")
        for name in task.tests:
            parts = (f"{key} {value:.4g}" for key, value in results[name].items())
            self.monitor.note(f"{name} of the best, step {best.frame:,}: {', '.join(parts)}")
        words = (f"{name} {value:.4g}" for name, value in baselines.items())
        self.monitor.note(f"baselines, {task.measure}: {', '.join(words)}")
        for remark in results["remarks"]:
            self.monitor.note(remark)

    def _best_checkpoint(self) -> tuple[Checkpoint, list[str]]:
        """The best by validation; if it is damaged the newest, with a remark."""
        damage: list[str] = []
        try:
            best = self.run.load(best=True)
        except CheckpointError as error:
            damage.append(f"{error} The newest is tested instead.")
            best = self.run.load()
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


def floor_of(task: Task, baselines: Mapping[str, float]) -> float:
    """The baseline from which reports measure a core."""
    if task.floor is not None:
        return baselines[task.floor]
    best = min if task.lower_is_better else max
    return best(baselines.values(), default=0.0)


def has_reached(config: SupervisedConfig, task: Task, validation: Mapping[str, float]) -> bool:
    """Whether a validation is at least as good as `--stop-at`."""
    if config.stop_at is None or not validation:
        return False
    return not is_better(task, {task.measure: config.stop_at}, validation)
