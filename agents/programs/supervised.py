"""The supervised training program, from the command line to the exit status."""

import sys
from pathlib import Path
from typing import NamedTuple

import torch

from agents.cli.command_line import ParsedRun, parse
from agents.cli.exit_status import BAD_INPUT, INTERRUPTED, OK, WORKERS_LOST, fail
from agents.cli.program import Names
from agents.runs.checkpoint import Checkpoint, CheckpointError
from agents.runs.device import compute_device, uses_graphs
from agents.runs.guard import Guard
from agents.runs.messages import command, show_end, show_start
from agents.runs.metrics.curves import check_wandb
from agents.runs.monitor import Monitor
from agents.runs.run import RESULTS, Run, RunError, check_run_dir
from agents.runs.stop_signal import Interrupted, StopSignal
from agents.runs.weights import load_weights
from agents.supervised.build import build
from agents.supervised.config import SupervisedConfig
from agents.supervised.program import SUPERVISED
from agents.supervised.record import has_reached
from agents.supervised.training import SupervisedTraining, status_of
from memory.supervised import Reader, Task, Trainer
from memory.supervised.reader import num_parameters
from memory.supervised.trainer import check_shared

_ERRORS = (RunError, CheckpointError, ValueError, ConnectionError)
"""Errors with messages for users, before training begins."""


def main(argv: list[str]) -> int:
    """Train with the options of a command line; returns the exit status."""
    parsed = parse(argv, SUPERVISED)
    try:
        prepared = prepare(parsed)
    except _ERRORS as error:
        return fail(SUPERVISED.name, error, BAD_INPUT)
    with StopSignal() as stop:
        try:
            training = build_training(prepared, stop)
        except Interrupted as error:
            return fail(SUPERVISED.name, error, INTERRUPTED)
        except _ERRORS as error:
            return fail(SUPERVISED.name, error, BAD_INPUT)
        return _train(training, stop)


def _train(training: SupervisedTraining, stop: StopSignal) -> int:
    if training.run and training.config.data_parallel > 1:
        with _guard(training.run.folder):
            status = _train_together(training.config, training.run.folder, stop)
    else:
        status = status_of(training, stop)
    if status == WORKERS_LOST and training.run:
        resume = command(SUPERVISED.name, "--resume", training.run.folder)
        print(f"resume: {resume}", file=sys.stderr)
    if status == OK and training.run and training.run.newest:
        _show_end(training)
    return status


def _guard(folder: Path) -> Guard:
    """Of a run that Ray may end."""
    from agents.cluster.ray_processes import daemons

    return Guard(folder / "checkpoints", command(SUPERVISED.name, "--resume", folder), daemons())


def _show_end(training: SupervisedTraining) -> None:
    config, run = training.config, training.run
    assert run is not None and run.newest is not None
    monitor = Monitor(config.steps, quiet=config.quiet)
    show_end(monitor, run, int(run.newest.name), config.steps, watched=False)


def _show_start(parsed: ParsedRun, reader: Reader, folder: Path, since: int) -> None:
    config: SupervisedConfig = parsed.config
    processes = f"{config.data_parallel} processes over Ray"
    show_start(
        Monitor(config.steps, quiet=config.quiet),
        f"{parsed.names.subject} with {parsed.names.core}: {config.steps:,} updates"
        + (f" from {since:,}" if since else ""),
        folder,
        f"{compute_device(config.device)}, {torch.get_num_threads()} threads, "
        f"{num_parameters(reader):,} weights",
        processes if config.data_parallel > 1 else "training in this process",
    )


def _connect_ray(config: SupervisedConfig) -> None:
    """Start or join Ray.

    Raises:
        ValueError: a library for it is missing, or the cluster is too small.
    """
    try:
        from agents.cluster.process_group import device_of
        from agents.cluster.ray_session import connect_ray
        from agents.supervised.workers import threads_of  # Ray takes a second to import
    except ImportError as error:
        raise ValueError(f"--data-parallel {config.data_parallel}: {error}") from None
    connect_ray(config.ray_address, config.ship)
    device_of(config.data_parallel, threads_of(config), config.device, "--data-parallel")


def _train_together(config: SupervisedConfig, folder: Path, stop: StopSignal) -> int:
    from agents.cluster.process_group import ProcessFailed
    from agents.supervised.workers import train_together

    try:
        return train_together(config, folder, stop)
    except ValueError as error:
        return fail(SUPERVISED.name, error, BAD_INPUT)
    except ProcessFailed as error:
        return fail(SUPERVISED.name, error, WORKERS_LOST)


class Prepared(NamedTuple):
    """A run whose options and checkpoint were checked; nothing is written or started yet."""

    config: SupervisedConfig
    names: Names
    trainer: Trainer
    folder: Path
    """Of the run, unless another process takes it in between."""
    resumed: Run | None
    checkpoint: Checkpoint | None


def prepare(parsed: ParsedRun) -> Prepared:
    """Check all options, and load the checkpoint of a run to resume."""
    config: SupervisedConfig = parsed.config
    if config.threads != "auto":
        torch.set_num_threads(config.threads)
    check_wandb(config.wandb)
    saved = Run.open(parsed.resume, SUPERVISED).load() if parsed.resume else None
    task, reader = build(config, saved)
    if config.stop_at is not None and config.stop_at > 1 and not task.lower_is_better:
        raise ValueError(
            f"--stop-at {config.stop_at}: expected at most 1, the largest {task.measure}"
        )
    if config.data_parallel > 1:
        check_shared(reader)
    resumed = Run.open(parsed.resume, SUPERVISED) if parsed.resume else None
    if resumed:
        resumed.lock()
    checkpoint = _checkpoint_of(resumed, reader, task) if resumed else None
    if not resumed:
        check_run_dir(config)
    elif checkpoint and (resumed.folder / RESULTS).exists():
        _check_continues(config, task, checkpoint)
    device = compute_device(config.device)
    graphs = uses_graphs(config.graphs, device)
    trainer = Trainer(
        reader, task, config.training, device, config.seed, config.reinforcement, graphs=graphs
    )
    task.batch(0, config.training.batch)  # raises an error if such batches are impossible
    folder = parsed.resume or Run.plan(config, parsed.names)
    _show_start(parsed, reader, folder, checkpoint.frame if checkpoint else 0)
    return Prepared(config, parsed.names, trainer, folder, resumed, checkpoint)


def build_training(prepared: Prepared, stop: StopSignal) -> SupervisedTraining:
    """Start Ray if needed, and only then write the run folder.

    Raises:
        Interrupted: a stop was requested before that.
    """
    config, checkpoint = prepared.config, prepared.checkpoint
    if config.data_parallel > 1:
        _connect_ray(config)
    if stop.requested:
        raise Interrupted
    if prepared.resumed and checkpoint:
        run = prepared.resumed
        run.resume(checkpoint.frame, config)
    else:
        run = Run.create(config, prepared.names, SUPERVISED, planned=prepared.folder)
    return SupervisedTraining(config, prepared.trainer, run, checkpoint)


def _checkpoint_of(run: Run, reader: Reader, task: Task) -> Checkpoint:
    """Load the newest valid checkpoint of a run to resume, and its weights into the reader."""
    checkpoint = run.load()
    for warning in checkpoint.warnings:
        print(warning, file=sys.stderr)
    if checkpoint.state["identity"] != task.identity():
        raise RunError(
            f"{run.folder} was trained on other data: its identity is "
            f"{checkpoint.state['identity']}, that of the present data {task.identity()}."
        )
    load_weights(reader, checkpoint)
    return checkpoint


def _check_continues(config: SupervisedConfig, task: Task, checkpoint: Checkpoint) -> None:
    """Refuse to resume a run that has ended unless an option extends it."""
    folder = config.run_dir
    if checkpoint.frame >= config.steps:
        raise RunError(
            f"{folder} has reached its last step, {config.steps}; a larger --steps continues it."
        )
    if has_reached(config, task, checkpoint.state["validation"]):
        raise RunError(
            f"{folder} has reached the {task.measure} of --stop-at {config.stop_at}; "
            "a better one continues it."
        )
    if config.patience is not None and checkpoint.state["since_best"] >= config.patience:
        raise RunError(
            f"{folder} has had {config.patience} validations without improvement; "
            "a larger --patience continues it."
        )
