"""Computations of fixed shapes that a GPU captures once and then replays.

Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs. An unroll of forty steps
is thousands of small kernels, and to launch them one by one takes longer than they do. A captured
graph is launched as a whole.
"""

from collections.abc import Callable
from typing import Any

import torch

from memory.core import map_state, state_leaves

WARM_UP = 3
"""Calls that run uncaptured before the next is captured: libraries choose algorithms in them."""
MOST_SHAPES = 64
"""Graphs of one function: capturing takes time, and each keeps the inputs that it computes on."""


class Captured:
    """A function of a state (tensors in NamedTuples) whose work on a GPU is one graph.

    It computes on buffers of its own, to which each call copies what it is given, and what it
    returns is copied from there: neither is shared with the caller. On a CPU the function is called
    on those buffers.

    Args:
        function: may change other tensors in place, if they stay where they are; must not branch on
            the values of tensors, nor read any: all of Python happens in the first calls only.
        device: where it computes.
        pool: memory to compute in, shared with graphs that run at other times; its own if left out.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        device: torch.device | str,
        pool: Any = None,
    ) -> None:
        self.function, self.device, self.pool = function, torch.device(device), pool
        self._inputs: Any = None
        self._outputs: Any = None
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._stream = torch.cuda.Stream(device) if self.device.type == "cuda" else None

    def __call__(self, inputs: Any) -> Any:
        """The outputs of the function for these inputs.

        Raises:
            ValueError: they are of another shape or type than those of the first call.
        """
        if self._inputs is None:
            self._inputs = map_state(lambda x: torch.empty_like(x, device=self.device), inputs)
        self._take_in(inputs)
        return map_state(torch.clone, self._compute())

    @torch.no_grad()
    def _take_in(self, inputs: Any) -> None:
        for buffer, given in zip(state_leaves(self._inputs), state_leaves(inputs), strict=True):
            if (buffer.shape, buffer.dtype) != (given.shape, given.dtype):
                raise ValueError(
                    f"captured for {buffer.dtype} {list(buffer.shape)}, "
                    f"called with {given.dtype} {list(given.shape)}."
                )
            buffer.copy_(given, non_blocking=True)

    def _compute(self) -> Any:
        self._calls += 1
        if self._stream is None:
            return self.function(self._inputs)
        if self._calls <= WARM_UP:
            return self._run(self._stream)
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self.pool, stream=self._stream):
                self._outputs = self.function(self._inputs)
            self._graph = graph
        self._graph.replay()
        return self._outputs

    def _run(self, stream: torch.cuda.Stream) -> Any:
        """Without a graph, but where it will be captured."""
        here = torch.cuda.current_stream(self.device)
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            outputs = self.function(self._inputs)
        here.wait_stream(stream)
        return outputs


class CapturedByShape:
    """As `Captured`, for inputs of several shapes: a graph for each of the first `MOST_SHAPES`.

    Inputs of other shapes are moved to the device, and the function is called on them.
    """

    def __init__(self, function: Callable[[Any], Any], device: torch.device | str) -> None:
        self.function, self.device = function, torch.device(device)
        self._pool = torch.cuda.graph_pool_handle() if self.device.type == "cuda" else None
        self._captured: dict[Any, Captured] = {}

    def __call__(self, inputs: Any) -> Any:
        """The outputs of the function for these inputs."""
        shapes = _shapes(inputs)
        if shapes not in self._captured and len(self._captured) == MOST_SHAPES:
            return self.function(map_state(lambda x: x.to(self.device), inputs))
        if shapes not in self._captured:
            self._captured[shapes] = Captured(self.function, self.device, self._pool)
        return self._captured[shapes](inputs)


def _shapes(inputs: Any) -> Any:
    """The shapes and types of a state, and which parts it lacks: hashable."""
    if inputs is None or isinstance(inputs, torch.Tensor):
        return None if inputs is None else (inputs.shape, inputs.dtype)
    return tuple(map(_shapes, inputs))
