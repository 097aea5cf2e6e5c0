"""The last inputs of an episode, embedded: what a network without recurrence remembers.

The buffer holds a bounded number of rows, newest first, so a step of a long episode costs no more
than one with a full buffer. An input is stored before it is read, and then asked about: the newest
row is always there, and a read is never over nothing. A row is embedded once, when it enters, by
the weights of that time.

How old a row is, the reader must know: each age has a trained vector, added to the row when it is
read. (It is what a one-hot age, appended to the input of the embedding, would come to.)

Nothing here feeds back from an output to a later step. So an unroll needs no loop: `unroll` lays
out the buffer of every step at once, and all steps are read in one batch.
"""

# pyright: standard

from abc import abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from memory.core import Core
from memory.layers.initialisation import linear, truncated_normal_
from memory.observed import Observed

TOGETHER = 32
"""Steps that are answered in one go, of those sorted by how many slots they have filled."""


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
        wanted: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Recollection, InputBufferState]:
        """As `step` for input after input; time and batch are one axis in what is recollected.

        Args:
            wanted: the steps to recollect at; all if left out.
        """
        embedded = self.embed(inputs)
        if wanted is None:
            rows, filled = _held(state, embedded, reset, None)
            # Clones: a view would keep, and carry to other processes, the buffers of all times.
            batch = inputs.shape[1]
            after = InputBufferState(rows[-batch:].clone(), filled[-batch:].clone())
            asking = inputs.flatten(0, 1)
        else:
            last = torch.zeros_like(wanted)
            last[-1] = True
            rows, filled = _held(state, embedded, reset, wanted)
            after = _held(state, embedded, reset, last)
            asking = inputs[wanted]
        return Recollection(self.embed_question(asking), rows + self.age, filled > 0), after


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
        return self._answers(recollection), state

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: InputBufferState,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], InputBufferState]:
        """Unroll over time: all steps in one batch."""
        recollection, state = self.buffer.unroll(inputs, state, reset)
        return self._answers(recollection).unflatten(0, inputs.shape[:2]), state

    def outputs_at(
        self,
        wanted: Bool[Tensor, "T B"],
        inputs: Float[Tensor, "T B F"],
        state: InputBufferState,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "S D"], InputBufferState]:
        """Answers at the wanted steps alone."""
        recollection, state = self.buffer.unroll(inputs, state, reset, wanted)
        return self._answer_by_filled(recollection), state

    def _answers(self, recollection: Recollection) -> Float[Tensor, "S D"]:
        """The output of each step.

        All slots are computed on a GPU and in an exported step, whose shapes are fixed, and for
        those who watch: they get the values of all slots, in the order of the steps.
        """
        watched = any(isinstance(part, Observed) and part.watched for part in self.modules())
        rows = recollection.rows
        # The values of a subclass, as of a fake tensor, may not be there to be counted.
        countable = type(rows) is Tensor and rows.device.type == "cpu"
        if watched or not countable or torch.compiler.is_compiling():
            return self.answer(recollection)
        return self._answer_by_filled(recollection)

    def _answer_by_filled(self, recollection: Recollection) -> Float[Tensor, "S D"]:
        """As `answer`; the steps with as much to go on are computed together."""
        counts, order = recollection.filled.sum(1).sort()
        if not len(order):
            return self.answer(recollection)
        outputs = [
            self.answer(_first_slots(recollection, part, int(counts_of_part[-1])))
            for part, counts_of_part in zip(
                order.split(TOGETHER), counts.split(TOGETHER), strict=True
            )
        ]
        return torch.cat(outputs)[order.argsort()]


def _first_slots(recollection: Recollection, chosen: Int[Tensor, " S"], slots: int) -> Recollection:
    """Some of the steps, without the slots that none of them has filled."""
    question, rows, filled = recollection
    return Recollection(question[chosen], rows[chosen, :slots], filled[chosen, :slots])


def _held(
    before: InputBufferState,
    embedded: Float[Tensor, "T B D"],
    reset: Bool[Tensor, "T B"] | None,
    wanted: Bool[Tensor, "T B"] | None,
) -> InputBufferState:
    """What the slots hold after each wanted step; steps and batch are one axis."""
    rows = _windows(before.rows, embedded, wanted)
    filled = _windows(before.filled, torch.ones_like(embedded[..., 0]), wanted)
    if reset is not None:
        episode = reset.cumsum(0)
        of_slots = _windows(episode.new_zeros(before.filled.shape), episode, wanted)
        now = episode.flatten() if wanted is None else episode[wanted]
        forgotten = of_slots != now.unsqueeze(-1)
        # Filled, not multiplied: what another episode left may be anything.
        rows = rows.masked_fill(forgotten.unsqueeze(-1), 0.0)
        filled = filled.masked_fill(forgotten, 0.0)
    return InputBufferState(rows, filled)


def _windows(
    before: Shaped[Tensor, "B N *features"],
    now: Shaped[Tensor, "T B *features"],
    wanted: Bool[Tensor, "T B"] | None,
) -> Shaped[Tensor, "S N *features"]:
    """What the slots hold after each wanted step, newest first, if `now` follows on `before`."""
    batch, slots = before.shape[:2]
    history = torch.cat([before[:, :-1].flip(1).transpose(0, 1), now])  # [N - 1 + T, B, ...]
    if wanted is None:
        return history.unfold(0, slots, 1).flip(-1).movedim(-1, 2).flatten(0, 1)
    step, place = wanted.nonzero(as_tuple=True)
    age = torch.arange(slots, device=now.device)
    row = (step + slots - 1).unsqueeze(1) - age  # [S, N]
    rows = (row * batch + place.unsqueeze(1)).flatten()
    return history.flatten(0, 1).index_select(0, rows).unflatten(0, (-1, slots))
