"""Blocks of trajectories whose every leaf is known."""

import torch

from agents.impala.trajectory import Trajectory
from agents.networks.inputs import Inputs
from memory import LSTMState


def block(actors: range, version: int = 0) -> Trajectory:
    """Trajectories of two transitions that show the number of their actor in every leaf."""
    numbers = torch.tensor(list(actors)).float()
    inputs = Inputs(
        numbers.expand(3, -1)[..., None],
        numbers.long().expand(3, -1),
        numbers.expand(3, -1),
        torch.zeros(3, len(actors), dtype=torch.bool),
    )
    ends = torch.zeros(2, len(actors), dtype=torch.bool)
    per_step = numbers.expand(2, -1)
    decisions = numbers.expand(3, -1)[..., None]
    state = LSTMState(numbers[:, None], -numbers[:, None])
    versions = torch.full((len(actors),), version)
    return Trajectory(
        inputs, per_step[..., None], ends, ends, per_step, decisions, decisions, state, versions
    )
