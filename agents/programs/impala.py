"""One training run from its command line to its exit status."""

import os
import sys
from pathlib import Path

import torch

from agents.build import build_learner, build_policy, load_weights
from agents.checkpoint import Checkpoint, CheckpointError, load
from agents.command_line import ParsedRun, parse
from agents.config import ImpalaConfig
from agents.learner import NotFinite
from agents.policy import Policy
from agents.run import Run, RunError, check_place
from agents.training import MakeWorkers, Training
from agents.workers import LocalWorkers, WorkersLost
from envs.fault import EnvironmentFault

BAD_INPUT, NOT_FINITE, ENVIRONMENT_FAILED, WORKERS_LOST, NOT_SAVED = 2, 3, 4, 5, 6
"""Exit statuses; 0 is a run that ended or was asked to stop."""


def main(argv: list[str]) -> int:
    """Train as the command line says; returns the exit status."""
    parsed = parse(argv)
    try:
        training = prepare_training(parsed)
    except (RunError, CheckpointError, ValueError, ConnectionError) as error:
        return _fail(error, BAD_INPUT)
    except EnvironmentFault as error:
        return _fail(f"environment {parsed.names.subject}: {error}", ENVIRONMENT_FAILED)
    try:
        training.train()
    except NotFinite as error:
        return _fail(error, NOT_FINITE)
    except EnvironmentFault as error:
        return _fail(f"environment {parsed.names.subject}: {error}", ENVIRONMENT_FAILED)
    except WorkersLost as error:
        return _fail(error, WORKERS_LOST)
    except CheckpointError as error:
        return _fail(error, NOT_SAVED)
    return 0


def prepare_training(parsed: ParsedRun) -> Training:
    """Check all that can be checked, then start Ray, and only then touch the run folder."""
    config = parsed.config
    torch.set_num_threads(learner_threads(config))
    policy = build_policy(config)
    checkpoint = _checkpoint_of(parsed.resume, policy)
    if not parsed.resume:
        check_place(config)
    elif checkpoint and checkpoint.frame >= config.frames:
        raise RunError(
            f"{parsed.resume} has reached its last frame, {config.frames}; --frames adds more."
        )
    learner = build_learner(config, policy)
    make_workers = workers_for(config)
    if parsed.resume and checkpoint:
        run = Run.open(parsed.resume)
        run.resume(checkpoint.frame, config)
    else:
        run = Run.create(config, parsed.names)
    return Training(config, learner, run, make_workers, checkpoint)


def workers_for(config: ImpalaConfig) -> MakeWorkers:
    """Ray workers, with Ray started; or with `--workers 0` this process, and no Ray at all."""
    if config.workers == 0:
        return LocalWorkers
    from agents.impala import RayWorkers, connect_ray  # Ray takes a second to import

    connect_ray(config.ray_address)
    return RayWorkers


def _checkpoint_of(folder: Path | None, policy: Policy) -> Checkpoint | None:
    """The newest good checkpoint of the run to resume, its weights put into the policy."""
    if folder is None:
        return None
    checkpoint = load(Run.open(folder).checkpoints)
    for warning in checkpoint.warnings:
        print(warning, file=sys.stderr)
    load_weights(policy, checkpoint)
    return checkpoint


def learner_threads(config: ImpalaConfig) -> int:
    """As asked, or the CPUs that workers leave and one more, since they do not act all the time."""
    if config.learner_threads != "auto":
        return config.learner_threads
    cpus = len(os.sched_getaffinity(0))
    workers = cpus - 1 if config.workers == "auto" else config.workers
    return min(cpus, max(1, cpus - workers) + 1)


def _fail(error: object, status: int) -> int:
    print(f"impala.py: error: {error}", file=sys.stderr)
    return status
