"""A memory of rows outside of the network, and the heads by which a controller writes and reads it.

Source: Graves et al., "Hybrid computing using a neural network with dynamic external memory"
(2016), Methods, "Interface parameters" and "Reading and writing to memory". With the write weights
w, the erase vector e and the write vector v of each write head, and the read weights r of each read
head, over the rows of memory M:

    M' = M * prod(1 - w e^T) + sum(w v^T)        the words read are r^T M'

Differs from the paper, as the authors' program does:

* strengths are softplus(x); the paper's are 1 + softplus(x);
* there may be several write heads, and the modes of a read head then have one backward and one
  forward mode for each; the backward ones come first, then the forward ones, then the content.
"""

# pyright: standard

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from memory.cores.dnc.addressing import (
    allocation,
    content_weights,
    neighbours,
    new_link,
    new_precedence,
    new_usage,
    product,
)
from memory.layers.initialisation import linear
from memory.observed import Observed


@dataclass(frozen=True, kw_only=True)
class MemorySize:
    """Sizes of a memory and of its heads."""

    slots: int
    word: int
    reads: int
    writes: int

    @property
    def modes(self) -> int:
        """Ways for a read head to choose its row: backward, forward, by content."""
        return 2 * self.writes + 1


class MemoryState(NamedTuple):
    """What the memory holds, and what its heads did last."""

    memory: Float[Tensor, "B N W"]
    read_weights: Float[Tensor, "B R N"]
    write_weights: Float[Tensor, "B K N"]
    link: Float[Tensor, "B K N N"]
    precedence: Float[Tensor, "B K N"]
    usage: Float[Tensor, "B N"]


class WriteCommand(NamedTuple):
    """What the controller asks of the write heads."""

    keys: Float[Tensor, "B K W"]
    strengths: Float[Tensor, "B K"]
    vectors: Float[Tensor, "B K W"]
    erase: Float[Tensor, "B K W"]
    allocation_gates: Float[Tensor, "B K"]
    """How far a head writes where there is room, and not where its key fits."""
    write_gates: Float[Tensor, "B K"]


class ReadCommand(NamedTuple):
    """What the controller asks of the read heads."""

    keys: Float[Tensor, "B R W"]
    strengths: Float[Tensor, "B R"]
    modes: Float[Tensor, "B R M"]
    free_gates: Float[Tensor, "B R"]
    """How far the rows that a head read one step ago are free now."""


class Interface(nn.Module):
    """What a controller asks of the memory, all of it by one projection."""

    def __init__(self, inputs: int, size: MemorySize) -> None:
        super().__init__()
        self.size = size
        self.groups = {
            "keys": (size.reads + size.writes) * size.word,
            "vectors": size.writes * size.word,
            "strengths": size.reads + size.writes,
            "erase": size.writes * size.word,
            "gates": size.reads + 2 * size.writes,
            "modes": size.reads * size.modes,
        }
        """Widths of the parts of the projection, in order; in each the read heads come first, and
        the gates are the free gates, the allocation gates, the write gates."""
        self.project = linear(inputs, sum(self.groups.values()))
        self.free_gates, self.modes = Observed(read=()), Observed(read=(), mode=())
        self.allocation_gates, self.write_gates = Observed(write=()), Observed(write=())

    def forward(self, hidden: Float[Tensor, "B D"]) -> tuple[WriteCommand, ReadCommand]:
        """Commands to the write heads and to the read heads."""
        reads, writes = self.size.reads, self.size.writes
        parts = self.project(hidden).split(list(self.groups.values()), dim=-1)
        keys, vectors, strengths, erase, gates, modes = parts
        read_keys, write_keys = keys.unflatten(-1, (-1, self.size.word)).split([reads, writes], 1)
        read_strengths, write_strengths = functional.softplus(strengths).split([reads, writes], 1)
        free, allocate, write = torch.sigmoid(gates).split([reads, writes, writes], 1)
        vectors = vectors.unflatten(-1, (writes, -1))
        erase = torch.sigmoid(erase).unflatten(-1, (writes, -1))
        allocate, write = self.allocation_gates(allocate), self.write_gates(write)
        modes = self.modes(torch.softmax(modes.unflatten(-1, (reads, -1)), dim=-1))
        return (
            WriteCommand(write_keys, write_strengths, vectors, erase, allocate, write),
            ReadCommand(read_keys, read_strengths, modes, self.free_gates(free)),
        )


class WriteHeads(nn.Module):
    """Change the memory."""

    def __init__(self) -> None:
        super().__init__()
        self.allocation = Observed(write=(), word=())
        self.content = Observed(write=(), word=())

    def forward(
        self, memory: Float[Tensor, "B N W"], usage: Float[Tensor, "B N"], command: WriteCommand
    ) -> tuple[Float[Tensor, "B N W"], Float[Tensor, "B K N"]]:
        """Return the new memory, and the weights it was written with."""
        gate, write = command.allocation_gates, command.write_gates
        given = self.allocation(allocation(usage, gate * write))
        found = self.content(content_weights(memory, command.keys, command.strengths))
        gate, write = gate.unsqueeze(-1), write.unsqueeze(-1)
        weights = write * (gate * given + (1 - gate) * found)
        keeps = 1 - weights.unsqueeze(-1) * command.erase.unsqueeze(-2)  # [B, K, N, W]
        memory = memory * product(keeps.unbind(dim=1))
        return torch.baddbmm(memory, weights.mT, command.vectors), weights


class ReadHeads(nn.Module):
    """Read the memory."""

    def __init__(self) -> None:
        super().__init__()
        self.content = Observed(read=(), word=())

    def forward(
        self,
        memory: Float[Tensor, "B N W"],
        link: Float[Tensor, "B K N N"],
        read_weights: Float[Tensor, "B R N"],
        command: ReadCommand,
    ) -> tuple[Float[Tensor, "B R W"], Float[Tensor, "B R N"]]:
        """Return the words read, and the weights they are read with."""
        backward, forward = neighbours(link, read_weights)
        found = self.content(content_weights(memory, command.keys, command.strengths))
        ways = torch.cat([backward, forward, found.unsqueeze(1)], dim=1)  # [B, M, R, N]
        weights = (command.modes.mT.unsqueeze(-1) * ways).sum(dim=1)
        return weights @ memory, weights


class ExternalMemory(nn.Module):
    """Rows of memory with their write heads and read heads; it has no weights of its own."""

    def __init__(self, size: MemorySize) -> None:
        super().__init__()
        self.size = size
        self.write, self.read = WriteHeads(), ReadHeads()
        self.off_diagonal: Tensor
        self.register_buffer("off_diagonal", 1 - torch.eye(size.slots), persistent=False)

    def initial_state(self, batch: int) -> MemoryState:
        """Zeros."""
        size, zeros = self.size, self.off_diagonal.new_zeros
        return MemoryState(
            memory=zeros(batch, size.slots, size.word),
            read_weights=zeros(batch, size.reads, size.slots),
            write_weights=zeros(batch, size.writes, size.slots),
            link=zeros(batch, size.writes, size.slots, size.slots),
            precedence=zeros(batch, size.writes, size.slots),
            usage=zeros(batch, size.slots),
        )

    def forward(
        self, write: WriteCommand, read: ReadCommand, state: MemoryState
    ) -> tuple[Float[Tensor, "B R W"], MemoryState]:
        """Write, then read what is there now; returns the words and the new state."""
        usage = new_usage(state.usage, state.write_weights, state.read_weights, read.free_gates)
        memory, written = self.write(state.memory, usage, write)
        link = new_link(state.link, state.precedence, written, self.off_diagonal)
        words, read_weights = self.read(memory, link, state.read_weights, read)
        precedence = new_precedence(state.precedence, written)
        return words, MemoryState(memory, read_weights, written, link, precedence, usage)
