"""All steps of the relational memory core, forward, in one kernel."""

from typing import no_type_check

import triton
import triton.language as tl

from memory.kernels.rmc_attention import attend
from memory.kernels.rmc_tiles import normalise, product, rows_of, tanh


@triton.jit
@no_type_check
def project(
    memories,
    row,
    valid,
    weight,
    bias,
    projections,
    WIDTH: tl.constexpr,
    COLUMNS: tl.constexpr,
    ROWS: tl.constexpr,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Queries, keys and values of all heads, before their norm."""
    for first in range(0, COLUMNS, TILE):
        column = first + tl.arange(0, TILE)
        inside = valid[:, None] & (column < COLUMNS)[None, :]
        x = product(
            *(memories, row, valid, weight, column),
            *(WIDTH, COLUMNS, 1, WIDTH, ROWS, TILE, CHUNK, PRECISION),
        )
        x += tl.load(bias + column, mask=column < COLUMNS, other=0.0)[None, :]
        tl.store(projections + row[:, None] * COLUMNS + column[None, :], x, mask=inside)


@triton.jit
@no_type_check
def gate(
    squashed,
    row,
    element,
    valid,
    weight,
    bias,
    from_input,
    gates,
    input_bias,
    forget_bias,
    WIDTH: tl.constexpr,
    GATES: tl.constexpr,
    ROWS: tl.constexpr,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Input gates, then forget gates."""
    for first in range(0, GATES, TILE):
        column = first + tl.arange(0, TILE)
        inside = valid[:, None] & (column < GATES)[None, :]
        x = product(
            *(squashed, row, valid, weight, column),
            *(WIDTH, GATES, 1, WIDTH, ROWS, TILE, CHUNK, PRECISION),
        )
        x += tl.load(bias + column, mask=column < GATES, other=0.0)[None, :]
        x += tl.load(
            from_input + element[:, None] * GATES + column[None, :], mask=inside, other=0.0
        )
        x = tl.sigmoid(x + tl.where(column < GATES // 2, input_bias, forget_bias)[None, :])
        tl.store(gates + row[:, None] * GATES + column[None, :], x, mask=inside)


@triton.jit
@no_type_check
def perceive(
    hidden,  # [L, T, B, N, D]: what each layer takes
    size,  # numbers of [T, B, N, D]
    row,
    valid,
    weight,
    bias,
    candidates,
    WIDTH: tl.constexpr,
    LAYERS: tl.constexpr,
    ROWS: tl.constexpr,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """What the perceptron takes and what it makes of it, added."""
    for layer in tl.static_range(LAYERS):
        for first in range(0, WIDTH, TILE):
            column = first + tl.arange(0, TILE)
            inside = valid[:, None] & (column < WIDTH)[None, :]
            at = row[:, None] * WIDTH + column[None, :]
            x = product(
                *(hidden + layer * size, row, valid, weight + layer * WIDTH * WIDTH, column),
                *(WIDTH, WIDTH, 1, WIDTH, ROWS, TILE, CHUNK, PRECISION),
            )
            x += tl.load(bias + layer * WIDTH + column, mask=column < WIDTH, other=0.0)[None, :]
            if layer < LAYERS - 1:
                x = tl.where(x < 0, 0.0, x)
                tl.store(hidden + (layer + 1) * size + at, x, mask=inside)
            else:
                x += tl.load(hidden + at, mask=inside, other=0.0)
                tl.store(candidates + at, x, mask=inside)
        tl.debug_barrier()


@triton.jit
@no_type_check
def forward(
    state,  # [B, N, D]
    fresh,  # [N, D]
    reset,  # [T, B]
    projected,  # [T, B, n, P], normalised
    from_input,  # [T, B, G]
    qkv_weight,  # [P, D]
    qkv_bias,  # [P]
    qkv_scale,  # [P], of its norm
    qkv_shift,
    read_scale,  # [D], of the norm after attention
    read_shift,
    mlp_weight,  # [L, D, D]
    mlp_bias,  # [L, D]
    mlp_scale,  # [D], of the norm after the perceptron
    mlp_shift,
    gate_weight,  # [G, D]
    gate_bias,  # [G]
    memories,  # [T, B, N, D] from here on: before each step, written
    squashed,  # tanh of it
    projections,  # [T, B, N, P], normalised
    projection_rates,  # [T, B, N]
    reads,  # after attention, normalised
    read_rates,
    hidden,  # [L, T, B, N, D]
    candidates,  # after the perceptron, normalised
    candidate_rates,
    gates,  # [T, B, N, G]
    outputs,  # [T, B, N, D], after each step
    steps,
    batch,
    scale,
    input_bias,
    forget_bias,
    EPS: tl.constexpr,
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
    GATE_TILE: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Memories of all steps of ELEMENTS elements of the batch."""
    WIDTH: tl.constexpr = HEADS * VALUE
    PROJECTION: tl.constexpr = HEADS * (2 * KEY + VALUE)
    ROWS: tl.constexpr = ELEMENTS * SLOTS_PADDED
    program = tl.program_id(0)
    place, valid = rows_of(program, batch, SLOTS, SLOTS_PADDED, ROWS)
    column = tl.arange(0, WIDTH_PADDED)
    inside = valid[:, None] & (column < WIDTH)[None, :]
    at_column = tl.where(column < WIDTH, column, 0)
    memory = tl.load(state + place[:, None] * WIDTH + column[None, :], mask=inside, other=0.0)
    read_scales = tl.load(read_scale + at_column)[None, :]
    read_shifts = tl.load(read_shift + at_column)[None, :]
    mlp_scales = tl.load(mlp_scale + at_column)[None, :]
    mlp_shifts = tl.load(mlp_shift + at_column)[None, :]
    size = tl.cast(steps, tl.int64) * batch * (SLOTS * WIDTH)
    for t in range(steps):
        row = (t * batch * SLOTS + place).to(tl.int64)
        at = row[:, None] * WIDTH + column[None, :]
        if HAS_RESET:
            begins = tl.load(reset + row // SLOTS, mask=valid, other=0) != 0
            blank = fresh + (place % SLOTS)[:, None] * WIDTH + column[None, :]
            blank = tl.load(blank, mask=inside & begins[:, None], other=0.0)
            memory = tl.where(begins[:, None], blank, memory)
        tl.store(memories + at, memory, mask=inside)
        if GATES > 0:
            tl.store(squashed + at, tanh(memory), mask=inside)
        tl.debug_barrier()
        project(
            *(memories, row, valid, qkv_weight, qkv_bias, projections),
            *(WIDTH, PROJECTION, ROWS, TILE, CHUNK, PRECISION),
        )
        if GATES > 0:
            gate(
                *(squashed, row, row // SLOTS, valid, gate_weight, gate_bias, from_input, gates),
                *(input_bias, forget_bias, WIDTH, GATES, ROWS, GATE_TILE, CHUNK, PRECISION),
            )
        tl.debug_barrier()
        normalise(
            *(projections, row, valid, projection_rates),
            *(PROJECTION, PROJECTION_PADDED, EPS),
        )
        tl.debug_barrier()
        for first in tl.range(0, HEADS, AT_ONCE, num_stages=1):  # memory for more is lacking
            attend(
                *(memories, projections, qkv_scale, qkv_shift, projected, reads),
                *(tl.cast(t, tl.int64) * batch, scale, program, batch, first),
                *(SLOTS, INPUTS, HEADS, KEY, VALUE, ELEMENTS, AT_ONCE, KEY_PADDED),
                *(VALUE_PADDED, QUERIES, KNOWN, PRECISION),
            )
        tl.debug_barrier()
        read = normalise(reads, row, valid, read_rates, WIDTH, WIDTH_PADDED, EPS)
        tl.store(hidden + at, read * read_scales + read_shifts, mask=inside)
        tl.debug_barrier()
        perceive(
            *(hidden, size, row, valid, mlp_weight, mlp_bias, candidates),
            *(WIDTH, LAYERS, ROWS, TILE, CHUNK, PRECISION),
        )
        candidate = normalise(candidates, row, valid, candidate_rates, WIDTH, WIDTH_PADDED, EPS)
        candidate = candidate * mlp_scales + mlp_shifts
        if GATES > 0:
            # One gate per row has one column, which all units of the row read.
            unit = column[None, :] if GATES > 2 else 0 * column[None, :]
            at_gate = gates + row[:, None] * GATES + unit
            input_gate = tl.load(at_gate, mask=inside, other=0.0)
            forget_gate = tl.load(at_gate + GATES // 2, mask=inside, other=0.0)
            memory = input_gate * tanh(candidate) + forget_gate * memory
        else:
            memory = tl.where(inside, candidate, 0.0)
        tl.store(outputs + at, memory, mask=inside)
