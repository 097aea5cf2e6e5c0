"""Several learners: processes of a Ray cluster that share each batch; rank 0 writes the run.

Each learner has its share of the actors, which run near it, and makes the same updates as the
others: gradients, metrics and running statistics are averaged over all of them. If a process is
lost or fails, all start again from the newest checkpoint; if it fails at the same update again, the
run ends.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from agents.cli.exit_status import BAD_INPUT, WORKERS_LOST, fail
from agents.cluster.process_group import over_ray
from agents.impala.build import build_learner, build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.distributed.learner_failures import LearnerFailures, forget_failures
from agents.impala.distributed.ray_workers import RayWorkers
from agents.impala.distributed.resources import threads_of
from agents.impala.evaluations import Evaluate
from agents.impala.local_workers import LocalWorkers
from agents.impala.program import IMPALA
from agents.impala.training import RecordVideo, Training
from agents.runs.checkpoint import load_newest
from agents.runs.processes import follow, printing_to
from agents.runs.run import Run
from agents.runs.stop_signal import StopFile, StopSignal
from agents.runs.weights import load_weights, unflatten
from memory.group import DistributedGroup, Group

MAX_FAILURES = 10
"""How often lost processes are replaced before the run ends."""
StatusOf = Callable[[Training, StopFile], int]
"""Trains, prints what went wrong and returns the exit status."""


def train_together(
    config: ImpalaConfig,
    weights: Tensor,
    folder: Path,
    record_video: RecordVideo,
    evaluate: Evaluate,
    status_of: StatusOf,
    stop: StopSignal,
) -> int:
    """Train with several learners in the connected cluster, whose nodes share the run folder.

    Returns the exit status. Stop requests to this process are passed to the learners as a file.

    Args:
        weights: to start with, from `agents.runs.weights.flatten`.
        stop: an entered one.

    Raises:
        ValueError: the cluster is too small.
        ProcessFailed: a process failed too often.
    """
    folder = folder.resolve()
    work = partial(_work, config, weights, folder, Path.cwd(), record_video, evaluate, status_of)
    threads = threads_of(config)
    arguments = (work, config.learners, threads, config.device, folder, "--learners", MAX_FAILURES)
    forget_failures(folder)
    try:
        return follow(folder, partial(over_ray, *arguments), stop)
    finally:
        forget_failures(folder)


def _work(
    config: ImpalaConfig,
    weights: Tensor,
    folder: Path,
    place: Path,
    record_video: RecordVideo,
    evaluate: Evaluate,
    status_of: StatusOf,
    group: DistributedGroup,
    device: str,
) -> int:
    """Train in one process of the group; returns the exit status.

    Args:
        place: folder in which the program was started; paths of options are relative to it.
    """
    if place.is_dir():
        os.chdir(place)
    torch.set_num_threads(threads_of(config))
    share, actors = config.share(group.rank)
    policy = build_policy(config)
    unflatten(policy, weights)
    checkpoints = folder / "checkpoints"
    checkpoint = load_newest(checkpoints)
    if checkpoint is not None:
        load_weights(policy, checkpoint)

    def open_run() -> Run:
        run = Run.open(folder, IMPALA)
        run.use_wandb(config.wandb)
        if checkpoint is not None:
            run.resume(checkpoint.frame)
        return run

    with printing_to(folder, is_shown=True):  # the others print only what went wrong
        make_workers = (
            partial(LocalWorkers, actors=actors)
            if config.workers == 0
            else partial(RayWorkers, actors=actors, learners=config.learners)
        )

        def build() -> Training:
            learner = build_learner(config, policy, group, device)
            return Training(
                share,
                learner,
                open_run,
                make_workers,
                record_video,
                evaluate,
                checkpoint,
                checkpoints,
            )

        failures = LearnerFailures(folder)
        if failures.repeated:
            return fail(IMPALA.name, failures.repeated, WORKERS_LOST) if not group.rank else 0
        training = build_together(build, group)
        if training is None:
            return BAD_INPUT
        with failures.recorded(group.rank, lambda: training.learner.updates):
            return status_of(training, StopFile(folder))


def build_together(build: Callable[[], Training], group: Group) -> Training | None:
    """What `build` returns; None if it fails in any of the processes, which prints why.

    An error of the program must not be taken for a lost process, which would be replaced.
    """
    training = None
    try:
        training = build()
    except Exception as error:
        fail(IMPALA.name, f"learner {group.rank}: {type(error).__name__}: {error}", BAD_INPUT)
    if group.largest([float(training is None)])[0] and training is not None:
        training.close()
        return None
    return training
