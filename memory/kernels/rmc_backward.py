"""All steps of the relational memory core, backward, in one kernel.

The gradients of what each linear layer gives are written for all steps; those of the weights
follow from them outside.
"""

from typing import no_type_check

import triton
import triton.language as tl

from memory.kernels.rmc_attention import attend_backward
from memory.kernels.rmc_tiles import normalise_backward, product, rows_of, tanh


@triton.jit
@no_type_check
def perceive_backward(
    d_linear,  # [L, T, B, N, D], of what each layer gives; the last is there, the others written
    hidden,  # [L, T, B, N, D]
    d_reads,  # [B, N, D], of what the perceptron takes, written
    size,
    row,
    place,
    valid,
    weight,
    WIDTH: tl.constexpr,
    LAYERS: tl.constexpr,
    ROWS: tl.constexpr,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradient of the perceptron and of the sum around it."""
    for layer in tl.static_range(LAYERS - 1, -1, -1):
        for first in range(0, WIDTH, TILE):
            column = first + tl.arange(0, TILE)
            inside = valid[:, None] & (column < WIDTH)[None, :]
            at = row[:, None] * WIDTH + column[None, :]
            d_x = product(
                *(d_linear + layer * size, row, valid, weight + layer * WIDTH * WIDTH, column),
                *(WIDTH, WIDTH, WIDTH, 1, ROWS, TILE, CHUNK, PRECISION),
            )
            if layer > 0:
                x = tl.load(hidden + layer * size + at, mask=inside, other=0.0)
                tl.store(d_linear + (layer - 1) * size + at, tl.where(x > 0, d_x, 0.0), mask=inside)
            else:
                d_x += tl.load(d_linear + (LAYERS - 1) * size + at, mask=inside, other=0.0)
                at = place[:, None] * WIDTH + column[None, :]
                tl.store(d_reads + at, d_x, mask=inside)
        tl.debug_barrier()


@triton.jit
@no_type_check
def remember_backward(
    d_projections,
    d_gates,
    squashed,
    d_memory,  # [B, N, D], written
    row,
    place,
    valid,
    qkv_weight,
    gate_weight,
    WIDTH: tl.constexpr,
    PROJECTION: tl.constexpr,
    GATES: tl.constexpr,
    ROWS: tl.constexpr,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradient of the memory before a step from its projections and from the gates."""
    for first in range(0, WIDTH, TILE):
        column = first + tl.arange(0, TILE)
        inside = valid[:, None] & (column < WIDTH)[None, :]
        d_x = product(
            *(d_projections, row, valid, qkv_weight, column),
            *(PROJECTION, WIDTH, WIDTH, 1, ROWS, TILE, CHUNK, PRECISION),
        )
        if GATES > 0:
            d_squashed = product(
                *(d_gates, row, valid, gate_weight, column),
                *(GATES, WIDTH, WIDTH, 1, ROWS, TILE, CHUNK, PRECISION),
            )
            x = tl.load(squashed + row[:, None] * WIDTH + column[None, :], mask=inside, other=0.0)
            d_x += d_squashed * (1 - x * x)
        tl.store(d_memory + place[:, None] * WIDTH + column[None, :], d_x, mask=inside)


@triton.jit
@no_type_check
def backward(
    reset,  # [T, B]
    projected,  # [T, B, n, P]
    qkv_weight,  # [P, D]
    qkv_scale,  # [P]
    qkv_shift,
    read_scale,  # [D]
    mlp_weight,  # [L, D, D]
    mlp_scale,  # [D]
    mlp_shift,
    gate_weight,  # [G, D]
    memories,  # [T, B, N, D] from here on, as `forward` wrote them
    squashed,
    projections,
    projection_rates,
    reads,
    read_rates,
    hidden,
    candidates,
    candidate_rates,
    gates,
    d_outputs,  # [T, B, N, D]
    d_memory,  # [B, N, D], of the state in the end, written
    d_reads,  # [B, N, D], written
    d_read,  # [B, N, D], written
    d_projections,  # [T, B, N, P], before their norm, written
    d_projected,  # [T, B, n, P], written except for queries
    d_linear,  # [L, T, B, N, D], written
    d_gates,  # [T, B, N, G], before their sigmoid, written
    d_qkv_scale,  # [programs, P] and [programs, D], a part of the sum each, written
    d_qkv_shift,
    d_read_scale,
    d_read_shift,
    d_mlp_scale,
    d_mlp_shift,
    steps,
    batch,
    scale,
    SLOTS: tl.constexpr,
    INPUTS: tl.constexpr,
    HEADS: tl.constexpr,
    KEY: tl.constexpr,
    VALUE: tl.constexpr,
    LAYERS: tl.constexpr,
    GATES: tl.constexpr,
    HAS_RESET: tl.constexpr,
    ELEMENTS: tl.constexpr,
    SLOTS_PADDED: tl.constexpr,
    AT_ONCE: tl.constexpr,
    KEY_PADDED: tl.constexpr,
    VALUE_PADDED: tl.constexpr,
    WIDTH_PADDED: tl.constexpr,
    PROJECTION_PADDED: tl.constexpr,
    QUERIES: tl.constexpr,
    KNOWN: tl.constexpr,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradients of all steps of ELEMENTS elements of the batch."""
    WIDTH: tl.constexpr = HEADS * VALUE
    PROJECTION: tl.constexpr = HEADS * (2 * KEY + VALUE)
    ROWS: tl.constexpr = ELEMENTS * SLOTS_PADDED
    program = tl.program_id(0)
    place, valid = rows_of(program, batch, SLOTS, SLOTS_PADDED, ROWS)
    column = tl.arange(0, WIDTH_PADDED)
    inside = valid[:, None] & (column < WIDTH)[None, :]
    wide = tl.arange(0, PROJECTION_PADDED)
    inside_wide = valid[:, None] & (wide < PROJECTION)[None, :]
    read_scales = tl.load(read_scale + column, mask=column < WIDTH, other=0.0)
    mlp_scales = tl.load(mlp_scale + column, mask=column < WIDTH, other=0.0)
    mlp_shifts = tl.load(mlp_shift + column, mask=column < WIDTH, other=0.0)
    qkv_scales = tl.load(qkv_scale + wide, mask=wide < PROJECTION, other=0.0)
    sum_qkv_scale = tl.zeros((PROJECTION_PADDED,), tl.float32)
    sum_qkv_shift = tl.zeros((PROJECTION_PADDED,), tl.float32)
    sum_read_scale = tl.zeros((WIDTH_PADDED,), tl.float32)
    sum_read_shift = tl.zeros((WIDTH_PADDED,), tl.float32)
    sum_mlp_scale = tl.zeros((WIDTH_PADDED,), tl.float32)
    sum_mlp_shift = tl.zeros((WIDTH_PADDED,), tl.float32)
    size = tl.cast(steps, tl.int64) * batch * (SLOTS * WIDTH)
    carried = tl.zeros((ROWS, WIDTH_PADDED), tl.float32)
    for back in range(steps):
        t = steps - 1 - back
        row = (t * batch * SLOTS + place).to(tl.int64)
        at = row[:, None] * WIDTH + column[None, :]
        d_now = carried + tl.load(d_outputs + at, mask=inside, other=0.0)
        normal = tl.load(candidates + at, mask=inside, other=0.0)
        if GATES > 0:
            unit = column[None, :] if GATES > 2 else 0 * column[None, :]
            at_gate = row[:, None] * GATES + unit
            input_gate = tl.load(gates + at_gate, mask=inside, other=0.0)
            forget_gate = tl.load(gates + at_gate + GATES // 2, mask=inside, other=0.0)
            candidate = tanh(normal * mlp_scales[None, :] + mlp_shifts[None, :])
            memory = tl.load(memories + at, mask=inside, other=0.0)
            d_input = d_now * candidate * input_gate * (1 - input_gate)
            d_forget = d_now * memory * forget_gate * (1 - forget_gate)
            if GATES > 2:
                tl.store(d_gates + at_gate, d_input, mask=inside)
                tl.store(d_gates + at_gate + GATES // 2, d_forget, mask=inside)
            else:
                tl.store(d_gates + row * 2, tl.sum(d_input, 1), mask=valid)
                tl.store(d_gates + row * 2 + 1, tl.sum(d_forget, 1), mask=valid)
            d_candidate = d_now * input_gate * (1 - candidate * candidate)
            carried = d_now * forget_gate
        else:
            d_candidate = d_now
            carried = tl.zeros((ROWS, WIDTH_PADDED), tl.float32)
        sum_mlp_scale += tl.sum(d_candidate * normal, 0)
        sum_mlp_shift += tl.sum(d_candidate, 0)
        rate = tl.load(candidate_rates + row, mask=valid, other=0.0)
        d_row = normalise_backward(
            d_candidate * mlp_scales[None, :], normal, rate, WIDTH, WIDTH_PADDED
        )
        tl.store(d_linear + (LAYERS - 1) * size + at, d_row, mask=inside)
        tl.debug_barrier()
        perceive_backward(
            *(d_linear, hidden, d_reads, size, row, place, valid, mlp_weight),
            *(WIDTH, LAYERS, ROWS, TILE, CHUNK, PRECISION),
        )
        at_place = place[:, None] * WIDTH + column[None, :]
        d_row = tl.load(d_reads + at_place, mask=inside, other=0.0)
        normal = tl.load(reads + at, mask=inside, other=0.0)
        sum_read_scale += tl.sum(d_row * normal, 0)
        sum_read_shift += tl.sum(d_row, 0)
        rate = tl.load(read_rates + row, mask=valid, other=0.0)
        d_row = normalise_backward(d_row * read_scales[None, :], normal, rate, WIDTH, WIDTH_PADDED)
        carried += d_row
        tl.store(d_read + at_place, d_row, mask=inside)
        tl.debug_barrier()
        for first in tl.range(0, HEADS, AT_ONCE, num_stages=1):  # memory for more is lacking
            attend_backward(
                *(d_read, projections, qkv_scale, qkv_shift, projected, d_projections, d_projected),
                *(tl.cast(t, tl.int64) * batch, scale, program, batch, first),
                *(SLOTS, INPUTS, HEADS, KEY, VALUE, ELEMENTS, AT_ONCE, KEY_PADDED),
                *(VALUE_PADDED, QUERIES, KNOWN, PRECISION),
            )
        tl.debug_barrier()
        at_wide = row[:, None] * PROJECTION + wide[None, :]
        d_wide = tl.load(d_projections + at_wide, mask=inside_wide, other=0.0)
        normal = tl.load(projections + at_wide, mask=inside_wide, other=0.0)
        sum_qkv_scale += tl.sum(d_wide * normal, 0)
        sum_qkv_shift += tl.sum(d_wide, 0)
        rate = tl.load(projection_rates + row, mask=valid, other=0.0)
        d_wide = normalise_backward(
            d_wide * qkv_scales[None, :], normal, rate, PROJECTION, PROJECTION_PADDED
        )
        tl.debug_barrier()
        tl.store(d_projections + at_wide, d_wide, mask=inside_wide)
        tl.debug_barrier()
        remember_backward(
            *(d_projections, d_gates, squashed, d_memory, row, place, valid),
            *(qkv_weight, gate_weight, WIDTH, PROJECTION, GATES, ROWS, TILE, CHUNK, PRECISION),
        )
        tl.debug_barrier()
        carried += tl.load(d_memory + at_place, mask=inside, other=0.0)
        if HAS_RESET:
            begins = tl.load(reset + row // SLOTS, mask=valid, other=0) != 0
            carried = tl.where(begins[:, None], 0.0, carried)
    tl.debug_barrier()
    tl.store(d_memory + place[:, None] * WIDTH + column[None, :], carried, mask=inside)
    own = program * WIDTH + column
    tl.store(d_read_scale + own, sum_read_scale, mask=column < WIDTH)
    tl.store(d_read_shift + own, sum_read_shift, mask=column < WIDTH)
    tl.store(d_mlp_scale + own, sum_mlp_scale, mask=column < WIDTH)
    tl.store(d_mlp_shift + own, sum_mlp_shift, mask=column < WIDTH)
    own = program * PROJECTION + wide
    tl.store(d_qkv_scale + own, sum_qkv_scale, mask=wide < PROJECTION)
    tl.store(d_qkv_shift + own, sum_qkv_shift, mask=wide < PROJECTION)
