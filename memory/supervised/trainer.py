"""The loop of every supervised task: batches in, better weights out. Knows nothing of files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from memory.options import positive
from memory.supervised.objective import objective_of
from memory.supervised.reader import Reader
from memory.supervised.reinforcement import ReinforcementConfig, decision_generator
from memory.supervised.task import Batch, Split, Task


class NotFinite(ArithmeticError):
    """The loss or its gradient is not finite; the weights are untouched."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a reader learns."""

    batch: int = 32
    """Sequences per update."""
    learning_rate: float = 1e-3
    """Of Adam."""
    clip_norm: float = 1.0
    """Largest norm of a gradient."""


class Trainer:
    """A reader, its task and its optimiser.

    Args:
        seed: of what is learnt by reinforcement: the decisions drawn, and the baseline's weights.
        reinforcement: how the decisions of a core that decides learn; its defaults if left out.

    Raises:
        ValueError: an option out of range.
    """

    def __init__(
        self,
        reader: Reader,
        task: Task,
        config: TrainingConfig,
        device: str = "cpu",
        seed: int = 0,
        reinforcement: ReinforcementConfig | None = None,
    ) -> None:
        positive(batch=config.batch)
        for name in ("learning_rate", "clip_norm"):
            if not getattr(config, name) > 0:
                raise ValueError(f"{name}={getattr(config, name)}: must be above 0")
        self.reader, self.task, self.config, self.device = reader.to(device), task, config, device
        self.seed = seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.objective = objective_of(reader, reinforcement or ReinforcementConfig()).to(device)
        modules = (reader, self.objective)
        self.weights = [p for module in modules for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.weights, config.learning_rate)
        self.updates = 0

    def update(self) -> dict[str, float]:
        """Learn from the next batch; returns its loss and accuracy.

        Raises:
            NotFinite: weights, statistics and optimiser were not changed.
        """
        # The forward pass moves running statistics, which must not keep what is not a number.
        buffers = [(buffer, buffer.clone()) for buffer in self.reader.buffers()]
        batch = self._to_device(self.task.batch(self.updates, self.config.batch))
        self.reader.train()
        random = decision_generator(self.seed, self.updates)
        loss, answer_loss, accuracy = self.objective(self.reader, batch, random)
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.weights, self.config.clip_norm)
        if not norm.isfinite():
            for buffer, before in buffers:
                buffer.copy_(before)
            raise NotFinite(
                f"loss {loss.item()}, gradient norm {norm.item()} at update {self.updates}; the "
                "update was not made and the weights before it are kept."
            )
        self.optimizer.step()
        self.updates += 1
        return {"loss": answer_loss.item(), "accuracy": accuracy}

    @torch.no_grad()
    def evaluate(self, split: Split = "test") -> dict[str, float]:
        """Loss and accuracy over sequences that were not trained on.

        `accuracy` is the share of right answers, `whole` of sequences with no wrong one.
        """
        self.reader.eval()
        answers = losses = right = sequences = whole = 0.0
        for batch in map(self._to_device, self.task.held_out(split)):
            logits, _ = self.reader(batch.inputs, batch.scored, reset=batch.reset)
            targets = batch.targets[batch.scored]
            wrong = torch.zeros_like(batch.scored)
            wrong[batch.scored] = logits.argmax(-1) != targets
            losses += functional.cross_entropy(logits, targets, reduction="sum").item()
            answers += len(targets)
            right += len(targets) - wrong.sum().item()
            sequences += wrong.shape[1]
            whole += (~wrong.any(dim=0)).sum().item()
        return {
            "loss": losses / answers,
            "accuracy": right / answers,
            "whole": whole / sequences,
        }

    def get_state(self) -> dict[str, Any]:
        """Everything but the weights that the next update depends on."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "objective": self.objective.state_dict(),
            "updates": self.updates,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` gave."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.objective.load_state_dict(state["objective"])
        self.updates = state["updates"]

    def _to_device(self, batch: Batch) -> Batch:
        moved = {
            name: leaf.to(self.device) for name, leaf in batch._asdict().items() if leaf is not None
        }
        return batch._replace(**moved)
