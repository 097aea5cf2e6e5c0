"""One training run from its command line to its exit status."""

import os
import sys
from collections.abc import Callable

import torch

from agents.build import build_policy, load_weights
from agents.checkpoint import CheckpointError, load
from agents.command_line import ParsedRun, parse
from agents.config import ImpalaConfig
from agents.learner import NotFinite
from agents.run import Run, RunError
from agents.training import Training
from agents.workers import LocalWorkers, Orders, Workers, WorkersLost
from envs.fault import EnvironmentFault

BAD_INPUT, NOT_FINITE, ENVIRONMENT_FAILED, WORKERS_LOST = 2, 3, 4, 5
"""Exit statuses; 0 is a run that ended or was asked to stop."""


def main(argv: list[str]) -> int:
    """Train as the command line says; returns the exit status."""
    parsed = parse(argv)
    try:
        training = prepare_training(parsed)
    except (RunError, CheckpointError, ValueError) as error:
        return _fail(error, BAD_INPUT)
    except EnvironmentFault as error:
        return _fail(f"environment {parsed.names.env}: {error}", ENVIRONMENT_FAILED)
    try:
        training.train()
    except NotFinite as error:
        return _fail(error, NOT_FINITE)
    except EnvironmentFault as error:
        return _fail(f"environment {parsed.names.env}: {error}", ENVIRONMENT_FAILED)
    except WorkersLost as error:
        return _fail(error, WORKERS_LOST)
    return 0


def prepare_training(parsed: ParsedRun) -> Training:
    """Check all that can be checked, then make the run folder, then start processes."""
    config = parsed.config
    torch.set_num_threads(learner_threads(config))
    policy = build_policy(config)
    if parsed.resume:
        run, checkpoint = Run.open(parsed.resume), load(parsed.resume / "checkpoints")
        for warning in checkpoint.warnings:
            print(warning, file=sys.stderr)
        load_weights(policy, checkpoint)
        run.resume(checkpoint.frame)
    else:
        run, checkpoint = Run.create(config, parsed.names), None
    return Training(config, policy, run, make_workers, checkpoint)


def make_workers(config: ImpalaConfig, orders: Callable[[], Orders]) -> Workers:
    """Ray workers, or none of it with `--workers 0`."""
    if config.workers == 0:
        return LocalWorkers(config, orders)
    from agents.impala import RayWorkers  # Ray takes a second to import

    return RayWorkers(config, orders)


def learner_threads(config: ImpalaConfig) -> int:
    """As asked, or what the workers leave of this machine's CPUs."""
    if config.learner_threads != "auto":
        return config.learner_threads
    cpus = os.cpu_count() or 1
    workers = cpus - 1 if config.workers == "auto" else config.workers
    return max(1, cpus - workers)


def _fail(error: object, status: int) -> int:
    print(f"impala.py: error: {error}", file=sys.stderr)
    return status
