"""Differentiable neural computer: a network that writes to, and reads from, a memory of rows.

Source: Graves et al., "Hybrid computing using a neural network with dynamic external memory"
(2016), Methods, and the authors' own program, whose numbers this core reproduces. One step, with
the words r read one step ago:

    h = controller([x; r])          write and read the memory as W h + b asks: new words r'
    the output is V [h; r'] + c

The controller, the external memory and the addressing have a module each, with their own
equations. Usage is what the allocation of rows goes by; the controller may forget a row by
freeing it after it was read.

Differs from the paper, as the authors' program does:

* strengths are softplus, not 1 + softplus;
* no gradient flows from the usage to the write weights;
* the controller's output, its state and the output of the core are clipped;
* there may be several write heads;
* everything begins at zero, and the output has a bias.

Beyond the program, whose controller is one layer of LSTM: several layers, wired as in the paper,
and a controller without recurrence.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from memory.core import Core, CoreConfig, select
from memory.cores.dnc.controller import FeedForwardController, LSTMController, NoState
from memory.cores.dnc.external_memory import ExternalMemory, Interface, MemorySize, MemoryState
from memory.cores.lstm import LSTMState
from memory.layers.initialisation import linear
from memory.options import input_shape_of, one_of, positive

Controller = Literal["lstm", "feed_forward"]


@dataclass(frozen=True, kw_only=True)
class DNCConfig(CoreConfig):
    """Differentiable neural computer."""

    slots: int = 16
    """Rows of memory."""
    word: int = 16
    """Width of a row."""
    reads: int = 4
    """Read heads."""
    writes: int = 1
    """Write heads."""
    controller: Controller = "lstm"
    """The network that uses the memory: an LSTM, or one that remembers nothing by itself."""
    hidden: int = 128
    """Hidden units of each layer of the controller."""
    layers: int = 1
    """Layers of the controller. Each sees the input, the words read and the layer below; the memory
    and the output see all of them."""
    clip: float = 20.0
    """Bound of the controller's output and state and of the output; 0 for none."""
    output: int = 128
    """Width of the output."""

    @classmethod
    def of_width(cls, width: int) -> "DNCConfig":
        """Of `width` hidden units and outputs."""
        return cls(hidden=width, output=width)

    @classmethod
    def small(cls) -> Mapping[str, "DNCConfig"]:
        """Both controllers, with one layer and with two."""
        return {
            "": cls(slots=4, word=4, reads=2, hidden=16, output=16),
            "two writes, two layers": cls(
                slots=4, word=3, reads=3, writes=2, hidden=8, layers=2, clip=0.0
            ),
            "feed-forward": cls(
                slots=4, word=4, reads=2, controller="feed_forward", hidden=16, layers=2
            ),
        }

    def build(self, input_shape: tuple[int, ...]) -> "DNC":
        """Make the core for inputs of shape (F,)."""
        one_of("controller", self.controller, get_args(Controller))
        positive(slots=self.slots, word=self.word, reads=self.reads, writes=self.writes)
        positive(hidden=self.hidden, layers=self.layers, output=self.output)
        if not self.clip >= 0.0:
            raise ValueError(f"clip={self.clip}: must be 0, for none, or more")
        (features,) = input_shape_of("dnc", input_shape, "F")
        return DNC(self, features)


class DNCState(NamedTuple):
    """What a differentiable neural computer carries from step to step."""

    controller: LSTMState | NoState
    words: Float[Tensor, "B R W"]
    """What was read at the last step."""
    memory: MemoryState


class DNC(Core[DNCState]):
    """Differentiable neural computer."""

    def __init__(self, config: DNCConfig, features: int) -> None:
        super().__init__()
        self.output_size, self.limit = config.output, config.clip or math.inf
        reads, word = config.reads, config.word
        size = MemorySize(slots=config.slots, word=word, reads=reads, writes=config.writes)
        kind = LSTMController if config.controller == "lstm" else FeedForwardController
        self.controller = kind(features, reads * word, config.hidden, config.layers, self.limit)
        self.interface = Interface(self.controller.output_size, size)
        self.memory = ExternalMemory(size)
        self.output = linear(self.controller.output_size + reads * word, config.output)

    def initial_state(self, batch: int) -> DNCState:
        """Zeros."""
        size, zeros = self.memory.size, self.output.bias.new_zeros
        return DNCState(
            self.controller.initial_state(batch),
            zeros(batch, size.reads, size.word),
            self.memory.initial_state(batch),
        )

    def step(
        self, x: Float[Tensor, "B F"], state: DNCState
    ) -> tuple[Float[Tensor, "B D"], DNCState]:
        """Consume one time step."""
        seen, state = self._advance(self.controller.read_input(x), state)
        return self._show(seen), state

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: DNCState,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], DNCState]:
        """Unroll over time; what depends on no memory is computed for all times at once."""
        fresh = None if reset is None else self.initial_state(inputs.shape[1])
        seen: list[Tensor] = []
        for t, summand in enumerate(self.controller.read_input(inputs).unbind()):
            if reset is not None:
                state = select(reset[t], fresh, state)
            now, state = self._advance(summand, state)
            seen.append(now)
        return self._show(torch.stack(seen)), state

    def _advance(
        self, summand: Float[Tensor, "B G"], state: DNCState
    ) -> tuple[Float[Tensor, "B O"], DNCState]:
        """Return all that the output is computed from, and the new state."""
        words = state.words.flatten(1)
        hidden, controller = self.controller(summand, words, state.controller)
        words, memory = self.memory(*self.interface(hidden), state.memory)
        seen = torch.cat([hidden, words.flatten(1)], dim=-1)
        return seen, DNCState(controller, words, memory)

    def _show(self, seen: Float[Tensor, "*T B O"]) -> Float[Tensor, "*T B D"]:
        return self.output(seen).clamp(-self.limit, self.limit)
