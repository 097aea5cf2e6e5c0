"""The learner: updates the weights from batches of trajectories, alone or with others."""

# pyright: standard

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from agents.impala.config import LossConfig, OptimizerConfig
from agents.impala.learning.losses import Loss, impala_loss
from agents.impala.learning.optimizer import build_optimizer
from agents.impala.learning.staging import Staging
from agents.impala.trajectory import Trajectory
from agents.networks.policy import Policy
from memory.core import TaughtCore
from memory.cores.memory_net.running_norm import RunningNorm
from memory.group import Group
from memory.layers.captured import Captured


class NotFinite(ArithmeticError):
    """A term of the loss, or the gradient, is not finite; the weights are unchanged."""

    def __init__(self, term: str, value: float, update: int) -> None:
        super().__init__(
            f"{term} is {value} at update {update}; the update was not made and the weights are "
            f"unchanged."
        )
        self.term = term


TERMS = {
    "loss/policy": "loss/policy",
    "loss/value": "loss/value",
    "loss/entropy": "loss/entropy",
    "loss/decision_entropy": "loss/decision_entropy",
    "loss/memory": "loss/memory",
    "loss/total": "loss/total",
    "loss/gradient_norm": "gradient norm",
}
"""Metrics that must be finite, and their names in an error; the others are only logged."""


def check_shared(policy: Policy) -> None:
    """Refuse a core whose loss is not a mean over trajectories.

    Raises:
        ValueError: it is a `TaughtCore`.
    """
    if isinstance(policy.core, TaughtCore):
        raise ValueError(
            f"{type(policy.core).__name__} learns from losses that are compared over a batch: "
            "several learners cannot share one."
        )


class UpdateInputs(NamedTuple):
    """Inputs of a captured update."""

    batch: Trajectory
    learning_rate: Tensor


class PendingUpdate(NamedTuple):
    """An update whose metrics have not been read yet."""

    metrics: Float[Tensor, " metrics"]
    learning_rate: float
    updates: int
    """Number of updates before this one."""
    frames: int
    """Number of frames before this one."""


class Learner:
    """Policy and optimiser.

    Args:
        frames: environment steps of the whole run, for the learning-rate schedule.
        graphs: capture the update as a CUDA graph, and do not wait for its metrics. On a CPU the
            same code runs uncaptured.
        group: the processes that share each batch, each with an equal part of it; all make the
            same updates.

    Raises:
        ValueError: the core is a `TaughtCore` and there are several processes, or the device
            lacks what an option of the core needs.
    """

    def __init__(
        self,
        policy: Policy,
        loss: LossConfig,
        optimizer: OptimizerConfig,
        frames: int,
        device: str = "cpu",
        graphs: bool = False,
        group: Group | None = None,
    ) -> None:
        policy.core.check_device(device)
        self.policy = policy.to(device).train()
        self.group = group or Group()
        if self.group.size > 1:
            check_shared(policy)
        self.device = device
        self.loss_config, self.optimizer_config, self.total_frames = loss, optimizer, frames
        self.optimizer = build_optimizer(policy, optimizer)
        self.updates = 0
        self.frames = 0
        self._staging = None if device == "cpu" else Staging(device)
        self._names: list[str] = []
        self._pending: list[PendingUpdate] = []
        self._metrics: dict[str, float] = {}
        self._captured: Captured | None = None
        self._refused = torch.zeros((), dtype=torch.bool, device=device)
        if graphs:
            self._prepare_capture()

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next update."""
        rate = self.optimizer_config.learning_rate
        if self.optimizer_config.schedule == "constant":
            return rate
        return rate * max(0.0, 1 - self.frames / self.total_frames)

    def update(self, batch: Trajectory) -> dict[str, float]:
        """Learn from a batch; returns metrics.

        Raises:
            NotFinite: names the term; weights and optimiser are unchanged.
        """
        self.learn(batch)
        return self.read()

    def learn(self, batch: Trajectory) -> None:
        """Learn from a batch; a captured update is only started, and `read` waits for its result.

        Raises:
            NotFinite: as `update`; for a captured update `read` raises it.
        """
        frames = batch.terminated.numel() * self.group.size
        if self._staging:
            batch = self._staging(batch)
        rate = self.learning_rate
        if self._captured:
            metrics = self._captured(UpdateInputs(batch, torch.tensor(rate)))
        else:
            metrics = self._update_if_finite(batch, rate)
        self._pending.append(PendingUpdate(metrics, rate, self.updates, self.frames))
        self.updates += 1
        self.frames += frames
        if not self._captured:
            self.read()

    def read(self) -> dict[str, float]:
        """Metrics of the last update that was made, once it is finished; empty before the first.

        Raises:
            NotFinite: names the term of the first update that was refused. Later ones were refused
                too, and none of them is counted.
        """
        pending, self._pending = self._pending, []
        if pending:
            for update, values in zip(
                pending, torch.stack([update.metrics for update in pending]).tolist(), strict=True
            ):
                metrics = dict(zip(self._names, values, strict=True))
                self._check(update, metrics)
                self._metrics = metrics | {"loss/learning_rate": update.learning_rate}
        return dict(self._metrics)

    def get_state(self) -> dict[str, Any]:
        """All that the next update depends on, except the weights.

        Raises:
            NotFinite: as `read`.
        """
        self.read()
        state = self.optimizer.state_dict()
        groups = [group | {"lr": float(group["lr"])} for group in state["param_groups"]]
        return {
            "optimizer": state | {"param_groups": groups},
            "updates": self.updates,
            "frames": self.frames,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `get_state`, from any device."""
        groups = [group | self._optimizer_options for group in state["optimizer"]["param_groups"]]
        self.optimizer.load_state_dict(state["optimizer"] | {"param_groups": groups})
        self.updates, self.frames = state["updates"], state["frames"]
        if self._captured:
            self._captured = Captured(self._update_where_finite, self.device)

    @property
    def _optimizer_options(self) -> dict[str, bool | None]:
        """Options of the optimiser that keep a captured step free of synchronisation."""
        capture = self._captured is not None and self.device != "cpu"
        return {"capturable": capture, "foreach": capture or None}

    def _prepare_capture(self) -> None:
        """Allocate all tensors that an update changes: a captured graph keeps their addresses."""
        self._captured = Captured(self._update_where_finite, self.device)
        for group in self.optimizer.param_groups:
            group |= self._optimizer_options | {"lr": 0.0}
            for weight in group["params"]:
                weight.grad = torch.zeros_like(weight)
        self.optimizer.step()
        for moment in self._moments():
            moment.zero_()
        self.optimizer.zero_grad()

    def _moments(self) -> list[Tensor]:
        """All state of the optimiser."""
        return [x for state in self.optimizer.state.values() for x in state.values()]

    def _update_if_finite(self, batch: Trajectory, rate: float) -> Tensor:
        """Make an update if all terms are finite; returns metrics."""
        # The forward pass also changes running statistics, which are restored otherwise.
        buffers = [(buffer, buffer.clone()) for buffer in self.policy.buffers()]
        metrics, is_finite = self._compute_gradients(batch)
        if is_finite:
            self._optimizer_step(rate)
        else:
            for buffer, before in buffers:
                buffer.copy_(before)
        return metrics

    def _update_where_finite(self, inputs: UpdateInputs) -> Tensor:
        """The same without synchronisation; after a refused update all are, until `read`."""
        changing = [*self.policy.parameters(), *self.policy.buffers(), *self._moments()]
        before = [x.detach().clone() for x in changing]
        metrics, is_finite = self._compute_gradients(inputs.batch)
        self._refused.logical_or_(~is_finite)
        self._optimizer_step(inputs.learning_rate)
        with torch.no_grad():
            for now, then in zip(changing, before, strict=True):
                torch.where(self._refused, then, now, out=now)
        return metrics

    def _compute_gradients(
        self, batch: Trajectory
    ) -> tuple[Float[Tensor, " metrics"], Bool[Tensor, ""]]:
        """Compute and clip the gradients; returns metrics, and whether all terms are finite."""
        output = self.policy(batch.inputs, batch.state, batch.decisions)
        loss = impala_loss(
            output, batch, self.loss_config, self.policy.distribution, self.group.average
        )
        total = self._total(loss)
        metrics = {f"loss/{name}": x for name, x in loss._asdict().items() if not x.dim()}
        if isinstance(self.policy.core, TaughtCore):
            memory = self.policy.memory_loss(batch.inputs, batch.state, loss.per_step)
            metrics["loss/memory"] = memory
            total = total + memory
        metrics["loss/total"] = total
        self.optimizer.zero_grad()
        total.backward()
        means = torch.stack([x.detach() for x in metrics.values()])
        self._average(means)
        norm = torch.nn.utils.clip_grad_norm_(
            self.policy.parameters(), self.optimizer_config.clip_norm
        )
        self._names = [*metrics, "loss/gradient_norm"]
        values = torch.cat([means, norm.detach().reshape(1)])
        terms = [x for name, x in zip(self._names, values.unbind(), strict=True) if name in TERMS]
        return values, torch.stack(terms).isfinite().all()

    def _average(self, metrics: Tensor) -> None:
        """Average metrics, gradients and running statistics over the group."""
        if self.group.size == 1:
            return
        gradients = [x.grad for x in self.policy.parameters() if x.grad is not None]
        self.group.average([*gradients, metrics])
        for module in self.policy.modules():
            if isinstance(module, RunningNorm):
                module.merge(self.group.average)

    def _total(self, loss: Loss) -> Tensor:
        """The weighted sum of the terms; entropy enters as a bonus."""
        config = self.loss_config
        bonus = config.entropy_cost * (loss.entropy + loss.decision_entropy)
        return loss.policy + config.value_cost * loss.value - bonus

    def _optimizer_step(self, rate: float | Tensor) -> None:
        """Make one step of the optimiser."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()

    def _check(self, update: PendingUpdate, metrics: Mapping[str, float]) -> None:
        """Raise an error if a term of an update was not finite."""
        for name, term in TERMS.items():
            value = metrics.get(name, 0.0)
            if not math.isfinite(value):
                self.updates, self.frames = update.updates, update.frames
                self._refused.zero_()
                raise NotFinite(term, value, update.updates)
