"""The learner: batches of trajectories in, better weights out. Knows nothing of processes."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from agents.config import LossConfig, OptimizerConfig
from agents.losses import Loss, impala_loss
from agents.policy import Policy
from agents.trajectory import Trajectory, map_trajectory
from memory.core import TaughtCore
from memory.penalty import parameter_groups


class NotFinite(ArithmeticError):
    """A term of the loss, or the gradient, is not finite; the weights are untouched."""

    def __init__(self, term: str, value: float, update: int) -> None:
        super().__init__(
            f"{term} is {value} at update {update}; the update was not made and the weights before "
            f"it are kept."
        )
        self.term = term


def flatten(policy: Policy) -> Tensor:
    """Weights and running statistics of a policy as one vector on the CPU."""
    return torch.cat([x.detach().reshape(-1) for x in policy.state_dict().values()]).cpu()


def unflatten(policy: Policy, vector: Tensor) -> None:
    """Load what `flatten` gave into a policy of the same architecture."""
    leaves = list(policy.state_dict().values())
    parts = vector.split([leaf.numel() for leaf in leaves])
    for leaf, part in zip(leaves, parts, strict=True):
        leaf.copy_(part.view_as(leaf))


SUMMED = (
    "loss/policy",
    "loss/value",
    "loss/entropy",
    "loss/decision_entropy",
    "loss/memory",
    "loss/total",
)
"""What must be finite; the other numbers are curves only."""


class Learner:
    """Policy and optimiser.

    Args:
        frames: environment steps of the whole run, for the learning-rate schedule.
    """

    def __init__(
        self,
        policy: Policy,
        loss: LossConfig,
        optimizer: OptimizerConfig,
        frames: int,
        device: str = "cpu",
    ) -> None:
        self.policy = policy.to(device).train()
        self.device = device
        self.loss_config, self.optimizer_config, self.total_frames = loss, optimizer, frames
        self.optimizer = build_optimizer(policy, optimizer)
        self.updates = 0
        self.frames = 0

    @property
    def learning_rate(self) -> float:
        """Of the next update."""
        rate = self.optimizer_config.learning_rate
        if self.optimizer_config.schedule == "constant":
            return rate
        return rate * max(0.0, 1 - self.frames / self.total_frames)

    def update(self, batch: Trajectory) -> dict[str, float]:
        """Learn from a batch; returns what is worth a curve.

        Raises:
            NotFinite: names the term; neither weights nor optimiser were changed.
        """
        if self.device != "cpu":
            batch = map_trajectory(lambda leaves, _: leaves[0].to(self.device), [batch])
        # The forward pass moves running statistics, which must not keep what is not a number.
        buffers = [(buffer, buffer.clone()) for buffer in self.policy.buffers()]
        try:
            metrics = self._learn(batch)
        except NotFinite:
            for buffer, before in buffers:
                buffer.copy_(before)
            raise
        self.updates += 1
        self.frames += batch.terminated.numel()
        return metrics

    def get_state(self) -> dict[str, Any]:
        """Everything but the weights that the next update depends on."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "updates": self.updates,
            "frames": self.frames,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` gave."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates, self.frames = state["updates"], state["frames"]

    def _learn(self, batch: Trajectory) -> dict[str, float]:
        output = self.policy(batch.inputs, batch.state, batch.decisions)
        loss = impala_loss(output, batch, self.loss_config)
        total = self._total(loss)
        metrics = {f"loss/{name}": x.item() for name, x in loss._asdict().items() if not x.dim()}
        if isinstance(self.policy.core, TaughtCore):
            memory = self.policy.memory_loss(batch.inputs, batch.state, loss.steps)
            metrics["loss/memory"] = memory.item()
            total = total + memory
        metrics["loss/total"] = total.item()
        self._check({name: metrics[name] for name in SUMMED if name in metrics})
        metrics["loss/gradient_norm"] = self._descend(total)
        metrics["loss/learning_rate"] = self.learning_rate
        return metrics

    def _total(self, loss: Loss) -> Tensor:
        config = self.loss_config
        bonus = config.entropy_cost * (loss.entropy + loss.decision_entropy)
        return loss.policy + config.value_cost * loss.value - bonus

    def _descend(self, total: Tensor) -> float:
        """One step of the optimiser; returns the norm of the gradient before clipping."""
        self.optimizer.zero_grad()
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(
            self.policy.parameters(), self.optimizer_config.clip_norm
        )
        self._check({"gradient norm": float(norm)})
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.step()
        return float(norm)

    def _check(self, terms: Mapping[str, float]) -> None:
        for term, value in terms.items():
            if not abs(value) < float("inf"):
                raise NotFinite(term, value, self.updates)


def build_optimizer(policy: Policy, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimiser a configuration names, over the weights that learn."""
    weights = parameter_groups([policy])
    if config.name == "adam":
        return torch.optim.Adam(
            weights, config.learning_rate, betas=(config.momentum, config.decay), eps=config.epsilon
        )
    return torch.optim.RMSprop(
        weights,
        config.learning_rate,
        alpha=config.decay,
        eps=config.epsilon,
        momentum=config.momentum,
    )
