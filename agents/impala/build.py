"""Builds the parts of a run from its configuration."""

# pyright: reportUnknownMemberType=false

from collections.abc import Mapping
from typing import Any

import torch

from agents.impala.config import ImpalaConfig
from agents.impala.learning.learner import Learner
from agents.impala.rollout import Rollout
from agents.networks.policy import Policy
from agents.runs.device import compute_device, uses_graphs
from memory.group import Group


def build_policy(config: ImpalaConfig) -> Policy:
    """Build the policy of a run; its weights are drawn from the run's seed.

    Raises:
        ValueError: the core does not accept the environment's spaces.
    """
    env = config.env.make_vector(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            return Policy(
                env.single_observation_space, env.single_action_space, config.core, config.policy
            )
    finally:
        env.close()


def build_rollout(
    config: ImpalaConfig,
    policy: Policy,
    actors: range,
    start_version: int = 0,
    attempt: int = 0,
    level_options: Mapping[str, Any] | None = None,
) -> Rollout:
    """Build the rollout of a group of actors; see `agents.impala.streams.actor_seeds`.

    Args:
        level_options: of the environment, from its first episodes on.

    Raises:
        ValueError: the acting device is a GPU and there is none.
    """
    device = compute_device(config.acting_device, "acting-device")
    env = config.env.make_vector(len(actors))
    if level_options:
        env.set_options(level_options)
    return Rollout(
        env,
        policy.to(device),
        actors=actors,
        unroll=config.unroll,
        seed=config.seed,
        start_version=start_version,
        attempt=attempt,
        report=config.env.report,
        graphs=uses_graphs(config.graphs, device),
    )


def build_learner(
    config: ImpalaConfig, policy: Policy, group: Group | None = None, device: str | None = None
) -> Learner:
    """Build the learner of a run, on its device unless another is given."""
    device = device or compute_device(config.device)
    graphs = uses_graphs(config.graphs, device) and not policy.core.branches_on_data
    return Learner(policy, config.loss, config.optimizer, config.frames, device, graphs, group)
