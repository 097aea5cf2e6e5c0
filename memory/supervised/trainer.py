"""Training and evaluation of a reader on a supervised task."""

# pyright: standard

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import nn

from memory.core import DecidingCore, TaughtCore, map_state, state_leaves
from memory.group import Group
from memory.layers.captured import CapturedByShape
from memory.layers.penalty import parameter_groups
from memory.options import one_of, positive
from memory.supervised.batch import Batch
from memory.supervised.objective import Answers, Learnt, objective_of
from memory.supervised.prefetcher import Prefetcher
from memory.supervised.reader import Reader
from memory.supervised.reinforcement import ReinforcementConfig, decision_generator
from memory.supervised.task import Task

Precision = Literal["float32", "tf32", "bfloat16"]


class NotFinite(ArithmeticError):
    """The loss or its gradient is not finite; the weights are unchanged."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a reader is trained."""

    batch: int = 32
    """Sequences per update."""
    learning_rate: float = 1e-3
    """Learning rate of Adam."""
    clip_norm: float = 1.0
    """Largest norm of a gradient."""
    weight_decay: float = 0.0
    """L2 penalty on all weights: its gradient is this times the weight."""
    decay: float = 1.0
    """Factor by which the learning rate falls, every `decay_every` updates; 1 keeps it."""
    decay_every: int | None = None
    """Updates between two such falls; None: at each validation that is not the best so far."""
    precision: Precision = "float32"
    """Precision of matrix products: tf32 rounds the factors to 11 bits, on GPUs only; bfloat16
    rounds factors and results to 8. Weights are float32."""

    def __post_init__(self) -> None:
        every = 1 if self.decay_every is None else self.decay_every
        positive(batch=self.batch, decay_every=every)
        one_of("precision", self.precision, get_args(Precision))
        for name in ("learning_rate", "clip_norm", "decay"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)}: must be above 0")
        if math.isinf(self.learning_rate):
            raise ValueError(f"learning_rate={self.learning_rate}: must be finite")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay={self.weight_decay}: must be 0 or more")
        if self.decay > 1:
            raise ValueError(f"decay={self.decay}: must be at most 1")


class Work(NamedTuple):
    """The inputs of `_find_gradient`."""

    batch: Batch
    carried: Any
    """State of the core; None for the initial state."""


class Trainer:
    """A reader, its task and its optimiser.

    Args:
        graphs: capture the gradient computation as a CUDA graph, unless it depends on the values of
            tensors. On a CPU the same computation runs without a capture.
        seed: of the sampled decisions and the baseline's weights.
        reinforcement: how the decisions of a `DecidingCore` are trained; by default the defaults.
        group: the processes that share each batch; by default this one alone.

    Raises:
        ValueError: the task does not fit the core, or the device lacks the precision or what an
            option of the core needs.
    """

    def __init__(
        self,
        reader: Reader,
        task: Task,
        config: TrainingConfig,
        device: str = "cpu",
        seed: int = 0,
        reinforcement: ReinforcementConfig | None = None,
        group: Group | None = None,
        graphs: bool = False,
    ) -> None:
        self.reader, self.task, self.config, self.device = reader.to(device), task, config, device
        self.seed, self.group = seed, group or Group()
        reader.core.check_device(device)
        set_precision(config.precision, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.objective = objective_of(
                reader, reinforcement or ReinforcementConfig(), task.learns_from_own_answers
            ).to(device)
        normalised = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in reader.modules())
        least = 2 * self.group.size if normalised else 1
        if config.batch < least:
            raise ValueError(
                f"batch={config.batch}: must be at least {least}; "
                "this network normalises by batches"
            )
        if self.group.size > 1:
            check_shared(reader)
        groups = parameter_groups((reader, self.objective), config.weight_decay)
        self.weights = [weight for group in groups for weight in group["params"]]
        self.optimizer = torch.optim.Adam(groups, config.learning_rate)
        self.prefetcher = Prefetcher(task, config.batch)
        self.updates = 0
        self.falls = 0
        """How often the learning rate fell after a validation that was not the best."""
        self._carried: Any = None
        self._random = decision_generator(seed, 0)
        self._captured: CapturedByShape | None = None
        if graphs and self._can_be_captured:
            self._captured = CapturedByShape(self._find_gradient, device)
            for weight in self.weights:  # at fixed addresses, for the graphs
                weight.grad = torch.zeros_like(weight)

    def update(self) -> dict[str, float]:
        """Train on the next batch; returns its loss and accuracy.

        Raises:
            NotFinite: the gradient is not finite; weights, statistics and optimiser are unchanged.
        """
        # The forward pass changes running statistics, which must not become nan.
        buffers = [(buffer, buffer.clone()) for buffer in self._statistics]
        batch, weight = _share(self.prefetcher.take(self.updates), self.group)
        self.reader.train()
        self._random = decision_generator(self.seed, self.updates)
        with torch.random.fork_rng(devices=[]):
            # For dropout: a resumed run draws the same numbers.
            torch.manual_seed(self._random.initial_seed() + self.group.rank)
            if self._captured:
                learnt = self._captured(Work(batch.with_loss_indices(), self._carried))
            else:
                learnt = self._find_gradient(Work(batch.to(self.device), self._carried))
        metrics = torch.stack([learnt.answer_loss, learnt.accuracy])
        gradients = [p.grad for p in self.weights if p.grad is not None]
        self.group.all_reduce([*gradients, metrics], weight)
        self.group.average([now for now, _ in buffers])
        norm = torch.nn.utils.clip_grad_norm_(self.weights, self.config.clip_norm)
        if not norm.isfinite():
            for buffer, before in buffers:
                buffer.copy_(before)
            raise NotFinite(
                f"loss {learnt.loss.item()}, gradient norm {norm.item()} at update "
                f"{self.updates}; the update was not made and the weights before it are kept."
            )
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.step()
        self.updates += 1
        self._carried = learnt.state
        loss, accuracy = metrics.tolist()
        return {"loss": loss, "accuracy": accuracy}

    def skip(self) -> None:
        """Leave out the next batch; it counts as an update."""
        self.updates += 1

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next update."""
        every = self.config.decay_every
        falls = self.updates // every if every else self.falls
        return self.config.learning_rate * self.config.decay**falls

    def notice(self, validation: Mapping[str, float], is_best: bool) -> None:
        """Adapt the learning rate and the task to the validation of rank 0."""
        names = self.task.noticed_metrics
        values = [validation.get(name, math.nan) for name in names]
        best, *values = self.group.broadcast([float(is_best), *values])
        if not best:
            self.falls += 1
        noticed = zip(names, values, strict=True)
        if self.task.notice({name: value for name, value in noticed if not math.isnan(value)}):
            self.prefetcher.forget()

    @torch.no_grad()
    def evaluate(self, split: str = "test") -> dict[str, float]:
        """The metrics of the task on a held-out set, in this process alone."""
        self.reader.eval()
        measures, state = self.task.measures(), None
        for batch in self.task.held_out(split):
            batch = batch.to(self.device)
            with self._autocast():
                answered, after = self.reader.answer(batch, state, own=True)
            if self.task.carries_state:
                state = after
            for measure in measures:
                measure.add(batch, answered)
        return {name: value for m in measures for name, value in m.results().items()}

    def get_state(self) -> dict[str, Any]:
        """All state besides the weights that the next update depends on, for a group of any size.

        A collective call: all processes of the group make it.
        """
        carried = None
        if self._carried is not None:
            carried = self.group.all_gather(state_leaves(self._carried), self.config.batch)
        return {
            "optimizer": self.optimizer.state_dict(),
            "objective": self.objective.state_dict(),
            "updates": self.updates,
            "falls": self.falls,
            "task": self.task.get_state(),
            "carried": carried,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `get_state`."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.objective.load_state_dict(state["objective"])
        self.updates, self.falls = state["updates"], state["falls"]
        self.task.set_state(state["task"])
        if state["carried"] is not None:
            leaves = iter([leaf[self.group.lanes(len(leaf))] for leaf in state["carried"]])
            structure = self.reader.core.initial_state(1)
            self._carried = map_state(lambda _: next(leaves).to(self.device), structure)

    def _find_gradient(self, work: Work) -> Learnt:
        """Compute the gradient of a batch; returns the loss and the metrics, detached."""
        with self._autocast():
            learnt = self.objective(self.reader, work.batch, self._random, work.carried)
        self.optimizer.zero_grad(set_to_none=self._captured is None)
        learnt.loss.backward()
        state = learnt.state if self.task.carries_state else None
        return map_state(torch.Tensor.detach, learnt._replace(state=state))

    @property
    def _can_be_captured(self) -> bool:
        """Whether no operation of the gradient depends on the values of tensors."""
        plain = isinstance(self.objective, Answers) and not self.objective.own
        taught = isinstance(self.reader.core, TaughtCore)
        return plain and not taught and not self.reader.branches_on_data

    @property
    def _statistics(self) -> list[torch.Tensor]:
        """The buffers that the forward pass changes."""
        kept = self.reader.state_dict().keys()
        return [b for name, b in self.reader.named_buffers() if name in kept]

    def _autocast(self) -> torch.autocast:
        device = torch.device(self.device).type
        return torch.autocast(device, torch.bfloat16, self.config.precision == "bfloat16")


def _share(batch: Batch, group: Group) -> tuple[Batch, float]:
    """A process's part of a batch, and its fraction of the scored steps.

    The loss is the mean over the scored steps of the whole batch: gradients are weighted by the
    scored steps of each share and summed, so that all processes make the same step. Running
    statistics are those of each share, averaged.
    """
    if group.size == 1:
        return batch, 1.0
    part = batch.part(group.lanes(batch.loss_mask.shape[1]))
    return part, (part.loss_mask.sum() / batch.loss_mask.sum()).item()


def check_shared(reader: Reader) -> None:
    """Refuse a core whose loss is not a mean over sequences.

    Raises:
        ValueError: it is a `DecidingCore` or a `TaughtCore`.
    """
    if isinstance(reader.core, DecidingCore | TaughtCore):
        raise ValueError(
            f"{type(reader.core).__name__} learns from losses that are compared over a batch: "
            "several processes cannot share one."
        )


def set_precision(precision: Precision, device: str) -> None:
    """Set the precision of matrix products in this process, apart from autocast.

    Raises:
        ValueError: the device does not have the precision.
    """
    is_cuda = torch.device(device).type == "cuda"
    if precision == "tf32" and not is_cuda:
        raise ValueError(f"precision=tf32: {device} has no instructions for it; use float32")
    if precision == "bfloat16" and not computes_bfloat16(device):
        raise ValueError(
            f"precision=bfloat16: {device} has no instructions for it here; use float32"
        )
    if is_cuda:
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")


def computes_bfloat16(device: str) -> bool:
    """Whether a device multiplies matrices in bfloat16 without emulation."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "NO AVX", "AVX2")
