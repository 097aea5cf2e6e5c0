"""Where a memory of rows is read and written: by content, by what is free, in order of writing.

Source: Graves et al., "Hybrid computing using a neural network with dynamic external memory"
(2016), Methods: "Content-based addressing", "Dynamic memory allocation", "Temporal memory linkage".
All weights are over the N rows; there are R read heads and K write heads.

Differs from the paper, as the authors' program does:

* no gradient flows from the usage to the write weights that it is computed from;
* usage is lifted off zero by 1e-6 before rows are allocated, and 1e-6 guards the cosine;
* there may be several write heads: each in turn is given what the ones before it left free, and has
  temporal links of its own.
"""

from collections.abc import Iterable
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-6


def product(factors: Iterable[Tensor]) -> Tensor:
    """Product of tensors. Unlike that of `Tensor.prod`, its gradient need not look at the data."""
    return reduce(torch.mul, factors)


def content_weights(
    memory: Float[Tensor, "B N W"], keys: Float[Tensor, "B Q W"], strengths: Float[Tensor, "B Q"]
) -> Float[Tensor, "B Q N"]:
    """Softmax over the rows of the cosine of row and key, times the strength of the key."""
    norms = _norm(keys).unsqueeze(-1) * _norm(memory).unsqueeze(-2)
    cosine = keys @ memory.mT / (norms + EPSILON)
    return torch.softmax(cosine * strengths.unsqueeze(-1), dim=-1)


def _norm(rows: Float[Tensor, "B Q W"]) -> Float[Tensor, "B Q"]:
    return (rows.square().sum(dim=-1) + EPSILON).sqrt()


def new_usage(
    usage: Float[Tensor, "B N"],
    write_weights: Float[Tensor, "B K N"],
    read_weights: Float[Tensor, "B R N"],
    free_gates: Float[Tensor, "B R"],
) -> Float[Tensor, "B N"]:
    """How far each row is in use: more once written, less once read and freed.

    The weights are those of one step ago.
    """
    untouched = product((1 - write_weights.detach()).unbind(dim=1))
    usage = usage + (1 - usage) * (1 - untouched)
    return usage * product((1 - free_gates.unsqueeze(-1) * read_weights).unbind(dim=1))


def allocation(usage: Float[Tensor, "B N"], gates: Float[Tensor, "B K"]) -> Float[Tensor, "B K N"]:
    """Weights of the rows that each write head is given, the free ones first.

    `gates` says how much of what it is given a head will use: what the next one finds is less.
    """
    given = [_free_rows(usage)]
    for gate in gates.unbind(dim=1)[:-1]:
        usage = usage + (1 - usage) * gate.unsqueeze(-1) * given[-1]
        given.append(_free_rows(usage))
    return torch.stack(given, dim=1)


def _free_rows(usage: Float[Tensor, "B N"]) -> Float[Tensor, "B N"]:
    """How free a row is, times the usage of every row that is freer than it."""
    free = 1 - (EPSILON + (1 - EPSILON) * usage)
    # Ordered by how free, not by usage, whose finer steps near 0 would tell equally free rows
    # apart: of those, the first goes first.
    order = free.argsort(dim=-1, descending=True, stable=True)
    free = free.gather(-1, order)
    # A sum of logarithms: on a GPU the gradient of `cumprod` would make the host wait.
    logs = (1 - free).log()
    usage_before = (logs.cumsum(dim=-1) - logs).exp()
    return torch.zeros_like(usage).scatter(-1, order, free * usage_before)


def new_link(
    link: Float[Tensor, "B K N N"],
    precedence: Float[Tensor, "B K N"],
    write_weights: Float[Tensor, "B K N"],
    off_diagonal: Float[Tensor, "N N"],
) -> Float[Tensor, "B K N N"]:
    """How far row i was written right after row j, as [i, j]; `precedence` is of one step ago."""
    to, after = write_weights.unsqueeze(-1), write_weights.unsqueeze(-2)
    return ((1 - to - after) * link + to * precedence.unsqueeze(-2)) * off_diagonal


def new_precedence(
    precedence: Float[Tensor, "B K N"], write_weights: Float[Tensor, "B K N"]
) -> Float[Tensor, "B K N"]:
    """How far each row is the one written last."""
    return (1 - write_weights.sum(dim=-1, keepdim=True)) * precedence + write_weights


def neighbours(
    link: Float[Tensor, "B K N N"], read_weights: Float[Tensor, "B R N"]
) -> tuple[Float[Tensor, "B K R N"], Float[Tensor, "B K R N"]]:
    """Weights of the rows written right before those that were read, and right after them."""
    read = read_weights.unsqueeze(1)
    return read @ link, read @ link.mT
