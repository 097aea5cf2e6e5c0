"""Agents as they were saved by a run."""

import logging
from pathlib import Path
from typing import NamedTuple

from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.networks.policy import Policy
from agents.runs.run import Run
from agents.runs.weights import load_weights

_log = logging.getLogger(__name__)


class SavedAgent(NamedTuple):
    """A policy, the run it is of, and how far that run was."""

    config: ImpalaConfig
    policy: Policy
    """In evaluation mode, on the CPU."""
    frame: int
    """Environment steps learnt from."""


def load_agent(run_path: Path, *, best: bool = False) -> SavedAgent:
    """The agent of a run folder: of its newest checkpoint, or of its best.

    A damaged checkpoint is told and passed over.

    Raises:
        RunError: there is no such run, or its configuration cannot be read.
        CheckpointError: there is no good checkpoint, or it is of another architecture.
    """
    run = Run.open(run_path, IMPALA)
    checkpoint = run.load(best=best)
    for warning in checkpoint.warnings:
        _log.warning("%s The one before it is used.", warning)
    policy = build_policy(run.config)
    load_weights(policy, checkpoint)
    return SavedAgent(run.config, policy.eval(), checkpoint.frame)
