"""The contract that every recurrent core keeps.

Letters in shapes, everywhere in the project: T time, B batch, A actions, D width of an output,
N slots, K heads, W word, C H W image. Time comes first, batch second.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Literal, TypeVar, overload

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

S = TypeVar("S")

InputKind = Literal["vector", "map", "rows"]
"""What a core takes per step: vectors `[B, F]`, maps `[B, C, H, W]`, or rows `[B, N, F]`."""


@overload
def map_state(function: Callable[[Tensor], Tensor], state: Any, /) -> Any: ...
@overload
def map_state(function: Callable[..., Tensor], *states: Any) -> Any: ...
def map_state(function: Callable[..., Tensor], *states: Any) -> Any:
    """Apply `function` leaf by leaf to states of one structure: tensors or nested NamedTuples.

    None, in place of a state, stays None.
    """
    first = states[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return function(*states)
    leaves = [map_state(function, *parts) for parts in zip(*states, strict=True)]
    return type(first)(*leaves)


def state_leaves(state: Any) -> list[Tensor]:
    """The tensors of a state, in order."""
    if state is None:
        return []
    if isinstance(state, Tensor):
        return [state]
    return [leaf for part in state for leaf in state_leaves(part)]


def select(mask: Bool[Tensor, " B"], chosen: Any, otherwise: Any) -> Any:
    """State whose b-th element is `chosen[b]` where `mask[b]`, else `otherwise[b]`.

    A selection, not a product: the initial state of a core need not be zero.
    """

    def choose(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(mask.view(-1, *(1,) * (b.dim() - 1)), a, b)

    return map_state(choose, chosen, otherwise)


class Core(nn.Module, ABC, Generic[S]):
    """A sequence model that carries a state from each step to the next.

    Every leaf of a state is `[B, ...]`: states are gathered, stacked and selected without regard
    to the core.
    """

    output_size: int
    """Width D of the output at each step."""
    carries_gradient: bool = True
    """Whether gradient flows through the state, from an output back to earlier inputs."""
    branches_on_data: bool = False
    """Whether the operations of a learning step depend on the values of tensors. The host then has
    to wait for the GPU, and the step cannot be captured as a graph."""

    constants: range = range(0)
    """Numbers of an input vector that are the same in all inputs, and whose gradient nobody needs.
    A core may compute them once, and return zeros as their gradient."""

    @abstractmethod
    def initial_state(self, batch: int) -> S:
        """State before the first step of an episode; leaves `[B, ...]`."""

    @abstractmethod
    def step(self, x: Float[Tensor, "B *features"], state: S) -> tuple[Float[Tensor, "B D"], S]:
        """Consume one time step."""

    def step_from(
        self, x: Float[Tensor, "B *features"], state: S, reset: Bool[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B D"], S]:
        """As `step`. Where `reset[b]`, the input begins an episode: the state is fresh."""
        return self.step(x, select(reset, self.initial_state(len(reset)), state))

    def __call__(self, inputs: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Unroll over time, at least one step; see `forward`."""
        if not len(inputs):
            raise ValueError(
                f"inputs of shape {list(inputs.shape)}: an unroll [T, B, ...] has at least one step"
            )
        return super().__call__(inputs, *args, **kwargs)

    def forward(
        self,
        inputs: Float[Tensor, "T B *features"],
        state: S,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], S]:
        """Unroll over time. Where `reset[t, b]`, input t begins an episode: the state is fresh."""
        fresh = None if reset is None else self.initial_state(inputs.shape[1])
        outputs: list[Tensor] = []
        for t, x in enumerate(inputs):
            if reset is not None:
                state = select(reset[t], fresh, state)
            y, state = self.step(x, state)
            outputs.append(y)
        return torch.stack(outputs), state

    def check_device(self, device: str) -> None:
        """Raise a `ValueError` if an option of the core cannot be met where it is to learn.

        Args:
            device: its type, `cpu` or `cuda`.
        """

    def penalties(self) -> Iterable[tuple[Tensor, float]]:
        """Weights whose sum of squares, times a factor, an optimiser adds to the loss."""
        return ()

    def outputs_at(
        self,
        wanted: Bool[Tensor, "T B"],
        inputs: Float[Tensor, "T B *features"],
        state: S,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "S D"], S]:
        """As `forward`, with the outputs of the S wanted steps alone, time first.

        A core whose state does not depend on its outputs may override this and skip the others.
        """
        outputs, state = self(inputs, state, reset)
        return outputs[wanted], state


class DecidingCore(Core[S]):
    """A core whose memory takes stochastic binary decisions, trained by reinforcement.

    Decisions are part of the action. An actor samples them from `decide`, passes them to
    `apply_decision` and records them; a learner `replay`s the recorded ones and weighs the joint
    action. `step`, and so `forward`, takes the more likely value of every decision: deterministic,
    for evaluation.

    A policy computes the value of a step, the baseline of its decision, from the core's output. So
    it refuses a core whose output depends on the decision of the same step.
    """

    decision_size: int
    """Number of binary decisions per step."""
    shows_decision: bool = False
    """Whether the output of a step depends on its decision."""

    @abstractmethod
    def decide(self, x: Float[Tensor, "B *features"], state: S) -> Float[Tensor, "B decisions"]:
        """Logits of every decision being 1."""

    @abstractmethod
    def apply_decision(
        self, x: Float[Tensor, "B *features"], state: S, decision: Float[Tensor, "B decisions"]
    ) -> tuple[Float[Tensor, "B D"], S]:
        """Consume one time step with the decisions (0 or 1) given."""

    def step(self, x: Float[Tensor, "B *features"], state: S) -> tuple[Float[Tensor, "B D"], S]:
        """Consume one time step, with the more likely value of every decision."""
        logits = self.decide(x, state)
        return self.apply_decision(x, state, (logits > 0).to(logits.dtype))

    def replay(
        self,
        inputs: Float[Tensor, "T B *features"],
        state: S,
        reset: Bool[Tensor, "T B"],
        decisions: Float[Tensor, "T B decisions"],
    ) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "T B decisions"]]:
        """Unroll with recorded decisions; returns the outputs and the logits of the decisions."""
        fresh = self.initial_state(inputs.shape[1])
        outputs, logits = list[Tensor](), list[Tensor]()
        for t, x in enumerate(inputs):
            state = select(reset[t], fresh, state)
            logits.append(self.decide(x, state))
            y, state = self.apply_decision(x, state, decisions[t])
            outputs.append(y)
        return torch.stack(outputs), torch.stack(logits)


class TaughtCore(Core[S]):
    """A core with a loss of its own, computed from the losses of the network around it.

    A trainer adds `memory_loss` to its own loss. No gradient flows through the outputs of a
    `TaughtCore`.
    """

    @abstractmethod
    def memory_loss(
        self,
        inputs: Float[Tensor, "T B *features"],
        state: S,
        reset: Bool[Tensor, "T B"],
        losses: Float[Tensor, "T B"],
    ) -> Float[Tensor, ""]:
        """Loss of the memory for an unroll, with gradient in the core's own weights only.

        Args:
            losses: of the network at each step, which depend on the core's output at that step.
        """


class CoreConfig(ABC):
    """The options of a core: a frozen, keyword-only dataclass that makes the core.

    A subclass has to define `build`, and `of_width` unless it has an option named `hidden`.
    """

    @property
    def input_kind(self) -> InputKind:
        """What the core takes per step."""
        return "vector"

    @abstractmethod
    def build(self, input_shape: tuple[int, ...]) -> Core[Any]:
        """Make the core.

        Args:
            input_shape: shape of one input, without time and batch.

        Raises:
            ValueError: an option is out of range, or the shape has the wrong rank.
        """

    @classmethod
    def of_width(cls, width: int) -> "CoreConfig":
        """A configuration that grows with `width`, to compare cores of equal size.

        Raises:
            TypeError: the class has no option `hidden` and does not define `of_width`.
        """
        if "hidden" not in getattr(cls, "__dataclass_fields__", {}):
            raise TypeError(
                f"{cls.__name__} has no option `hidden` to take a width: define the class method "
                "of_width(width), which returns a configuration of about that width"
            )
        return cls(**{"hidden": width})

    @classmethod
    def small(cls) -> Mapping[str, "CoreConfig"]:
        """Small configurations for tests, one for each mode of the core, by the name of the mode.

        The plain one, with no name, comes first.
        """
        return {"": cls.of_width(16)}

    def idle(self) -> dict[str, str]:
        """Options that have no effect in this combination, each with what makes it so."""
        return {}
