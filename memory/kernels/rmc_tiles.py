"""What the kernels of the relational memory core are made of.

A program has some elements of the batch, and so ROWS rows of memory. What it writes for itself to
read again lies in buffers `[T, B, N, ...]`, of which it alone uses its rows; between writing and
reading there is a barrier.
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
def rows_of(program, batch, SLOTS: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr):
    """Place in [B N] of each row of a program, and whether there is such a row."""
    index = tl.arange(0, ROWS)
    element = program * (ROWS // PADDED) + index // PADDED
    slot = index % PADDED
    return element * SLOTS + slot, (element < batch) & (slot < SLOTS)


@triton.jit
@no_type_check
def product(
    x,
    row,
    valid,
    weight,
    column,
    INNER: tl.constexpr,
    COLUMNS: tl.constexpr,
    INNER_STEP: tl.constexpr,
    COLUMN_STEP: tl.constexpr,
    ROWS: tl.constexpr,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Rows of x [..., INNER] times some columns of a weight: [ROWS, TILE]."""
    total = tl.zeros((ROWS, TILE), tl.float32)
    for start in range(0, INNER, CHUNK):
        k = start + tl.arange(0, CHUNK)
        is_in = k < INNER
        left = x + row[:, None] * INNER + k[None, :]
        left = tl.load(left, mask=valid[:, None] & is_in[None, :], other=0.0)
        right = weight + k[:, None] * INNER_STEP + column[None, :] * COLUMN_STEP
        right = tl.load(right, mask=is_in[:, None] & (column < COLUMNS)[None, :], other=0.0)
        total = tl.dot(left, right, total, input_precision=PRECISION)
    return total


@triton.jit
@no_type_check
def normalise(x, row, valid, rates, SIZE: tl.constexpr, PADDED: tl.constexpr, EPS: tl.constexpr):
    """Normalise rows of x [..., SIZE] in place, store one over their deviations; returns them."""
    column = tl.arange(0, PADDED)
    inside = valid[:, None] & (column < SIZE)[None, :]
    at = x + row[:, None] * SIZE + column[None, :]
    values = tl.load(at, mask=inside, other=0.0)
    mean = tl.sum(values, 1) / SIZE
    centred = tl.where(inside, values - mean[:, None], 0.0)
    rate = 1 / tl.sqrt(tl.sum(centred * centred, 1) / SIZE + EPS)
    normal = centred * rate[:, None]
    tl.debug_barrier()  # all of it is read
    tl.store(at, normal, mask=inside)
    tl.store(rates + row, rate, mask=valid)
    return normal


@triton.jit
@no_type_check
def normalise_backward(d_normal, normal, rate, SIZE: tl.constexpr, PADDED: tl.constexpr):
    """Gradient of rows from that of their normalised values."""
    mean = tl.sum(d_normal, 1) / SIZE
    share = tl.sum(d_normal * normal, 1) / SIZE
    d_rows = (d_normal - mean[:, None] - normal * share[:, None]) * rate[:, None]
    return tl.where((tl.arange(0, PADDED) < SIZE)[None, :], d_rows, 0.0)
