"""The agent's network: encoder, recurrent core, policy and value heads."""

import math
from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.compiled_act import act_compiled
from agents.networks.config import PolicyConfig
from agents.networks.distributions import MASKED, Categorical, Distribution, Gaussian, Joint
from agents.networks.encoder import Encoder
from agents.networks.inputs import Inputs
from agents.networks.leaves_torso import unpack
from envs.spaces.actions import PackedAction
from envs.spaces.packing import PackedObservation
from memory.core import CoreConfig, DecidingCore, TaughtCore, select
from memory.fused.held import Held

MAX_WEIGHTS = 100_000_000
"""Most weights of a core."""
MAX_FEATURES = 250_000
"""Most numbers in one input of a core."""
MIN_FEATURES_CHECKED = 8192
"""Smaller inputs give no unreasonable core."""


class PolicyOutput(NamedTuple):
    """Outputs of the heads at each step."""

    logits: Float[Tensor, "T B A"]
    values: Float[Tensor, "T B"]
    decision_logits: Float[Tensor, "T B K"]
    """Of the core's decisions; K is 0 for a core without decisions."""


class Action(NamedTuple):
    """The action of one step, with its logits and the value."""

    actions: Shaped[Tensor, "B *numbers"]
    logits: Float[Tensor, "B A"]
    values: Float[Tensor, " B"]
    decisions: Float[Tensor, "B K"]
    decision_logits: Float[Tensor, "B K"]


class Policy(nn.Module):
    """Encoder, core and heads, built for one environment.

    Args:
        core_config: any configuration of the registry `memory.CORES`.

    Raises:
        ValueError: a space is not supported, or the core does not accept its sizes.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        core_config: CoreConfig,
        config: PolicyConfig,
    ) -> None:
        super().__init__()
        packed = isinstance(observation_space, PackedObservation)
        self.mask_slot = observation_space.mask_slot if packed else None
        self.distribution = distribution_of(action_space, masked=self.mask_slot is not None)
        self.encoder = Encoder(
            observation_space,
            self.distribution,
            core_config.input_kind,
            config,
        )
        check_size(core_config, self.encoder.output_shape)
        self.core = core_config.build(self.encoder.output_shape)
        self.core.constants = self.encoder.constants
        if isinstance(self.core, DecidingCore) and self.core.shows_decision:
            raise ValueError(
                "the output of the core depends on the decision of the same step, and the value, "
                "its baseline, would too. Use an output of the memory before the decision: "
                "--core.output input_and_memory_before."
            )
        self.skip, self.output_norm = config.skip, config.output_norm
        width = self.core.output_size + config.skip * math.prod(self.encoder.output_shape)
        self.policy_head = nn.Linear(width, self.distribution.num_parameters)
        self.value_head = nn.Linear(width, 1)
        self.decision_size = self.core.decision_size if isinstance(self.core, DecidingCore) else 0
        self.held, self.names = Held(), [name for name, _ in self.named_parameters()]

    @property
    def num_draws(self) -> int:
        """Uniform numbers that `act` takes per actor."""
        return self.distribution.size + self.decision_size

    def initial_state(self, batch: int) -> Any:
        """Core state of `batch` actors at the start of an episode."""
        return self.core.initial_state(batch)

    def forward(
        self, inputs: Inputs, state: Any, decisions: Float[Tensor, "T B K"] | None = None
    ) -> PolicyOutput:
        """Unroll over T steps; a `DecidingCore` replays the recorded `decisions`."""
        features = self.encoder(inputs)
        if isinstance(self.core, DecidingCore):
            if decisions is None:
                raise TypeError("a DecidingCore needs the recorded decisions to unroll.")
            hidden, decision_logits = self.core.replay(features, state, inputs.resets, decisions)
        else:
            hidden, _ = self.core(features, state, inputs.resets)
            decision_logits = hidden.new_zeros(*inputs.resets.shape, 0)
        logits, values = self._heads(hidden, features)
        return PolicyOutput(self._masked(logits, inputs), values, decision_logits)

    def memory_loss(
        self, inputs: Inputs, state: Any, losses: Float[Tensor, "T B"]
    ) -> Float[Tensor, ""]:
        """Loss of a `TaughtCore`, from the per-step losses of the first T steps."""
        if not isinstance(self.core, TaughtCore):
            raise TypeError(f"{type(self.core).__name__} is not a TaughtCore.")
        with torch.no_grad():
            features = self.encoder(inputs)[: len(losses)]
        return self.core.memory_loss(features, state, inputs.resets[: len(losses)], losses)

    def act(
        self, inputs: Inputs, state: Any, uniforms: Float[Tensor, "B draws"] | None
    ) -> tuple[Action, Any]:
        """One step of B actors; `inputs` has T = 1.

        Args:
            uniforms: in [0, 1), for each number of the action and each decision of the core;
                None selects the most likely action and decisions.
        """
        if uniforms is not None and (found := act_compiled(self, inputs, state, uniforms)):
            drawn, state = found
            none = drawn.logits.new_empty(len(drawn.logits), 0)
            return Action(drawn.actions, drawn.logits, drawn.values, none, none), state
        features, reset = self.encoder(inputs)[0], inputs.resets[0]
        hidden, state, decisions, decision_logits = self._step_core(
            features, state, reset, uniforms
        )
        logits, values = self._heads(hidden, features)
        logits = self._masked(logits[None], inputs)[0]
        if uniforms is None:
            actions = self.distribution.mode(logits)
        else:
            actions = self.distribution.draw(logits, uniforms[:, : self.distribution.size])
        return Action(actions, logits, values, decisions, decision_logits), state

    def _heads(
        self, hidden: Float[Tensor, "*T B D"], features: Tensor
    ) -> tuple[Float[Tensor, "*T B A"], Float[Tensor, "*T B"]]:
        """Logits and values."""
        if self.output_norm is not None:
            width = hidden.shape[-1]
            hidden = functional.layer_norm(hidden, (width,)) * (self.output_norm / width**0.5)
        if self.skip:
            hidden = torch.cat([hidden, features.reshape(*hidden.shape[:-1], -1)], dim=-1)
        return self.policy_head(hidden), self.value_head(hidden).squeeze(-1)

    def _masked(self, logits: Float[Tensor, "T B A"], inputs: Inputs) -> Float[Tensor, "T B A"]:
        """Logits with `MASKED` for the actions that are not allowed."""
        if self.mask_slot is None:
            return logits
        allowed = unpack(inputs.observations.flatten(0, 1), self.mask_slot)
        return logits.masked_fill(allowed.reshape(logits.shape) == 0, MASKED)

    def _step_core(self, features: Tensor, state: Any, reset: Tensor, uniforms: Tensor | None):
        """Step the core; a `DecidingCore` decides first."""
        if not isinstance(self.core, DecidingCore):
            hidden, state = self.core.step_from(features, state, reset)
            none = hidden.new_zeros(len(hidden), 0)
            return hidden, state, none, none
        state = select(reset, self.initial_state(len(reset)), state)
        logits = self.core.decide(features, state)
        threshold = 0.5 if uniforms is None else uniforms[:, self.distribution.size :]
        decisions = (logits.sigmoid() > threshold).to(logits.dtype)
        hidden, state = self.core.apply_decision(features, state, decisions)
        return hidden, state, decisions, logits


def check_size(core_config: CoreConfig, input_shape: tuple[int, ...]) -> None:
    """Refuse a core of unreasonable size, before it is allocated.

    Raises:
        ValueError: names the number of weights, and the options that change it.
    """
    features = math.prod(input_shape)
    if features < MIN_FEATURES_CHECKED:
        return
    with torch.device("meta"):
        core = core_config.build(input_shape)
    count = sum(weight.numel() for weight in core.parameters())
    if count > MAX_WEIGHTS or features > MAX_FEATURES:
        raise ValueError(
            f"the core would have {count:,} weights and take {features:,} numbers per step; at "
            f"most {MAX_WEIGHTS:,} and {MAX_FEATURES:,} are allowed. Make images smaller with a "
            "larger --policy.downsample, or use fewer --policy.channels."
        )


def distribution_of(space: spaces.Space[Any], masked: bool = False) -> Distribution:
    """The distribution of the actions of a space.

    Args:
        masked: there are masks, see `Categorical`.

    Raises:
        ValueError: the space is neither `Discrete` from 0 nor packed.
    """
    if isinstance(space, PackedAction):
        return Joint(
            [
                Categorical(n, masked) if n else Gaussian(size, space.squash)
                for n, size in space.parts
            ]
        )
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return Categorical(int(space.n), masked)
    raise ValueError(
        f"action space {space} is not supported: expected Discrete(n), or a "
        "envs.spaces.actions.PackedAction."
    )
