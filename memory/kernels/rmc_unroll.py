"""The relational memory core over a whole sequence, one kernel of Triton forward and one backward.

It computes the same as the plain code of `memory.cores.rmc` with one block, in float32; tests
compare the two. A program computes all steps of some elements of the batch: attention, norms and
gates are of one element, so no program waits for another, and the weights, 1.3 MB in the paper's
size, are read from the GPU's cache at each step. The forward kernel keeps what the backward kernel
reads, some 9 KB a row of memory and step in that size. What depends on the inputs alone, and the
gradients of the weights, are products for all steps outside.
"""

# pyright: standard

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from memory.kernels.available import precision
from memory.kernels.lstm import MULTIPROCESSORS, on_device_of

MOST_ROWS = 16
"""Rows of memory in a program: more would leave multiprocessors idle in batches of hundreds."""
MOST_NUMBERS = 1 << 14
"""Queries, keys and values in a program, at most, if it has several elements: it holds whole rows
in registers."""
WIDEST = 1 << 15
"""The same, if it has one element."""
MOST_QUERIES = 1 << 12
"""Numbers of the queries that a program holds at the same time, at most, if of several heads."""
TILE, CHUNK, WARPS = 128, 32, 8


class Sizes(NamedTuple):
    """Sizes and constants that are the same in each call."""

    slots: int
    inputs: int
    heads: int
    key: int
    value: int
    layers: int
    gates: int
    scale: float
    eps: float

    @property
    def width(self) -> int:
        """Of a row of memory."""
        return self.heads * self.value

    @property
    def projection(self) -> int:
        """Queries, keys and values of a row."""
        return self.heads * (2 * self.key + self.value)


class Given(NamedTuple):
    """What a sequence is computed from; the names are those of the forward kernel."""

    state: Float[Tensor, "B N D"]
    fresh: Float[Tensor, "N D"]
    reset: Bool[Tensor, "T B"] | None
    projected: Float[Tensor, "T B n P"]
    from_input: Float[Tensor, "T B 1 G"] | None
    qkv_weight: Float[Tensor, "P D"]
    qkv_bias: Float[Tensor, " P"]
    qkv_scale: Float[Tensor, " P"]
    qkv_shift: Float[Tensor, " P"]
    read_scale: Float[Tensor, " D"]
    read_shift: Float[Tensor, " D"]
    mlp_weight: Float[Tensor, "L D D"]
    mlp_bias: Float[Tensor, "L D"]
    mlp_scale: Float[Tensor, " D"]
    mlp_shift: Float[Tensor, " D"]
    gate_weight: Float[Tensor, "G D"] | None
    gate_bias: Float[Tensor, " G"] | None


UNREAD = {"state", "fresh", "from_input", "qkv_bias", "read_shift", "mlp_bias", "gate_bias"}
"""What the backward kernel does not read of it."""
Tensors = Mapping[str, Tensor | None]


def why_too_wide(sizes: Sizes) -> str | None:
    """Why a program does not hold the rows of one element, or None."""
    numbers = _power_of_two(sizes.slots) * _padded(sizes.projection)
    if numbers > WIDEST:
        return f"{numbers} queries, keys and values at a step are more than {WIDEST}"
    return None


def unroll_rmc(sizes: Sizes, given: Given, biases: Mapping[str, float]) -> Float[Tensor, "T B N D"]:
    """Memories after all steps.

    Args:
        biases: `input_bias` and `forget_bias`, constants added to the gates.
    """
    return _Unroll.apply(sizes, biases, *given)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, sizes: Sizes, biases: Mapping[str, float], *given: Tensor | None
    ) -> Tensor:
        from memory.kernels.rmc_forward import forward

        tensors = {
            name: None if tensor is None else tensor.contiguous()
            for name, tensor in zip(Given._fields, given, strict=True)
        }
        launch = _Launch(sizes, tensors)
        kept = launch.kept()
        outputs = launch.new(*launch.rows, sizes.width)
        options = {"EPS": sizes.eps, "GATE_TILE": min(TILE, _padded(sizes.gates))}
        launch(forward, tensors | kept | {"outputs": outputs}, {**biases, **options})
        saved = {name: value for name, value in tensors.items() if name not in UNREAD} | kept
        ctx.sizes, ctx.names = sizes, [*saved]
        ctx.save_for_backward(*saved.values())
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        from memory.kernels.rmc_backward import backward

        saved = dict(zip(ctx.names, ctx.saved_tensors, strict=True))
        launch = _Launch(ctx.sizes, saved)
        written = launch.written()
        launch(backward, saved | written | {"d_outputs": d_outputs.contiguous()}, {})
        return None, None, *_gradients(saved, written)


class _Launch:
    """Launches kernels with the sizes of one sequence."""

    def __init__(self, sizes: Sizes, tensors: Tensors) -> None:
        projected = tensors["projected"]
        assert projected is not None
        self.sizes, self.projected = sizes, projected
        self.rows = (*projected.shape[:2], sizes.slots)  # T, B, N
        slots, batch = _power_of_two(sizes.slots), projected.shape[1]
        most = min(MOST_ROWS, MOST_NUMBERS // _padded(sizes.projection))
        elements = max(1, most // slots)
        while elements > 1 and -(-batch // elements) < MULTIPROCESSORS:
            elements //= 2
        self.programs = -(-batch // elements)
        self.options: dict[str, Any] = {
            "HAS_RESET": tensors["reset"] is not None,
            "ELEMENTS": elements,
            "SLOTS_PADDED": slots,
            "AT_ONCE": _heads_at_once(sizes, elements),
            "KEY_PADDED": _padded(sizes.key),
            "VALUE_PADDED": _padded(sizes.value),
            "WIDTH_PADDED": _padded(sizes.width),
            "PROJECTION_PADDED": _padded(sizes.projection),
            "QUERIES": _padded(sizes.slots),
            "KNOWN": _padded(sizes.slots + sizes.inputs),
            "TILE": min(TILE, _padded(sizes.projection)),
            "CHUNK": CHUNK,
            "PRECISION": precision(),
            "num_warps": WARPS,
        }
        for name in ("slots", "inputs", "heads", "key", "value", "layers", "gates"):
            self.options[name.upper()] = getattr(sizes, name)

    def new(self, *shape: int) -> Tensor:
        """Memory that a kernel writes."""
        return self.projected.new_empty(shape)

    def kept(self) -> dict[str, Tensor | None]:
        """What the forward kernel writes for the backward kernel."""
        sizes, rows = self.sizes, self.rows
        is_gated = sizes.gates > 0
        return {
            "memories": self.new(*rows, sizes.width),
            "squashed": self.new(*rows, sizes.width) if is_gated else None,
            "projections": self.new(*rows, sizes.projection),
            "projection_rates": self.new(*rows),
            "reads": self.new(*rows, sizes.width),
            "read_rates": self.new(*rows),
            "hidden": self.new(sizes.layers, *rows, sizes.width),
            "candidates": self.new(*rows, sizes.width),
            "candidate_rates": self.new(*rows),
            "gates": self.new(*rows, sizes.gates) if is_gated else None,
        }

    def written(self) -> dict[str, Tensor]:
        """What the backward kernel writes."""
        sizes, rows = self.sizes, self.rows
        one_step = {name: (*rows[1:], sizes.width) for name in ("d_memory", "d_reads", "d_read")}
        scales = {
            f"d_{norm}_{part}": (self.programs, width)
            for norm, width in (
                ("qkv", sizes.projection),
                ("read", sizes.width),
                ("mlp", sizes.width),
            )
            for part in ("scale", "shift")
        }
        shapes = (
            one_step
            | scales
            | {
                "d_projections": (*rows, sizes.projection),
                "d_linear": (sizes.layers, *rows, sizes.width),
                "d_gates": (*rows, sizes.gates),
            }
        )
        found = {name: self.new(*shape) for name, shape in shapes.items()}
        return found | {"d_projected": torch.zeros_like(self.projected)}

    def __call__(self, kernel: Any, tensors: Tensors, options: dict[str, Any]) -> None:
        # What a kernel without resets or gates does not read is any tensor.
        pointers = {
            name: self.projected if tensor is None else _bytes(tensor)
            for name, tensor in tensors.items()
        }
        steps, batch = self.rows[:2]
        numbers = {"steps": steps, "batch": batch, "scale": self.sizes.scale}
        with on_device_of(self.projected):
            kernel[(self.programs,)](**pointers, **numbers, **self.options, **options)


def _gradients(saved: Tensors, written: dict[str, Tensor]) -> list[Tensor | None]:
    """Gradients of all that is given, in its order."""
    d_projections, d_gates = written["d_projections"], written["d_gates"]
    hidden = saved["hidden"]
    assert hidden is not None
    d_linear = written["d_linear"].flatten(1, -2)
    found = {f"{name}": written[f"d_{name}"].sum(0) for name in _NORMS} | {
        "state": written["d_memory"],
        "projected": written["d_projected"],
        "qkv_weight": _outer(d_projections, saved["memories"]),
        "qkv_bias": d_projections.flatten(0, -2).sum(0),
        "mlp_weight": d_linear.transpose(1, 2) @ hidden.flatten(1, -2),
        "mlp_bias": d_linear.sum(1),
    }
    if saved["gates"] is not None:
        found["from_input"] = d_gates.sum(2, keepdim=True)
        found["gate_weight"] = _outer(d_gates, saved["squashed"])
        found["gate_bias"] = d_gates.flatten(0, -2).sum(0)
    return [found.get(name) for name in Given._fields]


_NORMS = [name for name in Given._fields if name.endswith(("_scale", "_shift"))]


def _outer(d_y: Tensor, x: Tensor | None) -> Tensor:
    """Gradient of the weight of a linear layer."""
    assert x is not None
    return d_y.flatten(0, -2).t() @ x.flatten(0, -2)


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.view(torch.uint8) if tensor.dtype == torch.bool else tensor


def _heads_at_once(sizes: Sizes, elements: int) -> int:
    """Heads whose queries a program holds at the same time, if these are not too many numbers."""
    queries = elements * _padded(sizes.slots) * _padded(max(sizes.key, sizes.value))
    return max(1, min(_power_of_two(sizes.heads), MOST_QUERIES // queries))


def _power_of_two(number: int) -> int:
    """The smallest that is no less."""
    return 1 << (number - 1).bit_length()


def _padded(number: int) -> int:
    """The smallest side of a matrix in Triton's products that is no less: at least 16."""
    return max(16, _power_of_two(number))
