"""One training run from its command line to its exit status."""

import os
import sys
from pathlib import Path

import torch

from agents.cli.command_line import ParsedRun, parse
from agents.cli.exit_status import (
    BAD_INPUT,
    ENVIRONMENT_FAILED,
    NOT_FINITE,
    NOT_SAVED,
    WORKERS_LOST,
    fail,
)
from agents.impala.build import build_learner, build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.learner import NotFinite
from agents.impala.program import IMPALA
from agents.impala.training import MakeWorkers, Training
from agents.impala.workers import LocalWorkers, WorkersLost
from agents.networks.policy import Policy
from agents.runs.checkpoint import Checkpoint, CheckpointError, load
from agents.runs.run import Run, RunError, check_place
from agents.runs.weights import load_weights
from envs.fault import EnvironmentFault


def main(argv: list[str]) -> int:
    """Train as the command line says; returns the exit status."""
    parsed = parse(argv, IMPALA)
    try:
        training = prepare_training(parsed)
    except (RunError, CheckpointError, ValueError, ConnectionError) as error:
        return fail(IMPALA.name, error, BAD_INPUT)
    except EnvironmentFault as error:
        return fail(IMPALA.name, f"environment {parsed.names.subject}: {error}", ENVIRONMENT_FAILED)
    try:
        training.train()
    except NotFinite as error:
        return fail(IMPALA.name, error, NOT_FINITE)
    except EnvironmentFault as error:
        return fail(IMPALA.name, f"environment {parsed.names.subject}: {error}", ENVIRONMENT_FAILED)
    except WorkersLost as error:
        return fail(IMPALA.name, error, WORKERS_LOST)
    except CheckpointError as error:
        return fail(IMPALA.name, error, NOT_SAVED)
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
        run = Run.open(parsed.resume, IMPALA)
        run.resume(checkpoint.frame, config)
    else:
        run = Run.create(config, parsed.names, IMPALA)
    return Training(config, learner, run, make_workers, film_episode, checkpoint)


def workers_for(config: ImpalaConfig) -> MakeWorkers:
    """Ray workers, with Ray started; or with `--workers 0` this process, and no Ray at all."""
    if config.workers == 0:
        return LocalWorkers
    from agents.cluster.ray_session import connect_ray  # Ray takes a second to import
    from agents.impala.ray_workers import RayWorkers

    connect_ray(config.ray_address)
    return RayWorkers


def film_episode(policy: Policy, config: ImpalaConfig, seed: int, out: Path) -> str:
    """A video of one episode of the agent as it is now; what to tell of it, also where it fails."""
    from agents.evaluation.video import VideoError, film  # moviepy takes a second to import

    try:
        film(policy, config.env, episodes=1, seed=seed, greedy=False, out=out)
    except (VideoError, EnvironmentFault) as error:
        return f"no video: {error}"
    return f"video {out}"


def _checkpoint_of(folder: Path | None, policy: Policy) -> Checkpoint | None:
    """The newest good checkpoint of the run to resume, its weights put into the policy."""
    if folder is None:
        return None
    checkpoint = load(Run.open(folder, IMPALA).checkpoints)
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
