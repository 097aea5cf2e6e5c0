"""Load the agent of a run."""

import logging
from pathlib import Path
from typing import NamedTuple

from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.networks.policy import Policy
from agents.runs.checkpoint import Checkpoint
from agents.runs.run import Run, RunError
from agents.runs.weights import check_architecture, load_weights

_log = logging.getLogger(__name__)


class SavedAgent(NamedTuple):
    """A policy, and the configuration and frame of its run."""

    config: ImpalaConfig
    policy: Policy
    """In evaluation mode, on the CPU."""
    frame: int
    """Environment steps learned from."""


def load_agent(run_path: Path, *, best: bool = False) -> SavedAgent:
    """Load the newest checkpoint of a run folder, or the best one.

    Damaged checkpoints are skipped with a warning.

    Raises:
        RunError: there is no such run, or its configuration cannot be read.
        CheckpointError: there is no valid checkpoint, or its architecture differs.
    """
    run = Run.open(run_path, IMPALA)
    checkpoint = run.load(best=best)
    for warning in checkpoint.warnings:
        _log.warning("%s The previous one is used.", warning)
    return _agent(run, checkpoint)


def load_progress(run_path: Path) -> list[SavedAgent]:
    """Load an agent as it was at 1 % and 10 % of its run, and at the newest checkpoint.

    Raises:
        RunError: there is no such run, or it kept no weights of early on.
        CheckpointError: there is no valid checkpoint, or its architecture differs.
    """
    run = Run.open(run_path, IMPALA)
    newest, early = run.load(), run.load_milestones()
    early = [checkpoint for checkpoint in early if checkpoint.frame < newest.frame]
    if not early:
        raise RunError(
            f"{run_path} has no weights of 1 % or 10 % of its {run.config.frames:,} frames: it has "
            "not come so far, or was trained by an earlier version."
        )
    return [_agent(run, checkpoint) for checkpoint in (*early, newest)]


def _agent(run: Run, checkpoint: Checkpoint) -> SavedAgent:
    check_architecture(lambda: build_policy(run.config), checkpoint)
    config = _for_this_cpu(run)
    policy = build_policy(config)
    load_weights(policy, checkpoint)
    return SavedAgent(config, policy.eval(), checkpoint.frame)


def _for_this_cpu(run: Run) -> ImpalaConfig:
    """The settings of the run, in float32 if it was in bfloat16 and this CPU has none."""
    if getattr(run.config.core, "fused", None) != "bf16":
        return run.config
    try:
        build_policy(run.config).core.check_device("cpu")
    except ValueError as error:
        _log.warning("%s: %s. It is computed in float32.", run.config_file, error)
        return run.config.for_any_machine()
    return run.config
