"""Convolutions with ReLU over pictures of bytes in one call of compiled code, pictures.cpp.

It computes the same as PyTorch's convolutions, in float32 on a CPU; tests compare the two. With few
channels those take several times as long. The weights are laid out again in each call, so that no
call uses old ones, unless they are held.
"""

# pyright: reportUnknownMemberType=false

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from memory.fused.call import why_not_compiled
from memory.fused.compiled_code import CompiledCode
from memory.fused.held import Held

PLACES_PER_THREAD = 4096
"""With fewer places of pictures a thread costs more than it helps."""
MOST_LAYERS = 8


class Shape(ctypes.Structure):
    """Sizes that a call passes: `Shape` of pictures.cpp, field by field."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("pictures", "height", "width", "kernel", "layers")),
        ("threads", ctypes.c_int64),
        ("channels", ctypes.c_int64 * (MOST_LAYERS + 1)),
        *((name, ctypes.c_float) for name in ("low", "span")),
    ]


code = CompiledCode(__file__, counts=("pack",))


def why_not(
    module: nn.Module,
    held: Held,
    names: Sequence[str],
    layers: Sequence[nn.Conv2d],
    pictures: Tensor,
) -> str | None:
    """Why compiled code cannot compute the convolutions of a module, or None.

    Args:
        names: of the parameters that the module was built with.
    """
    reason = why_not_compiled(module, held, names, ())
    if reason:
        return reason
    if (pictures.dtype, pictures.device.type, type(pictures)) != (torch.uint8, "cpu", Tensor):
        return f"{pictures.dtype} on {pictures.device.type}"
    if not pictures.numel() or not 0 < len(layers) <= MOST_LAYERS:
        return "there are no pictures, or too many layers"
    return code.missing


def convolve(
    held: Held,
    layers: Sequence[nn.Conv2d],
    pictures: UInt8[Tensor, "N H W C"],
    planes: Float[Tensor, "Z H W"],
    numbers: Float[Tensor, "N E"],
    low: float,
    span: float,
) -> Float[Tensor, "N D"]:
    """Maps of the last layer, flattened, then some planes and numbers, which have no gradient.

    Args:
        layers: of one size of kernel and stride 1. Maps keep their size: they are padded with
            zeros, for an even kernel one more at the bottom and at the right.
        low: of a pixel; `(x - low) / span` is convolved.
    """
    shape = _shape_of(layers, pictures.shape, low, span)
    packed = None
    if held.open and not torch.is_grad_enabled():
        packed = held.keep("packed", lambda: code.pack(shape, _laid_out(layers)))
        weights = []
    else:
        weights = _laid_out(layers)
    return cast(Any, _Convolutions.apply(shape, packed, pictures, planes, numbers, *weights))


class PackedConvolutions(NamedTuple):
    """The convolutions of a batch of pictures, for other compiled code."""

    function: Any
    """`engram_pictures_forward`."""
    shape: Shape
    packed: Float[Tensor, " N"]

    @property
    def pictures(self) -> int:
        """Pictures of the batch."""
        return self.shape.pictures

    @property
    def size(self) -> int:
        """Numbers that a picture gives."""
        return self.shape.channels[self.shape.layers] * self.shape.height * self.shape.width


def packed_convolutions(
    held: Held, layers: Sequence[nn.Conv2d], sizes: Sequence[int], low: float, span: float
) -> PackedConvolutions:
    """What `convolve` computes for pictures of `sizes`, `[N, H, W, C]`."""
    shape = _shape_of(layers, sizes, low, span)
    packed = held.keep("packed", lambda: code.pack(shape, _laid_out(layers)))
    return PackedConvolutions(code.function("forward"), shape, packed)


def _shape_of(layers: Sequence[nn.Conv2d], sizes: Sequence[int], low: float, span: float) -> Shape:
    count, height, width, depth = sizes
    threads = max(1, min(torch.get_num_threads(), count * height * width // PLACES_PER_THREAD))
    channels = (ctypes.c_int64 * (MOST_LAYERS + 1))(depth, *(x.out_channels for x in layers))
    kernel = layers[0].kernel_size[0]
    return Shape(count, height, width, kernel, len(layers), threads, channels, low, span)


def _laid_out(layers: Sequence[nn.Conv2d]) -> list[Tensor]:
    """Weights `[out, k, k, in]` and biases."""
    return [
        tensor
        for layer in layers
        for tensor in (layer.weight.movedim(1, -1), cast("Tensor", layer.bias))
    ]


class _Convolutions(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        shape: Shape,
        packed: Tensor | None,
        pictures: Tensor,
        planes: Tensor,
        numbers: Tensor,
        *weights: Tensor,
    ) -> Tensor:
        pictures = pictures.contiguous()
        weights = tuple(weight.contiguous() for weight in weights)
        maps = shape.channels[shape.layers] * planes[0].numel()
        end = maps + planes.numel()
        features = planes.new_empty(len(pictures), end + numbers.shape[1])
        features[:, maps:end] = planes.flatten()
        features[:, end:] = numbers
        stride = ctypes.c_int64(features.stride(0))
        code.run("forward", shape, weights, packed, pictures, features, stride)
        ctx.save_for_backward(pictures, features, *weights)
        ctx.shape = shape
        return features

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_features: Tensor
    ) -> Any:
        pictures, features, *weights = ctx.saved_tensors
        if not d_features[0].is_contiguous():
            d_features = d_features.contiguous()
        d_weights = [torch.empty_like(weight) for weight in weights]
        stride, d_stride = (ctypes.c_int64(each.stride(0)) for each in (features, d_features))
        given = pictures, features, stride, d_features, d_stride
        code.run("backward", ctx.shape, weights, *given, d_weights)
        return None, None, None, None, None, *d_weights
