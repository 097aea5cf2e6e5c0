"""Attention of the relational memory core, forward and backward.

A group is one head of one element of the batch. Rows of memory and rows of the input after them are
known; rows of memory ask. Tiles are [G, rows, columns], filled up with zeros.
"""

from typing import no_type_check

import triton
import triton.language as tl


@triton.jit
@no_type_check
def groups_of(
    program,
    batch,
    first,
    ELEMENTS: tl.constexpr,
    HEADS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """Element and head of each group, from a head on, and whether there is such a group."""
    group = tl.arange(0, ELEMENTS * AT_ONCE)
    element = program * ELEMENTS + group // AT_ONCE
    head = first + group % AT_ONCE
    return element, head, (element < batch) & (head < HEADS)


@triton.jit
@no_type_check
def head_part(
    head,
    exists,
    index,
    count,
    FIRST: tl.constexpr,
    SIZE: tl.constexpr,
    STRIDE: tl.constexpr,
    PADDED: tl.constexpr,
):
    """Columns of a part of each head, [G, 1, PADDED], and which of [G, rows, PADDED] exist."""
    column = tl.arange(0, PADDED)
    at = (head * STRIDE + FIRST)[:, None, None] + column[None, None, :]
    rows = exists[:, None, None] & (index < count)[None, :, None]
    return at, rows & (column < SIZE)[None, None, :]


@triton.jit
@no_type_check
def load_part(
    projections,  # [T, B, N, P], normalised
    norm_scale,  # [P]
    norm_shift,  # [P]
    step,  # t B + element, [G]
    head,
    exists,
    index,
    FIRST: tl.constexpr,
    SIZE: tl.constexpr,
    PADDED: tl.constexpr,
    SLOTS: tl.constexpr,
    STRIDE: tl.constexpr,
    HEADS: tl.constexpr,
):
    """Queries, keys or values of rows of memory: [G, rows, PADDED]."""
    at, inside = head_part(head, exists, index, SLOTS, FIRST, SIZE, STRIDE, PADDED)
    row = (step * SLOTS)[:, None, None] + index[None, :, None]
    normal = tl.load(projections + row * (HEADS * STRIDE) + at, mask=inside, other=0.0)
    scale = tl.load(norm_scale + at, mask=inside, other=0.0)
    return normal * scale + tl.load(norm_shift + at, mask=inside, other=0.0)


@triton.jit
@no_type_check
def load_known(
    projections,
    norm_scale,
    norm_shift,
    projected,  # [T, B, n, P]
    step,
    head,
    exists,
    index,
    FIRST: tl.constexpr,
    SIZE: tl.constexpr,
    PADDED: tl.constexpr,
    SLOTS: tl.constexpr,
    INPUTS: tl.constexpr,
    STRIDE: tl.constexpr,
    HEADS: tl.constexpr,
):
    """Keys or values of rows of memory, and of rows of the input after them."""
    of_memory = load_part(
        *(projections, norm_scale, norm_shift, step, head, exists, index),
        *(FIRST, SIZE, PADDED, SLOTS, STRIDE, HEADS),
    )
    other = index - SLOTS
    at, inside = head_part(head, exists, other, INPUTS, FIRST, SIZE, STRIDE, PADDED)
    inside = inside & (other >= 0)[None, :, None]
    row = (step * INPUTS)[:, None, None] + other[None, :, None]
    of_input = tl.load(projected + row * (HEADS * STRIDE) + at, mask=inside, other=0.0)
    return of_memory + of_input


@triton.jit
@no_type_check
def attention(queries, keys, index, scale, KNOWN: tl.constexpr, PRECISION: tl.constexpr):
    """Weight of each of the KNOWN rows for each query: [G, queries, rows]."""
    scores = tl.dot(queries, tl.permute(keys, (0, 2, 1)), input_precision=PRECISION) * scale
    scores = tl.where((index < KNOWN)[None, None, :], scores, -float("inf"))
    weights = tl.exp(scores - tl.max(scores, 2)[:, :, None])
    return weights / tl.sum(weights, 2)[:, :, None]


@triton.jit
@no_type_check
def attend(
    memories,
    projections,
    norm_scale,
    norm_shift,
    projected,
    reads,
    before,  # elements of all steps before
    scale,
    program,
    batch,
    first,  # head
    SLOTS: tl.constexpr,
    INPUTS: tl.constexpr,
    HEADS: tl.constexpr,
    KEY: tl.constexpr,
    VALUE: tl.constexpr,
    ELEMENTS: tl.constexpr,
    AT_ONCE: tl.constexpr,
    KEY_PADDED: tl.constexpr,
    VALUE_PADDED: tl.constexpr,
    QUERIES: tl.constexpr,
    KNOWN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Memory and what each row of it reads by AT_ONCE heads, added."""
    STRIDE: tl.constexpr = 2 * KEY + VALUE
    element, head, exists = groups_of(program, batch, first, ELEMENTS, HEADS, AT_ONCE)
    step = before + element
    asking = tl.arange(0, QUERIES)
    known = tl.arange(0, KNOWN)
    queries = load_part(
        *(projections, norm_scale, norm_shift, step, head, exists, asking),
        *(0, KEY, KEY_PADDED, SLOTS, STRIDE, HEADS),
    )
    keys = load_known(
        *(projections, norm_scale, norm_shift, projected, step, head, exists, known),
        *(KEY, KEY, KEY_PADDED, SLOTS, INPUTS, STRIDE, HEADS),
    )
    values = load_known(
        *(projections, norm_scale, norm_shift, projected, step, head, exists, known),
        *(2 * KEY, VALUE, VALUE_PADDED, SLOTS, INPUTS, STRIDE, HEADS),
    )
    weights = attention(queries, keys, known, scale, SLOTS + INPUTS, PRECISION)
    read = tl.dot(weights, values, input_precision=PRECISION)
    column = tl.arange(0, VALUE_PADDED)
    inside = exists[:, None, None] & (asking < SLOTS)[None, :, None]
    inside = inside & (column < VALUE)[None, None, :]
    at = ((step * SLOTS)[:, None, None] + asking[None, :, None]) * (HEADS * VALUE)
    at += (head * VALUE)[:, None, None] + column[None, None, :]
    tl.store(reads + at, read + tl.load(memories + at, mask=inside, other=0.0), mask=inside)


@triton.jit
@no_type_check
def store_part(
    d_known,  # [G, rows, PADDED]
    d_projections,  # [T, B, count, P], written
    step,
    head,
    exists,
    index,
    count: tl.constexpr,
    FIRST: tl.constexpr,
    SIZE: tl.constexpr,
    PADDED: tl.constexpr,
    STRIDE: tl.constexpr,
    HEADS: tl.constexpr,
):
    """Gradients of queries, keys or values of some rows."""
    at, inside = head_part(head, exists, index, count, FIRST, SIZE, STRIDE, PADDED)
    inside = inside & (index >= 0)[None, :, None]
    row = (step * count)[:, None, None] + index[None, :, None]
    tl.store(d_projections + row * (HEADS * STRIDE) + at, d_known, mask=inside)


@triton.jit
@no_type_check
def attend_backward(
    d_read,  # [B, N, D]
    projections,
    norm_scale,
    norm_shift,
    projected,
    d_projections,  # [T, B, N, P], written
    d_projected,  # [T, B, n, P], written except for queries
    before,  # elements of all steps before
    scale,
    program,
    batch,
    first,  # head
    SLOTS: tl.constexpr,
    INPUTS: tl.constexpr,
    HEADS: tl.constexpr,
    KEY: tl.constexpr,
    VALUE: tl.constexpr,
    ELEMENTS: tl.constexpr,
    AT_ONCE: tl.constexpr,
    KEY_PADDED: tl.constexpr,
    VALUE_PADDED: tl.constexpr,
    QUERIES: tl.constexpr,
    KNOWN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradients of queries, keys and values of AT_ONCE heads, of the memory and of the input."""
    STRIDE: tl.constexpr = 2 * KEY + VALUE
    element, head, exists = groups_of(program, batch, first, ELEMENTS, HEADS, AT_ONCE)
    step = before + element
    asking = tl.arange(0, QUERIES)
    known = tl.arange(0, KNOWN)
    queries = load_part(
        *(projections, norm_scale, norm_shift, step, head, exists, asking),
        *(0, KEY, KEY_PADDED, SLOTS, STRIDE, HEADS),
    )
    keys = load_known(
        *(projections, norm_scale, norm_shift, projected, step, head, exists, known),
        *(KEY, KEY, KEY_PADDED, SLOTS, INPUTS, STRIDE, HEADS),
    )
    values = load_known(
        *(projections, norm_scale, norm_shift, projected, step, head, exists, known),
        *(2 * KEY, VALUE, VALUE_PADDED, SLOTS, INPUTS, STRIDE, HEADS),
    )
    weights = attention(queries, keys, known, scale, SLOTS + INPUTS, PRECISION)
    column, inside = head_part(head, exists, asking, SLOTS, 0, VALUE, VALUE, VALUE_PADDED)
    row = (element * SLOTS)[:, None, None] + asking[None, :, None]
    d_out = tl.load(d_read + row * (HEADS * VALUE) + column, mask=inside, other=0.0)
    d_values = tl.dot(tl.permute(weights, (0, 2, 1)), d_out, input_precision=PRECISION)
    d_weights = tl.dot(d_out, tl.permute(values, (0, 2, 1)), input_precision=PRECISION)
    d_scores = weights * (d_weights - tl.sum(weights * d_weights, 2)[:, :, None]) * scale
    d_queries = tl.dot(d_scores, keys, input_precision=PRECISION)
    d_keys = tl.dot(tl.permute(d_scores, (0, 2, 1)), queries, input_precision=PRECISION)
    store_part(
        *(d_queries, d_projections, step, head, exists, asking, SLOTS),
        *(0, KEY, KEY_PADDED, STRIDE, HEADS),
    )
    store_part(
        *(d_keys, d_projections, step, head, exists, known, SLOTS),
        *(KEY, KEY, KEY_PADDED, STRIDE, HEADS),
    )
    store_part(
        *(d_keys, d_projected, step, head, exists, known - SLOTS, INPUTS),
        *(KEY, KEY, KEY_PADDED, STRIDE, HEADS),
    )
    store_part(
        *(d_values, d_projections, step, head, exists, known, SLOTS),
        *(2 * KEY, VALUE, VALUE_PADDED, STRIDE, HEADS),
    )
    store_part(
        *(d_values, d_projected, step, head, exists, known - SLOTS, INPUTS),
        *(2 * KEY, VALUE, VALUE_PADDED, STRIDE, HEADS),
    )
