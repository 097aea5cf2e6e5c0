"""Batches on their way to a GPU while it learns from the one before."""

from collections import deque

import torch

from agents.impala.trajectory import Trajectory, map_trajectory
from memory.core import state_leaves

AHEAD = 2
"""Batches that may be there or under way, the one that is learnt from among them."""


class Staging:
    """Copies batches to a GPU through pinned memory, beside what it computes.

    Pinned and device memory are those of PyTorch's allocators, which use the blocks of earlier
    batches again: none is allocated anew once the first batches are through.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self._stream = torch.cuda.Stream(device)
        self._handed_over: deque[torch.Event] = deque()

    def __call__(self, batch: Trajectory) -> Trajectory:
        """The batch on the GPU, for the current stream; waits only where it is `AHEAD` already."""
        here = torch.cuda.current_stream(self.device)
        self._handed_over.append(here.record_event())
        if len(self._handed_over) > AHEAD:
            self._handed_over.popleft().synchronize()
        with torch.cuda.stream(self._stream):
            staged = map_trajectory(
                lambda leaves, _: leaves[0].pin_memory().to(self.device, non_blocking=True), [batch]
            )
        here.wait_stream(self._stream)
        for leaf in state_leaves(staged):
            leaf.record_stream(here)  # its memory is not used again before `here` is done with it
        return staged
