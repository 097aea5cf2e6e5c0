"""Layers that look at the frames of the image association task.

Source: Limbacher and Legenstein, "H-Mem" (2020), and the authors' program: pairs of convolutions of
3 x 3, each followed by an exponential linear unit and batch normalisation, each pair by a pooling
and dropout; then a rectified layer of 128, batch normalisation and dropout. The last frame, which
asks, has a layer of its own. `small` is for a CPU.

Differs from the paper: frames and question are one batch to the shared layers, whose statistics are
thus those of what they see when tested; statistics follow ten times as fast, for short runs; the
LSTM, too, is given the question through a layer of its own; there is no penalty on weights.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from memory.supervised.task import Encoder

ConvNet = Literal["small", "published"]

EPSILON = 1e-3
"""As in the authors' program."""
UNITS, DROPPED = 128, 0.3
PUBLISHED = ((32, 0.1), (64, 0.1), (128, 0.2), (256, 0.3), (512, 0.3))
"""Channels of each pair of convolutions, and the share that is dropped after it."""


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """Convolution, exponential linear unit, batch normalisation."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return [layer, nn.ELU(), nn.BatchNorm2d(outputs, EPSILON)]


def small() -> nn.Sequential:
    """From 32 x 64 x 3 to 2 x 4 x 64."""
    layers: Sequence[nn.Module] = (
        *(*convolution(3, 16, kernel=5, stride=2), nn.MaxPool2d(2)),
        *(*convolution(16, 32), nn.MaxPool2d(2)),
        *(*convolution(32, 64), nn.MaxPool2d(2)),
    )
    return nn.Sequential(*layers)


def published() -> nn.Sequential:
    """From 32 x 64 x 3 to 1 x 2 x 512."""
    layers: list[nn.Module] = []
    inputs = 3
    for channels, dropped in PUBLISHED:
        layers += convolution(inputs, channels) + convolution(channels, channels)
        layers += [nn.MaxPool2d(2), nn.Dropout(dropped)]
        inputs = channels
    return nn.Sequential(*layers)


class Features(nn.Module):
    """A rectified layer, batch normalisation and dropout."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, UNITS, bias=False)
        nn.init.kaiming_uniform_(self.dense.weight, nonlinearity="relu")
        self.norm = nn.BatchNorm1d(UNITS, EPSILON)
        self.dropout = nn.Dropout(DROPPED)

    def forward(self, x: Float[Tensor, "S F"]) -> Float[Tensor, "S D"]:
        """Features of frames."""
        return self.dropout(self.norm(torch.relu(self.dense(x))))


class FrameEncoder(Encoder):
    """Features of frames; the last frame asks."""

    output_shape = (UNITS,)

    def __init__(self, network: ConvNet) -> None:
        super().__init__()
        self.look = small() if network == "small" else published()
        flat = 512 if network == "small" else 1024
        self.shown, self.asked = Features(flat), Features(flat)

    def forward(self, inputs: UInt8[Tensor, "T B 32 64 3"]) -> Float[Tensor, "T B D"]:
        """All frames in one batch."""
        frames = inputs.flatten(0, 1).float().movedim(-1, 1) / 255
        seen = self.look(frames).flatten(1)
        size = inputs.shape[1]
        features = torch.cat([self.shown(seen[:-size]), self.asked(seen[-size:])])
        return torch.unflatten(features, 0, inputs.shape[:2])
