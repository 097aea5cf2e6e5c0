"""The IMPALA training program, from the command line to the exit status."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from agents.cli.command_line import ParsedRun, parse
from agents.cli.exit_status import (
    BAD_INPUT,
    ENVIRONMENT_FAILED,
    ENVIRONMENT_HANGS,
    INTERRUPTED,
    NOT_FINITE,
    NOT_SAVED,
    OK,
    WORKERS_LOST,
    fail,
)
from agents.cli.program import Names
from agents.impala.agreement import OtherLearnerFailed
from agents.impala.build import build_learner, build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.learning.batch_memory import check_memory
from agents.impala.learning.learner import NotFinite, check_shared
from agents.impala.local_workers import LocalWorkers
from agents.impala.program import IMPALA
from agents.impala.training import MakeWorkers, Training
from agents.impala.workers import EnvironmentHangs, WorkersLost
from agents.networks.policy import Policy
from agents.runs.checkpoint import Checkpoint, CheckpointError
from agents.runs.device import compute_device
from agents.runs.guard import Guard
from agents.runs.messages import command, show_end, show_start
from agents.runs.metrics.curves import check_wandb
from agents.runs.monitor import Monitor
from agents.runs.progress import count
from agents.runs.run import Run, RunError, check_run_dir
from agents.runs.stop_signal import Interrupted, StopFile, StopSignal
from agents.runs.weights import check_architecture, flatten, load_weights
from envs.fault import EnvironmentFault

GIF_WIDTH = 960
"""Pixels of the videos that TensorBoard shows."""


_STATUS_OF: dict[type[Exception], int] = {
    EnvironmentFault: ENVIRONMENT_FAILED,
    EnvironmentHangs: ENVIRONMENT_HANGS,
    WorkersLost: WORKERS_LOST,
}


def main(argv: list[str]) -> int:
    """Train with the options of a command line; returns the exit status."""
    parsed = parse(argv, IMPALA)
    with StopSignal() as stop:
        return _train(parsed, stop)


def _train(parsed: ParsedRun, stop: StopSignal) -> int:
    try:
        prepared = prepare(parsed)
        _show_start(prepared)
        if prepared.config.learners > 1:
            folder, training = _prepare_learners(prepared, stop), None
        else:
            folder, training = None, build_training(prepared, stop)
    except Interrupted as error:
        return fail(IMPALA.name, error, INTERRUPTED)
    except (RunError, CheckpointError, ValueError, ConnectionError) as error:
        return fail(IMPALA.name, error, BAD_INPUT)
    except EnvironmentFault as error:
        return _fail_environment(parsed.names.subject, error)
    except EnvironmentHangs as error:
        return fail(IMPALA.name, f"environment {parsed.names.subject}: {error}", ENVIRONMENT_HANGS)
    if training:
        folder = training.run.folder
        with _guard(prepared.config, folder):
            status = status_of(training, stop, parsed.names.subject)
    else:
        assert folder is not None
        with _guard(prepared.config, folder):
            status = _train_together(prepared, folder, stop)
    if status == OK:
        _show_end(prepared.config, folder)
    if status == WORKERS_LOST:
        print(f"resume: {command(IMPALA.name, '--resume', folder)}", file=sys.stderr)
    return status


def _guard(config: ImpalaConfig, folder: Path) -> AbstractContextManager[object]:
    """Of a run that Ray may end."""
    if config.workers == 0 and config.learners == 1:
        return nullcontext()
    from agents.cluster.ray_processes import daemons

    return Guard(folder / "checkpoints", command(IMPALA.name, "--resume", folder), daemons())


def status_of(training: Training, stop: StopSignal | StopFile, env: str) -> int:
    """Train; returns the exit status, and prints what went wrong."""
    try:
        training.train(stop)
    except NotFinite as error:
        return fail(IMPALA.name, error, NOT_FINITE)
    except EnvironmentFault as error:
        return _fail_environment(env, error)
    except EnvironmentHangs as error:
        return fail(IMPALA.name, f"environment {env}: {error}", ENVIRONMENT_HANGS)
    except WorkersLost as error:
        return fail(IMPALA.name, error, WORKERS_LOST)
    except OtherLearnerFailed as error:
        return _STATUS_OF[error.kind]
    except CheckpointError as error:
        return fail(IMPALA.name, error, NOT_SAVED)
    return OK


def _fail_environment(env: str, error: EnvironmentFault) -> int:
    """Print the environment's own traceback, and the error; returns the status."""
    print(error.trace, end="", file=sys.stderr)
    return fail(IMPALA.name, f"environment {env}: {error}", ENVIRONMENT_FAILED)


class Prepared(NamedTuple):
    """A run whose options and checkpoint were checked; nothing is written or started yet."""

    config: ImpalaConfig
    names: Names
    policy: Policy
    folder: Path
    """Of the run, unless another process takes it in between."""
    resumed: Run | None
    checkpoint: Checkpoint | None

    def open_run(self, stop: StopSignal) -> Run:
        """Create or resume the run folder.

        Raises:
            Interrupted: a stop was requested before.
        """
        if stop.requested:
            raise Interrupted
        if self.resumed is None or self.checkpoint is None:
            return Run.create(self.config, self.names, IMPALA, planned=self.folder)
        old, frame = self.resumed.config, self.checkpoint.frame
        if old.frames != self.config.frames and self.config.optimizer.schedule == "linear":
            print(_changed_schedule(frame, old, self.config))
        self.resumed.resume(frame, self.config)
        return self.resumed


def prepare(parsed: ParsedRun) -> Prepared:
    """Check all options, and load the checkpoint of a run to resume."""
    config = parsed.config
    check_wandb(config.wandb)
    torch.set_num_threads(learner_threads(config))
    weights = parsed.resume or (config.resume_weights and Path(config.resume_weights))
    if weights:  # before a network that a damaged or foreign folder asks for is allocated
        check_architecture(lambda: build_policy(config), Run.open(weights, IMPALA).load())
    policy = build_policy(config)
    check_memory(config, policy)
    if config.resume_weights and not parsed.resume:
        _load(Run.open(Path(config.resume_weights), IMPALA), policy)
    if config.learners > 1:
        check_shared(policy)
    for note in config.env.notes():
        print(note, file=sys.stderr)
    resumed = _lock(parsed.resume) if parsed.resume else None
    checkpoint = _checkpoint_of(resumed, policy) if resumed else None
    if checkpoint is None:
        check_run_dir(config)
    elif checkpoint.frame >= config.frames:
        raise RunError(
            f"{parsed.resume} has reached its last frame, {config.frames}; "
            "a larger --frames continues it."
        )
    folder = parsed.resume or Run.plan(config, parsed.names)
    return Prepared(config, parsed.names, policy, folder, resumed, checkpoint)


def build_training(prepared: Prepared, stop: StopSignal) -> Training:
    """Start Ray, and only then write the run folder.

    Raises:
        Interrupted: a stop was requested before that.
    """
    config = prepared.config
    return Training(
        config,
        build_learner(config, prepared.policy),
        lambda: prepared.open_run(stop),
        workers_for(config),
        record_video,
        evaluate_agent,
        prepared.checkpoint,
    )


def _prepare_learners(prepared: Prepared, stop: StopSignal) -> Path:
    """Start Ray, and only then write the run folder; returns it.

    Raises:
        ValueError: the cluster cannot hold the learners.
    """
    config = prepared.config
    try:
        from agents.cluster.process_group import device_of
        from agents.cluster.ray_session import connect_ray
        from agents.impala.distributed.resources import threads_of
    except ImportError as error:
        raise ValueError(f"--learners {config.learners}: {error}") from None
    connect_ray(config.ray_address, config.ship)
    device_of(config.learners, threads_of(config), config.device, "--learners")
    return prepared.open_run(stop).folder


def _train_together(prepared: Prepared, folder: Path, stop: StopSignal) -> int:
    from agents.cluster.process_group import ProcessFailed
    from agents.impala.learners import train_together

    status = partial(status_of, env=prepared.names.subject)
    weights = flatten(prepared.policy)
    try:
        return train_together(
            prepared.config, weights, folder, record_video, evaluate_agent, status, stop
        )
    except ValueError as error:
        return fail(IMPALA.name, error, BAD_INPUT)
    except ProcessFailed as error:
        return fail(IMPALA.name, error, WORKERS_LOST)


def _show_start(prepared: Prepared) -> None:
    config, checkpoint = prepared.config, prepared.checkpoint
    weights = sum(weight.numel() for weight in prepared.policy.parameters())
    since = f" from frame {checkpoint.frame:,}" if checkpoint else ""
    workers = config.workers if config.workers == "auto" else f"{config.workers:,}"
    is_here = config.workers == 0 and config.learners == 1
    show_start(
        Monitor(config.frames, quiet=config.quiet),
        f"{prepared.names.subject} with {prepared.names.core}: {config.actors:,} actors, "
        f"{count(config.frames)} frames{since}",
        prepared.folder,
        f"{compute_device(config.device)}, {torch.get_num_threads()} threads, {weights:,} weights",
        "actors in this process" if is_here else f"Ray and its workers ({workers})",
    )


def _show_end(config: ImpalaConfig, folder: Path) -> None:
    run = Run.open(folder, IMPALA)
    if run.newest:
        monitor = Monitor(config.frames, quiet=config.quiet)
        show_end(monitor, run, int(run.newest.name), config.frames, watched=True)


def _changed_schedule(frame: int, old: ImpalaConfig, new: ImpalaConfig) -> str:
    """What another `--frames` does to the linear schedule of the learning rate."""
    rates = (c.optimizer.learning_rate * max(0.0, 1 - frame / c.frames) for c in (old, new))
    before, after = (f"{rate:.3g}" for rate in rates)
    return (
        f"--frames {new.frames} in place of {old.frames}: the learning rate, which decreases to "
        f"zero at the last frame, goes from {before} to {after} at frame {frame}."
    )


def workers_for(config: ImpalaConfig) -> MakeWorkers:
    """Start Ray and return its workers; with `--workers 0` return local ones, without Ray."""
    if config.workers == 0:
        return LocalWorkers
    from agents.cluster.ray_session import connect_ray  # Ray takes a second to import
    from agents.impala.distributed.ray_workers import RayWorkers

    connect_ray(config.ray_address, config.ship)
    return RayWorkers


def evaluate_agent(policy: Policy, config: ImpalaConfig, seed: int) -> dict[str, Any]:
    """Scores of the current weights on fresh levels."""
    from agents.evaluation.evaluate import evaluate
    from agents.evaluation.summary import summary

    return summary(evaluate(policy, config.env, episodes=config.evaluate_levels, seed=seed))


def record_video(policy: Policy, config: ImpalaConfig, seed: int, out: Path) -> str:
    """Record a video of one episode, also as a small gif; returns a message, also if it fails."""
    from agents.evaluation.video.encoder import VideoError, to_gif
    from agents.evaluation.video.film import film

    try:
        film(policy, config.env, episodes=1, seed=seed, greedy=False, out=out)
        to_gif(out, out.with_suffix(".gif"), GIF_WIDTH)
    except (VideoError, EnvironmentFault, OSError) as error:
        return f"no video: {error}"
    return f"video {out}"


def _lock(folder: Path) -> Run:
    """The run to resume, which no other process may write to from now on."""
    run = Run.open(folder, IMPALA)
    run.lock()
    return run


def _checkpoint_of(run: Run, policy: Policy) -> Checkpoint:
    """Load the newest valid checkpoint of a run to resume, and its weights into the policy."""
    checkpoint = _load(run, policy)
    if "learner" not in checkpoint.state:
        raise RunError(
            f"{run.folder} holds weights only and cannot be resumed; --resume-weights {run.folder} "
            "starts a new run from them."
        )
    return checkpoint


def _load(run: Run, policy: Policy) -> Checkpoint:
    """Load the newest valid checkpoint of a run, and its weights into the policy."""
    checkpoint = run.load()
    for warning in checkpoint.warnings:
        print(warning, file=sys.stderr)
    load_weights(policy, checkpoint)
    return checkpoint


def learner_threads(config: ImpalaConfig) -> int:
    """Number of CPU threads of the learner.

    With `auto`, the CPUs that workers leave free and one more, since they do not act all the time.
    """
    if config.learner_threads != "auto":
        return config.learner_threads
    cpus = len(os.sched_getaffinity(0))
    workers = cpus - 1 if config.workers == "auto" else config.workers
    return min(cpus, max(1, cpus - workers) + 1)
