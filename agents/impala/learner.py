"""The learner: batches of trajectories in, better weights out. Knows nothing of processes."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from agents.impala.config import LossConfig, OptimizerConfig
from agents.impala.losses import Loss, impala_loss
from agents.impala.staging import Staging
from agents.impala.trajectory import Trajectory
from agents.networks.policy import Policy
from memory.core import TaughtCore
from memory.layers.captured import Captured
from memory.layers.penalty import parameter_groups


class NotFinite(ArithmeticError):
    """A term of the loss, or the gradient, is not finite; the weights are untouched."""

    def __init__(self, term: str, value: float, update: int) -> None:
        super().__init__(
            f"{term} is {value} at update {update}; the update was not made and the weights before "
            f"it are kept."
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
"""Metrics that must be finite, and what an error calls them; the others are curves only."""


class Work(NamedTuple):
    """What a captured update is given."""

    batch: Trajectory
    learning_rate: Tensor


class Update(NamedTuple):
    """An update that was handed over, and whose metrics were not read yet."""

    report: Float[Tensor, " metrics"]
    learning_rate: float
    updates: int
    """Before it."""
    frames: int
    """Before it."""


class Learner:
    """Policy and optimiser.

    Args:
        frames: environment steps of the whole run, for the learning-rate schedule.
        graphs: capture the update, and do not wait for its metrics. On a CPU, where nothing can be
            captured, it then computes in the same way, step by step.
    """

    def __init__(
        self,
        policy: Policy,
        loss: LossConfig,
        optimizer: OptimizerConfig,
        frames: int,
        device: str = "cpu",
        graphs: bool = False,
    ) -> None:
        self.policy = policy.to(device).train()
        self.device = device
        self.loss_config, self.optimizer_config, self.total_frames = loss, optimizer, frames
        self.optimizer = build_optimizer(policy, optimizer)
        self.updates = 0
        self.frames = 0
        self._staging = None if device == "cpu" else Staging(device)
        self._names: list[str] = []
        self._unread: list[Update] = []
        self._metrics: dict[str, float] = {}
        self._captured: Captured | None = None
        self._refused = torch.zeros((), dtype=torch.bool, device=device)
        if graphs:
            self._prepare_capture()

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
        self.learn(batch)
        return self.read()

    def learn(self, batch: Trajectory) -> None:
        """Learn from a batch; a captured update is only handed over, and `read` tells how it went.

        Raises:
            NotFinite: as `update`; from a captured update `read` raises it.
        """
        frames = batch.terminated.numel()
        if self._staging:
            batch = self._staging(batch)
        rate = self.learning_rate
        if self._captured:
            report = self._captured(Work(batch, torch.tensor(rate)))
        else:
            report = self._update_or_leave(batch, rate)
        self._unread.append(Update(report, rate, self.updates, self.frames))
        self.updates += 1
        self.frames += frames
        if not self._captured:
            self.read()

    def read(self) -> dict[str, float]:
        """The metrics of the last update, none before the first; waits until it is made.

        Raises:
            NotFinite: names the term of the first update that was not made. Those handed over since
                were not made either, and are not counted.
        """
        unread, self._unread = self._unread, []
        if unread:
            for update, values in zip(
                unread, torch.stack([update.report for update in unread]).tolist(), strict=True
            ):
                self._metrics = dict(zip(self._names, values, strict=True))
                self._metrics["loss/learning_rate"] = update.learning_rate
                self._check(update)
        return dict(self._metrics)

    def get_state(self) -> dict[str, Any]:
        """Everything but the weights that the next update depends on.

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
        """Restore what `get_state` gave, whatever device it computed on."""
        groups = [group | self._way_to_step for group in state["optimizer"]["param_groups"]]
        self.optimizer.load_state_dict(state["optimizer"] | {"param_groups": groups})
        self.updates, self.frames = state["updates"], state["frames"]
        if self._captured:
            self._captured = Captured(self._update_where_finite, self.device)

    @property
    def _way_to_step(self) -> dict[str, bool | None]:
        """Options of the optimiser: captured, it must not ask a GPU for numbers."""
        capture = self._captured is not None and self.device != "cpu"
        return {"capturable": capture, "foreach": capture or None}

    def _prepare_capture(self) -> None:
        """Have all there is that an update changes: what is captured must find it in its place."""
        self._captured = Captured(self._update_where_finite, self.device)
        for group in self.optimizer.param_groups:
            group |= self._way_to_step | {"lr": 0.0}
            for weight in group["params"]:
                weight.grad = torch.zeros_like(weight)
        self.optimizer.step()
        for moment in self._moments():
            moment.zero_()
        self.optimizer.zero_grad()

    def _moments(self) -> list[Tensor]:
        """All that the optimiser remembers."""
        return [x for state in self.optimizer.state.values() for x in state.values()]

    def _update_or_leave(self, batch: Trajectory, rate: float) -> Tensor:
        """One update, if all is finite; returns its report."""
        # The forward pass moves running statistics, which must not keep what is not a number.
        buffers = [(buffer, buffer.clone()) for buffer in self.policy.buffers()]
        report, is_finite = self._find_gradient(batch)
        if is_finite:
            self._descend(rate)
        else:
            for buffer, before in buffers:
                buffer.copy_(before)
        return report

    def _update_where_finite(self, work: Work) -> Tensor:
        """The same, without a look at the numbers; once one is refused all are, until `read`."""
        changing = [*self.policy.parameters(), *self.policy.buffers(), *self._moments()]
        before = [x.detach().clone() for x in changing]
        report, is_finite = self._find_gradient(work.batch)
        self._refused.logical_or_(~is_finite)
        self._descend(work.learning_rate)
        with torch.no_grad():
            for now, then in zip(changing, before, strict=True):
                torch.where(self._refused, then, now, out=now)
        return report

    def _find_gradient(
        self, batch: Trajectory
    ) -> tuple[Float[Tensor, " metrics"], Bool[Tensor, ""]]:
        """The gradient, clipped; returns the metrics, and whether all that must be is finite."""
        output = self.policy(batch.inputs, batch.state, batch.decisions)
        loss = impala_loss(output, batch, self.loss_config)
        total = self._total(loss)
        found = {f"loss/{name}": x for name, x in loss._asdict().items() if not x.dim()}
        if isinstance(self.policy.core, TaughtCore):
            memory = self.policy.memory_loss(batch.inputs, batch.state, loss.steps)
            found["loss/memory"] = memory
            total = total + memory
        found["loss/total"] = total
        self.optimizer.zero_grad()
        total.backward()
        found["loss/gradient_norm"] = torch.nn.utils.clip_grad_norm_(
            self.policy.parameters(), self.optimizer_config.clip_norm
        )
        self._names = list(found)
        terms = torch.stack([x.detach() for name, x in found.items() if name in TERMS])
        return torch.stack([x.detach() for x in found.values()]), terms.isfinite().all()

    def _total(self, loss: Loss) -> Tensor:
        config = self.loss_config
        bonus = config.entropy_cost * (loss.entropy + loss.decision_entropy)
        return loss.policy + config.value_cost * loss.value - bonus

    def _descend(self, rate: float | Tensor) -> None:
        """One step of the optimiser."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()

    def _check(self, update: Update) -> None:
        """Refuse an update, and those after it, if its metrics say so."""
        for name, term in TERMS.items():
            value = self._metrics.get(name, 0.0)
            if not math.isfinite(value):
                self.updates, self.frames = update.updates, update.frames
                self._refused.zero_()
                raise NotFinite(term, value, update.updates)


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
