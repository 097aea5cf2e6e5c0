"""Batches on their way to a GPU while it learns from the one before."""

from collections import deque

import torch

from agents.impala.trajectory import Trajectory, map_trajectory
from memory.core import state_leaves

AHEAD = 2
"""Batches on the GPU or in transfer at a time, including the one in use."""


class Staging:
    """Copies batches to a GPU through pinned memory while it computes.

    PyTorch's allocators reuse the pinned and device memory of earlier batches, so nothing is
    allocated after the first ones.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self._stream = torch.cuda.Stream(device)
        self._events: deque[torch.Event] = deque()

    def __call__(self, batch: Trajectory) -> Trajectory:
        """Copy a batch for the current stream; waits if `AHEAD` batches are pending."""
        here = torch.cuda.current_stream(self.device)
        self._events.append(here.record_event())
        if len(self._events) > AHEAD:
            self._events.popleft().synchronize()
        with torch.cuda.stream(self._stream):
            staged = map_trajectory(
                lambda leaves, _: leaves[0].pin_memory().to(self.device, non_blocking=True), [batch]
            )
        here.wait_stream(self._stream)
        for leaf in state_leaves(staged):
            leaf.record_stream(here)  # keeps its memory until `here` has used it
        return staged
