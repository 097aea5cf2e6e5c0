"""Torsos: the part of an encoder that reads one leaf of an observation.

Source: Santoro et al. 2018, appendix A.3: two 2x2 convolutions of 12 and 24 filters with ReLU, then
two planes of x and y positions in [-1, 1]. The paper does not state the padding; a "5x5" ConvLSTM
needs a 5x5 map, so it is SAME, at the bottom and right as in TensorFlow.

Differs from the paper: large images first pass through strided convolutions, with the kernels of
Mnih et al. 2015 (8x8 with stride 4, 4x4 with stride 2).
"""

import math
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from agents.networks.config import PolicyConfig
from envs.spaces.leaves import VOCABULARY, Leaf
from memory.fused.held import Held
from memory.fused.pictures import PackedConvolutions, convolve, packed_convolutions, why_not

MAX_CELLS = 19 * 19
"""Cells of the largest feature map for which images are not made smaller."""
MAX_ONE_HOT = 1024
"""Categories of the largest one-hot vector; more are embedded."""
STEM_FILTERS = 32
EMBEDDING = 32
"""Width of the embedding of a text, or of one number with many categories."""
CELL_EMBEDDING = 8
"""Width of the embedding of one category of a cell."""


class ImageTorso(nn.Module):
    """`[N, H, W, C]` images to a feature map `[N, channels + 2, H', W']`.

    Args:
        downsample: H / H', a power of two.
        low: of the values of a pixel; the network takes `(x - low) / span`.
        span: of the values of a pixel.
    """

    positions: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        channels: tuple[int, ...],
        downsample: int = 1,
        low: float = 0,
        span: float = 255,
    ) -> None:
        super().__init__()
        height, width, depth = shape
        self.low, self.span = low, span
        strides = stem_strides(downsample)
        if strides:
            depths = [depth] + [STEM_FILTERS] * (len(strides) - 1)
            self.stem = nn.Sequential(
                *(
                    _StridedConvolution(n, STEM_FILTERS, stride)
                    for n, stride in zip(depths, strides, strict=True)
                )
            )
            depth = STEM_FILTERS
        for stride in strides:
            height, width = -(-height // stride), -(-width // stride)
        sizes = (depth, *channels)
        self.convolutions = nn.ModuleList(_convolution(a, b) for a, b in pairwise(sizes))
        y, x = torch.meshgrid(
            torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
        )
        self.register_buffer("positions", torch.stack([x, y]), persistent=False)
        self.has_stem = bool(strides)
        self.output_shape = (sizes[-1] + 2, height, width)
        self.held, self._names = Held(), [name for name, _ in self.named_parameters()]

    def why_plain(self, images: Tensor) -> str | None:
        """Why compiled code cannot compute a call, or None."""
        if self.has_stem:
            return "it has strided convolutions"
        return why_not(self, self.held, self._names, self._layers, images)

    @property
    def _layers(self) -> list[nn.Conv2d]:
        return cast("list[nn.Conv2d]", list(self.convolutions))

    def with_numbers(self, images: Tensor, numbers: Float[Tensor, "N E"]) -> Float[Tensor, "N F"]:
        """The feature map, flattened, and numbers without a gradient after it."""
        if self.why_plain(images) is None:
            scale = float(self.low), float(self.span)
            return convolve(self.held, self._layers, images, self.positions, numbers, *scale)
        return torch.cat([self._plain(images).flatten(1), numbers], dim=1)

    def packed(self, images: Tensor) -> PackedConvolutions:
        """What computes the maps of such images, while the weights are held."""
        scale = float(self.low), float(self.span)
        return packed_convolutions(self.held, self._layers, images.shape, *scale)

    def forward(self, images: Tensor) -> Tensor:
        if self.why_plain(images) is None:
            none = self.positions.new_empty(len(images), 0)
            return self.with_numbers(images, none).view(-1, *self.output_shape)
        return self._plain(images)

    def _plain(self, images: Tensor) -> Tensor:
        x = images.movedim(-1, -3).to(self.positions.dtype)
        x = (x - self.low if self.low else x) / self.span
        if self.has_stem:
            x = self.stem(x)
        for convolution in self.convolutions:
            x = F.relu(convolution(F.pad(x, (0, 1, 0, 1))))
        return torch.cat([x, self.positions.expand(len(x), -1, -1, -1)], dim=1)


class PlanesTorso(nn.Module):
    """`[N, H, W, C]` categories, embedded, to a feature map."""

    def __init__(self, leaf: Leaf, channels: tuple[int, ...], downsample: int) -> None:
        super().__init__()
        height, width, depth = leaf.shape
        self.embedding = _CategoryEmbedding(leaf.sizes, CELL_EMBEDDING)
        shape = (height, width, depth * CELL_EMBEDDING)
        self.image = ImageTorso(shape, channels, downsample, span=1.0)
        self.output_shape = self.image.output_shape

    def forward(self, planes: Tensor) -> Tensor:
        return self.image(self.embedding(planes).flatten(-2))


class VectorTorso(nn.Module):
    """Numbers `[N, ...]` to a feature map of one cell, `[N, F, 1, 1]`."""

    def __init__(self, shape: tuple[int, ...], low: float = 0, span: float = 1) -> None:
        super().__init__()
        self.low, self.span = low, span
        self.output_shape = (math.prod(shape), 1, 1)

    def forward(self, observations: Tensor) -> Tensor:
        x = observations.float().reshape(-1, *self.output_shape)
        return (x - self.low) / self.span if (self.low, self.span) != (0, 1) else x


class DiscreteTorso(nn.Module):
    """Categories `[N]` or `[N, K]` to one-hot maps of one cell, `[N, F, 1, 1]`; many categories
    are embedded."""

    def __init__(self, sizes: tuple[int, ...], start: int = 0) -> None:
        super().__init__()
        self.sizes, self.start = sizes, start
        is_embedded = sum(sizes) > MAX_ONE_HOT
        self.embedding = _CategoryEmbedding(sizes, EMBEDDING) if is_embedded else None
        features = len(sizes) * EMBEDDING if is_embedded else sum(sizes)
        self.output_shape = (features, 1, 1)

    def forward(self, observations: Tensor) -> Tensor:
        numbers = observations.long().reshape(-1, len(self.sizes)) - self.start
        if self.embedding is not None:
            return self.embedding(numbers).reshape(-1, *self.output_shape)
        hot = [F.one_hot(x, n) for x, n in zip(numbers.unbind(1), self.sizes, strict=True)]
        return torch.cat(hot, dim=1).float().reshape(-1, *self.output_shape)


class WordsTorso(nn.Module):
    """Numbers of words `[N, K]` to their mean embedding, `[N, F, 1, 1]`."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(VOCABULARY, EMBEDDING, mode="mean", padding_idx=0)
        self.output_shape = (EMBEDDING, 1, 1)

    def forward(self, numbers: Tensor) -> Tensor:
        return self.words(numbers).reshape(-1, *self.output_shape)


Torso = ImageTorso | PlanesTorso | VectorTorso | DiscreteTorso | WordsTorso


def build_torso(leaf: Leaf, config: PolicyConfig) -> Torso:
    """Build the torso of one leaf."""
    downsample = downsample_of(leaf.shape, config)
    match leaf.kind:
        case "picture":
            return ImageTorso(leaf.shape, config.channels, downsample, leaf.low, leaf.span)
        case "planes":
            return PlanesTorso(leaf, config.channels, downsample)
        case "words":
            return WordsTorso()
        case "one-hot":
            return DiscreteTorso(leaf.sizes)
        case _:
            return VectorTorso(leaf.shape, leaf.low, leaf.span)


def downsample_of(shape: tuple[int, ...], config: PolicyConfig) -> int:
    """By how much an image is made smaller: the option, or what gives at most `MAX_CELLS`."""
    if config.downsample != "auto":
        return config.downsample
    factor = 1
    while len(shape) == 3 and math.prod(-(-side // factor) for side in shape[:2]) > MAX_CELLS:
        factor *= 2
    return factor


def stem_strides(downsample: int) -> list[int]:
    """Strides whose product is a power of two: fours, the largest first."""
    strides: list[int] = []
    while downsample > 1:
        strides.append(min(4, downsample))
        downsample //= strides[-1]
    return strides


class _StridedConvolution(nn.Module):
    """A convolution with kernel 2 s and stride s, and ReLU; `ceil(side / s)` cells a side."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = _convolution(channels, filters, 2 * stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        padding = list[int]()
        for side in (x.shape[-1], x.shape[-2]):
            total = self.stride * (-(-side // self.stride) + 1) - side
            padding += [total // 2, total - total // 2]
        return F.relu(self.convolution(F.pad(x, padding)))


class _CategoryEmbedding(nn.Module):
    """Categories `[..., K]`, each with a table of its own, to `[..., K, width]`."""

    offsets: Tensor

    def __init__(self, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(sum(sizes), width)
        offsets = torch.tensor([0, *sizes[:-1]]).cumsum(0)
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, categories: Tensor) -> Tensor:
        return self.table(categories.long() + self.offsets)


def _convolution(channels: int, filters: int, kernel: int = 2, stride: int = 1) -> nn.Conv2d:
    """A convolution whose initialisation keeps the scale of its input; PyTorch's default would make
    the features much smaller than the position planes."""
    convolution = nn.Conv2d(channels, filters, kernel_size=kernel, stride=stride)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(cast("Tensor", convolution.bias))
    return convolution
