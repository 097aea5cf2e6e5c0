"""Small things are learnt in seconds; a fixed seed, and chance is a third."""

from typing import Any

import pytest

from agents.impala.build import build_learner, build_policy, build_rollout
from agents.impala.config import ImpalaConfig, LossConfig, OptimizerConfig
from agents.runs.weights import flatten, unflatten
from envs import GymnasiumConfig
from memory import LSTMConfig, MemoryNetConfig

LSTM = LSTMConfig(hidden=16)
REINFORCE = MemoryNetConfig(units=16, slots=4, mode="reinforce")
ADAM = OptimizerConfig(
    name="adam", learning_rate=0.03, schedule="constant", momentum=0.9, decay=0.999
)


def learnt_return(core: Any, delay: int, updates: int) -> float:
    """Mean return of the episodes of the last ten updates; 20 less the delay is perfect."""
    config = ImpalaConfig(
        env=GymnasiumConfig(id="Naming-v0", kwargs={"delay": delay}),
        core=core,
        loss=LossConfig(discount=0.0),
        optimizer=ADAM,
        actors=16,
        unroll=20,
        frames=16 * 20 * updates,
        device="cpu",
    )
    learner = build_learner(config, build_policy(config))
    rollout = build_rollout(config, build_policy(config), range(config.actors), 0)
    returns: list[float] = []
    while learner.frames < config.frames:
        unflatten(rollout.policy, flatten(learner.policy))
        trajectory, episodes = rollout.unroll(learner.updates)
        learner.update(trajectory)
        returns += [episode.episode_return for episode in episodes]
    last = returns[-10 * config.actors :]
    return sum(last) / len(last)


@pytest.mark.parametrize("core", [LSTM, REINFORCE], ids=["lstm", "memory_net"])
def test_naming_what_is_seen_is_learnt(core) -> None:
    assert learnt_return(core, delay=0, updates=60) > 16


def test_naming_what_was_seen_before_is_learnt() -> None:
    assert learnt_return(LSTM, delay=1, updates=80) > 16
