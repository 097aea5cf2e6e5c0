"""The last inputs of an episode, embedded: what a network without recurrence remembers.

The buffer holds a bounded number of rows, newest first, so a step costs the same however long the
episode. An input is stored before it is read, and then asked about: the newest row is always
there, and a read is never over nothing. A row is embedded once, when it enters, by the weights of
that time.

How old a row is, the reader must know: each age has a trained vector, added to the row when it is
read. (It is what a one-hot age, appended to the input of the embedding, would come to.)

Nothing here feeds back from an output to a later step. So an unroll needs no loop: `unroll` lays
out the buffer of every step at once, and all steps are read in one batch.
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from memory.core import Core
from memory.initialisation import linear, truncated_normal_


class InputBufferState(NamedTuple):
    """Embedded inputs, newest first. Slots that are not filled hold zeros."""

    rows: Float[Tensor, "B N D"]
    filled: Float[Tensor, "B N"]
    """1 where a slot holds an input of this episode, else 0."""


class Recollection(NamedTuple):
    """What a step has to go on: a question, and the rows remembered."""

    question: Float[Tensor, "B D"]
    rows: Float[Tensor, "B N D"]
    filled: Bool[Tensor, "B N"]
    """Rows of slots that are not filled mean nothing: the reader must leave them out."""


class InputBuffer(nn.Module):
    """Embeds inputs and holds the last of them; each input is also embedded as the question."""

    def __init__(self, features: int, slots: int, width: int) -> None:
        super().__init__()
        self.slots = slots
        self.embed = linear(features, width)
        self.embed_question = linear(features, width)
        self.age = nn.Parameter(torch.empty(slots, width))
        truncated_normal_(self.age, width)

    def empty(self, batch: int) -> InputBufferState:
        """Zeros: no slot is filled."""
        slots, width = self.age.shape
        rows = self.age.new_zeros(batch, slots, width)
        return InputBufferState(rows, self.age.new_zeros(batch, slots))

    def step(
        self, x: Float[Tensor, "B F"], state: InputBufferState
    ) -> tuple[Recollection, InputBufferState]:
        """Store one input, in front; the oldest falls off the end."""
        rows = torch.cat([self.embed(x).unsqueeze(1), state.rows[:, :-1]], dim=1)
        filled = torch.cat([torch.ones_like(state.filled[:, :1]), state.filled[:, :-1]], dim=1)
        recollection = Recollection(self.embed_question(x), rows + self.age, filled > 0)
        return recollection, InputBufferState(rows, filled)

    def unroll(
        self,
        inputs: Float[Tensor, "T B F"],
        state: InputBufferState,
        reset: Bool[Tensor, "T B"] | None,
    ) -> tuple[Recollection, InputBufferState]:
        """As `step` for input after input; time and batch are one axis in what is recollected."""
        embedded = self.embed(inputs)
        rows = _windows(state.rows, embedded)
        filled = _windows(state.filled, torch.ones_like(embedded[..., 0]))
        if reset is not None:
            episode = reset.cumsum(0)
            before = episode.new_zeros(state.filled.shape)
            forgotten = _windows(before, episode) != episode.unsqueeze(-1)
            # Filled, not multiplied: what another episode left may be anything.
            rows = rows.masked_fill(forgotten.unsqueeze(-1), 0.0)
            filled = filled.masked_fill(forgotten, 0.0)
        question = self.embed_question(inputs).flatten(0, 1)
        recollection = Recollection(
            question, (rows + self.age).flatten(0, 1), filled.flatten(0, 1) > 0
        )
        # Clones: a view would keep, and carry to other processes, the buffers of all times.
        return recollection, InputBufferState(rows[-1].clone(), filled[-1].clone())


class BufferCore(Core[InputBufferState]):
    """A core that remembers its last inputs, and answers from them at each step."""

    buffer: InputBuffer

    @abstractmethod
    def answer(self, recollection: Recollection) -> Float[Tensor, "B D"]:
        """The output of a step, from what there is to go on."""

    def initial_state(self, batch: int) -> InputBufferState:
        """Nothing remembered."""
        return self.buffer.empty(batch)

    def step(
        self, x: Float[Tensor, "B F"], state: InputBufferState
    ) -> tuple[Float[Tensor, "B D"], InputBufferState]:
        """Consume one time step."""
        recollection, state = self.buffer.step(x, state)
        return self.answer(recollection), state

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: InputBufferState,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], InputBufferState]:
        """Unroll over time: all steps in one batch."""
        recollection, state = self.buffer.unroll(inputs, state, reset)
        return self.answer(recollection).unflatten(0, inputs.shape[:2]), state


def _windows(
    before: Shaped[Tensor, "B N *features"], now: Shaped[Tensor, "T B *features"]
) -> Shaped[Tensor, "T B N *features"]:
    """What the slots hold after each step, newest first, if `now` follows on `before`."""
    history = torch.cat([before[:, :-1].flip(1).transpose(0, 1), now])  # [N - 1 + T, B, ...]
    return history.unfold(0, before.shape[1], 1).flip(-1).movedim(-1, 2)
