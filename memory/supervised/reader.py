"""The network of a supervised task: encoder, core and read-out, with nothing special to any."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.core import InputKind
from memory.options import positive
from memory.supervised.task import Encoder

MAP_SIDE = 4
"""Height and width of the map that a vector is laid out on for a core of maps."""


@dataclass(frozen=True, kw_only=True)
class ReaderConfig:
    """Encoder, core and read-out."""

    readout: tuple[int, ...] = ()
    """Units of the rectified layers between the core and the answer."""


class Fit(nn.Module):
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
        core_config: any configuration of the registry `memory.CORES`.

    Raises:
        ValueError: sizes that do not fit the core.
    """

    def __init__(
        self, encoder: Encoder, core_config: Any, num_classes: int, config: ReaderConfig
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.fit = Fit(encoder.output_shape, core_config.input_kind)
        self.core = core_config.build(self.fit.output_shape)
        widths = (self.core.output_size, *config.readout, num_classes)
        positive(**{f"readout[{i}]": width for i, width in enumerate(config.readout)})
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.readout = nn.Sequential(*layers[:-1])

    def forward(
        self,
        inputs: Tensor,
        scored: Bool[Tensor, "T B"],
        state: Any = None,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "S C"], Any]:
        """Logits of the S scored steps, time first, and the state after the last.

        Args:
            state: of the core before the first step; that of a new episode if left out.
            reset: the steps that open an episode.
        """
        features = self.features(inputs)
        if state is None:
            state = self.core.initial_state(features.shape[1])
        hidden, state = self.core(features, state, reset)
        return self.readout(hidden[scored]), state

    def features(self, inputs: Tensor) -> Float[Tensor, "T B *F"]:
        """What the core sees."""
        return self.fit(self.encoder(inputs))


def build_reader(task: Any, core_config: Any, config: ReaderConfig) -> Reader:
    """A fresh network for a task."""
    return Reader(task.encoder(), core_config, task.num_classes, config)


def num_parameters(module: nn.Module) -> int:
    """Trained or not."""
    return sum(parameter.numel() for parameter in module.parameters())
