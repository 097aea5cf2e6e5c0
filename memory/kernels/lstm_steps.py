"""One step of an LSTM, forward and backward, each in one kernel.

A program computes some units of some elements of the batch: the product with the recurrent weight,
and all that follows it. Gates are in the order i, f, g, o, as in `memory.cores.lstm`.
"""

from typing import no_type_check

import triton
import triton.language as tl


@triton.jit
@no_type_check
def tanh(x):
    """Hyperbolic tangent; Triton has none that its interpreter computes."""
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit
@no_type_check
def continues(reset, row, in_batch, HAS_RESET: tl.constexpr):
    """Whether an element goes on with an episode, and so has a state from before."""
    if HAS_RESET:
        return in_batch & (tl.load(reset + row, mask=in_batch, other=1) == 0)
    else:
        return in_batch


@triton.jit
@no_type_check
def forward_step(
    projected,  # [B, 4 H]
    weight,  # [4 H, H]
    hidden,  # [B, H], from before
    cell,  # [B, H], from before
    reset,  # [B]
    outputs,  # [B, H], written
    cells,  # [B, H], written
    gates,  # [B, 4 H], written
    batch,
    WIDTH: tl.constexpr,
    HAS_RESET: tl.constexpr,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gates, cell and hidden state of [ROWS, UNITS]."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    unit = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    kept = continues(reset, row, row < batch, HAS_RESET)
    inside = (row < batch)[:, None] & (unit < WIDTH)[None, :]
    at = row[:, None] * WIDTH + unit[None, :]
    at_gate = row[:, None] * 4 * WIDTH + unit[None, :]
    i = tl.load(projected + at_gate, mask=inside, other=0.0)
    f = tl.load(projected + at_gate + WIDTH, mask=inside, other=0.0)
    g = tl.load(projected + at_gate + 2 * WIDTH, mask=inside, other=0.0)
    o = tl.load(projected + at_gate + 3 * WIDTH, mask=inside, other=0.0)
    for start in range(0, WIDTH, CHUNK):
        k = start + tl.arange(0, CHUNK)
        left = kept[:, None] & (k < WIDTH)[None, :]
        before = tl.load(hidden + row[:, None] * WIDTH + k[None, :], mask=left, other=0.0)
        right = (k < WIDTH)[:, None] & (unit < WIDTH)[None, :]
        part = weight + unit[None, :] * WIDTH + k[:, None]
        i = tl.dot(before, tl.load(part, mask=right, other=0.0), i, input_precision=PRECISION)
        part += WIDTH * WIDTH
        f = tl.dot(before, tl.load(part, mask=right, other=0.0), f, input_precision=PRECISION)
        part += WIDTH * WIDTH
        g = tl.dot(before, tl.load(part, mask=right, other=0.0), g, input_precision=PRECISION)
        part += WIDTH * WIDTH
        o = tl.dot(before, tl.load(part, mask=right, other=0.0), o, input_precision=PRECISION)
    i = tl.sigmoid(i)
    f = tl.sigmoid(f)
    g = tanh(g)
    o = tl.sigmoid(o)
    now = f * tl.load(cell + at, mask=inside & kept[:, None], other=0.0) + i * g
    tl.store(cells + at, now, mask=inside)
    tl.store(outputs + at, o * tanh(now), mask=inside)
    tl.store(gates + at_gate, i, mask=inside)
    tl.store(gates + at_gate + WIDTH, f, mask=inside)
    tl.store(gates + at_gate + 2 * WIDTH, g, mask=inside)
    tl.store(gates + at_gate + 3 * WIDTH, o, mask=inside)


@triton.jit
@no_type_check
def backward_step(
    weight,  # [4 H, H]
    gates,  # [B, 4 H]
    cell,  # [B, H], from before
    cells,  # [B, H]
    reset,  # [B]
    d_outputs,  # [B, H]
    d_hidden,  # [B, H], of the last hidden state; read at the last step
    d_after,  # [B, 4 H], of the gates of the step after; read at the other steps
    reset_after,  # [B], of the step after
    d_cell,  # [B, H], of the cell of this step from the step after; replaced by that from before
    d_gates,  # [B, 4 H], of the gates before their nonlinearities, written
    batch,
    WIDTH: tl.constexpr,
    HAS_RESET: tl.constexpr,
    LAST: tl.constexpr,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradients of the gates and of the cell from before, of [ROWS, UNITS]."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    unit = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    kept = continues(reset, row, row < batch, HAS_RESET)
    inside = (row < batch)[:, None] & (unit < WIDTH)[None, :]
    at = row[:, None] * WIDTH + unit[None, :]
    at_gate = row[:, None] * 4 * WIDTH + unit[None, :]
    d_output = tl.load(d_outputs + at, mask=inside, other=0.0)
    if LAST:
        d_output += tl.load(d_hidden + at, mask=inside, other=0.0)
    else:
        kept_after = continues(reset_after, row, row < batch, HAS_RESET)
        for start in range(0, 4 * WIDTH, CHUNK):
            k = start + tl.arange(0, CHUNK)
            left = kept_after[:, None] & (k < 4 * WIDTH)[None, :]
            d_gate = tl.load(d_after + row[:, None] * 4 * WIDTH + k[None, :], mask=left, other=0.0)
            right = (k < 4 * WIDTH)[:, None] & (unit < WIDTH)[None, :]
            part = tl.load(weight + k[:, None] * WIDTH + unit[None, :], mask=right, other=0.0)
            d_output = tl.dot(d_gate, part, d_output, input_precision=PRECISION)
    i = tl.load(gates + at_gate, mask=inside, other=0.0)
    f = tl.load(gates + at_gate + WIDTH, mask=inside, other=0.0)
    g = tl.load(gates + at_gate + 2 * WIDTH, mask=inside, other=0.0)
    o = tl.load(gates + at_gate + 3 * WIDTH, mask=inside, other=0.0)
    squashed = tanh(tl.load(cells + at, mask=inside, other=0.0))
    before = tl.load(cell + at, mask=inside & kept[:, None], other=0.0)
    d_now = tl.load(d_cell + at, mask=inside, other=0.0)
    d_now += d_output * o * (1 - squashed * squashed)
    tl.store(d_gates + at_gate, d_now * g * i * (1 - i), mask=inside)
    tl.store(d_gates + at_gate + WIDTH, d_now * before * f * (1 - f), mask=inside)
    tl.store(d_gates + at_gate + 2 * WIDTH, d_now * i * (1 - g * g), mask=inside)
    tl.store(d_gates + at_gate + 3 * WIDTH, d_output * squashed * o * (1 - o), mask=inside)
    tl.store(d_cell + at, tl.where(kept[:, None], d_now * f, 0.0), mask=inside)
