"""From a configuration to the parts of a run."""

from typing import Literal

import torch
from torch import nn

from agents.checkpoint import Checkpoint, CheckpointError
from agents.config import ImpalaConfig
from agents.learner import Learner
from agents.policy import Policy
from agents.rollout import Rollout


def build_policy(config: ImpalaConfig) -> Policy:
    """The policy of a run, its weights drawn from the run's seed.

    Raises:
        ValueError: the environment's spaces and the core do not fit together.
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
    config: ImpalaConfig, policy: Policy, actors: range, start_version: int = 0, attempt: int = 0
) -> Rollout:
    """A group of the run's actors; see `agents.streams.actor_seeds` for when they begin.

    Raises:
        ValueError: they are to act on a GPU and there is none.
    """
    device = compute_device(config.acting_device, "acting-device")
    return Rollout(
        config.env.make_vector(len(actors)),
        policy.to(device),
        actors=actors,
        unroll=config.unroll,
        seed=config.seed,
        start_version=start_version,
        attempt=attempt,
        report=config.env.report,
        graphs=uses_graphs(config.graphs, device),
    )


def compute_device(asked: str, option: str = "device") -> str:
    """The device meant by an option.

    Raises:
        ValueError: a GPU is asked for and there is none.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--{option} cuda: PyTorch finds no CUDA device here; use cpu.")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"


def uses_graphs(graphs: Literal["auto", "never"], device: str) -> bool:
    """Whether computation on a device is captured, as `--graphs` says."""
    return graphs == "auto" and device == "cuda"


def build_learner(config: ImpalaConfig, policy: Policy) -> Learner:
    """The learner of a run, on the device it asks for."""
    device = compute_device(config.device)
    graphs = uses_graphs(config.graphs, device) and not policy.core.branches_on_data
    return Learner(policy, config.loss, config.optimizer, config.frames, device, graphs)


def load_weights(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Put a checkpoint's weights into the network that they are of.

    Raises:
        CheckpointError: they are of another architecture; names what differs.
    """
    wanted = {name: tuple(x.shape) for name, x in network.state_dict().items()}
    found = {name: tuple(x.shape) for name, x in checkpoint.weights.items()}
    if wanted != found:
        name = min(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        raise CheckpointError(
            f"{checkpoint.path} is of another architecture: {name} is "
            f"{found.get(name, 'missing')} there, "
            f"{wanted.get(name, 'missing')} in this configuration."
        )
    network.load_state_dict(checkpoint.weights)
