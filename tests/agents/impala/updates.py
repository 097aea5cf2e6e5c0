"""Updates from the same batches, by one learner or by several."""

from typing import Any

from agents.impala.build import build_policy, build_rollout
from agents.impala.config import ImpalaConfig, LossConfig
from agents.impala.learning.learner import Learner
from agents.impala.trajectory import Trajectory, take
from agents.networks.config import PolicyConfig
from envs import BoxWorldConfig
from memory import LSTMConfig, MemoryNetConfig, RMCConfig
from memory.core import CoreConfig

UNROLL, UPDATES = 5, 20
CORE_OPTIONS: dict[str, CoreConfig] = {
    "lstm": LSTMConfig(hidden=8),
    "rmc": RMCConfig(units=32, slots=2, heads=2),
    "memory_net": MemoryNetConfig(mode="reinforce", units=8, slots=2),
}


def settings(core: str, batch: int) -> ImpalaConfig:
    """A run whose updates take milliseconds."""
    return ImpalaConfig(
        env=BoxWorldConfig(max_steps=3),  # episodes end inside unrolls
        core=CORE_OPTIONS[core],
        policy=PolicyConfig(channels=(2, 2)),
        loss=LossConfig(centre_advantages=True),
        actors=batch,
        batch=batch,
        unroll=UNROLL,
        frames=UPDATES * batch * UNROLL,
        device="cpu",
    )


def make_batches(config: ImpalaConfig) -> list[Trajectory]:
    """Batches in which episodes end."""
    rollout = build_rollout(config, build_policy(config), range(config.batch), 0)
    return [rollout.unroll(0).trajectory for _ in range(UPDATES)]


def learn(learner: Learner, batches: list[Trajectory]) -> dict[str, Any]:
    """Make updates from the learner's shares of batches."""
    share = learner.group.lanes(len(batches[0].version))
    metrics: list[dict[str, float]] = []
    for batch in batches:
        metrics.append(learner.update(take(batch, share.start, share.stop - share.start)))
    weights = {name: x.clone() for name, x in learner.policy.state_dict().items()}
    return {"metrics": metrics, "weights": weights, "frames": learner.frames}
