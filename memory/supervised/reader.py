"""The network of a supervised task: encoder, core and read-out, with nothing special to any."""

# pyright: reportUnknownMemberType=false

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.core import Core, CoreConfig, InputKind
from memory.cores.buffered.input_buffer import BufferCore
from memory.supervised.batch import Batch
from memory.supervised.head import Answered
from memory.supervised.task import Task

MAP_SIDE = 4
"""Height and width of the map that a vector is laid out on for a core of maps."""


@dataclass(frozen=True, kw_only=True)
class ReaderConfig:
    """Encoder, core and read-out."""

    readout: tuple[int, ...] = ()
    """Units of the rectified layers between the core and the answer."""


class InputAdapter(nn.Module):
    """Gives the features of an encoder the form that a core takes.

    Rows and maps are flattened for a core of vectors. A vector is one row for a core of rows, and
    for a core of maps a trained layer lays it out on a small map.
    """

    def __init__(self, shape: tuple[int, ...], kind: InputKind) -> None:
        super().__init__()
        self.axes = len(shape)
        self.layout: nn.Module = nn.Identity()
        flat = math.prod(shape)
        if kind == "vector":
            self.output_shape = (flat,)
        elif kind == "rows":
            self.output_shape = (1, flat) if self.axes == 1 else (shape[0], flat // shape[0])
        elif self.axes == 3:
            self.output_shape = shape
        else:
            cells = MAP_SIDE * MAP_SIDE
            channels = -(-flat // cells)
            self.layout = nn.Linear(flat, channels * cells)
            self.output_shape = (channels, MAP_SIDE, MAP_SIDE)

    def forward(self, features: Float[Tensor, "T B *F"]) -> Float[Tensor, "T B *G"]:
        """The same features, in another form."""
        if features.shape[2:] == self.output_shape:
            return features
        return self.layout(features.flatten(2)).unflatten(2, self.output_shape)


class Reader(nn.Module):
    """Reads sequences and answers at the steps that are scored.

    Args:
        task: gives the encoder and the head.
        core_config: any configuration of the registry `memory.CORES`.

    Raises:
        ValueError: sizes that do not fit the core.
    """

    def __init__(self, task: Task, core_config: CoreConfig, config: ReaderConfig) -> None:
        super().__init__()
        self.encoder = task.encoder()
        self.input_adapter = InputAdapter(self.encoder.output_shape, core_config.input_kind)
        self.core = core_config.build(self.input_adapter.output_shape)
        _check_room(task, self.core)
        self.head = task.head(self.core.output_size, config.readout, self.encoder)

    def forward(
        self,
        inputs: Any,
        loss_mask: Bool[Tensor, "T B"],
        state: Any = None,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "S C"], Any]:
        """Logits of the S scored steps, time first, and the state after the last.

        Args:
            state: of the core before the first step; that of a new episode if left out.
            reset: the steps that open an episode.
        """
        hidden, state = self._read_at(loss_mask, inputs, state, reset)
        return self.head(hidden), state

    def answer(self, batch: Batch, state: Any = None, own: bool = False) -> tuple[Answered, Any]:
        """Losses and guesses of the scored steps, and the state after the last step.

        Args:
            own: feed the reader its own answers, where the batch feeds any.
        """
        if own and batch.feedback_mask is not None and batch.feedback_mask.any():
            hidden, state = self._write(batch, batch.feedback_mask, state)
            hidden = batch.at_loss_steps(hidden)
        elif batch.loss_indices is not None:
            hidden, state = self.read(batch.inputs, state, batch.reset)
            hidden = batch.at_loss_steps(hidden)
        else:
            hidden, state = self._read_at(batch.loss_mask, batch.inputs, state, batch.reset)
        return self.head.answer(hidden, batch.at_loss_steps(batch.targets)), state

    def read(
        self, inputs: Any, state: Any = None, reset: Bool[Tensor, "T B"] | None = None
    ) -> tuple[Float[Tensor, "T B D"], Any]:
        """What the core puts out at every step, and its state after the last."""
        features = self.features(inputs)
        if state is None:
            state = self.core.initial_state(features.shape[1])
        return self.core(features, state, reset)

    def _read_at(
        self,
        loss_mask: Bool[Tensor, "T B"],
        inputs: Any,
        state: Any,
        reset: Bool[Tensor, "T B"] | None,
    ) -> tuple[Float[Tensor, "S D"], Any]:
        """As `read`, at the scored steps alone."""
        features = self.features(inputs)
        if state is None:
            state = self.core.initial_state(features.shape[1])
        return self.core.outputs_at(loss_mask, features, state, reset)

    @property
    def branches_on_data(self) -> bool:
        """Whether what learning computes depends on the values of tensors, by any of its parts.

        It does, too, where a core finds out for itself which of its outputs are wanted.
        """
        parts = (self.encoder, self.core, self.head)
        finds_wanted = type(self.core).outputs_at is not Core.outputs_at
        return finds_wanted or any(part.branches_on_data for part in parts)

    def features(self, inputs: Any) -> Float[Tensor, "T B *F"]:
        """What the core sees."""
        return self.input_adapter(self.encoder(inputs))

    def _write(
        self, batch: Batch, feedback_mask: Bool[Tensor, "T B"], state: Any
    ) -> tuple[Float[Tensor, "T B D"], Any]:
        """Read until the first answer is fed back, then step by step."""
        first = int(feedback_mask.any(dim=1).int().argmax())
        resets = [None] * len(feedback_mask) if batch.reset is None else batch.reset.unsqueeze(1)
        before = None if batch.reset is None else batch.reset[:first]
        hidden, state = self.read(batch.inputs[:first], state, before)
        outputs = [hidden]
        for t in range(first, len(feedback_mask)):
            guesses = self.head(outputs[-1][-1]).argmax(-1)
            inputs = torch.where(feedback_mask[t], guesses, batch.inputs[t])
            hidden, state = self.read(inputs[None], state, resets[t])
            outputs.append(hidden)
        return torch.cat(outputs), state


def _check_room(task: Task, core: Core[Any]) -> None:
    """Refuse a core over a buffer that would lose what an answer may depend on."""
    longest = task.longest_episode
    if longest and isinstance(core, BufferCore) and core.buffer.slots < longest:
        raise ValueError(
            f"buffer={core.buffer.slots}: {type(core).__name__} forgets all but its last so many "
            f"inputs, and the task has episodes of {longest} steps; make it at least {longest}, or "
            "the episodes shorter"
        )


def build_reader(task: Task, core_config: CoreConfig, config: ReaderConfig) -> Reader:
    """A fresh network for a task."""
    return Reader(task, core_config, config)


def num_parameters(module: nn.Module) -> int:
    """Trained or not."""
    return sum(parameter.numel() for parameter in module.parameters())
