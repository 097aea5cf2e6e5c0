"""Records the trajectory of one unroll, step by step."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.impala.trajectory import Trajectory
from agents.networks.inputs import Inputs
from agents.networks.policy import Action, Policy
from memory.core import map_state


class TrajectoryRecorder:
    """The trajectory of an unroll of T steps of E actors.

    Args:
        length: T.
        inputs: of the first step, `[E, ...]`.
        state: of the core before the first step.
        version: of the weights that act.
    """

    def __init__(
        self, length: int, inputs: Inputs, policy: Policy, state: Any, version: int
    ) -> None:
        count, num_actions = len(inputs.resets), policy.distribution.num_parameters
        self.policy = policy
        self.device = device = next(policy.parameters()).device
        self.inputs = Inputs(*(x.new_empty(length + 1, *x.shape) for x in inputs))
        self.logits = torch.empty(length, count, num_actions, device=device)
        self.terminated = torch.empty(length, count, dtype=torch.bool)
        self.truncated = torch.empty(length, count, dtype=torch.bool)
        self.truncation_values = torch.zeros(length, count)
        self.decisions = torch.zeros(length + 1, count, policy.decision_size, device=device)
        self.decision_logits = torch.zeros_like(self.decisions)
        self.state = state
        self.version = torch.full((count,), version)
        self.length = length
        self._final_inputs: list[Inputs] = []
        self._final_states: list[Any] = []
        self._truncated_at: list[tuple[int, Tensor]] = []

    def record_action(self, t: int, inputs: Inputs, action: Action) -> None:
        """Record the inputs of step t and the action."""
        self._record_inputs(t, inputs)
        self._record_decisions(t, action)
        self.logits[t] = action.logits

    def record_end(self, t: int, terminated: np.ndarray, truncated: np.ndarray) -> None:
        """Record which episodes end with transition t; truncated only if not terminated."""
        self.terminated[t] = torch.as_tensor(terminated)
        self.truncated[t] = torch.as_tensor(truncated & ~terminated)

    def record_final(self, t: int, observations: np.ndarray, inputs: Inputs, state: Any) -> None:
        """Record the final observations of episodes that transition t truncates.

        Their values are computed together in `finish`.

        Args:
            observations: `[E]`, an observation where an episode ended.
            inputs: of the next step, with the last actions and rewards.
            state: of the core after transition t.
        """
        actors = self.truncated[t].nonzero().squeeze(1)
        if not len(actors):
            return
        final = torch.as_tensor(np.stack(list(observations[actors.numpy()])))
        no_reset = torch.zeros(len(actors), dtype=torch.bool)
        self._final_inputs.append(
            Inputs(final, inputs.last_actions[actors], inputs.last_rewards[actors], no_reset)
        )
        self._final_states.append(map_state(lambda leaf: leaf[actors], state))
        self._truncated_at.append((t, actors))

    def finish(self, inputs: Inputs, state: Any) -> Trajectory:
        """Record the last inputs and the truncation values; returns the trajectory, on the CPU.

        The policy computes the last step only for its core's decisions.
        """
        self._record_inputs(self.length, inputs)
        if self.policy.decision_size:
            self._record_decisions(self.length, self._act(inputs, state))
        if self._truncated_at:
            self._value_final_observations()
        trajectory = Trajectory(
            self.inputs,
            self.logits,
            self.terminated,
            self.truncated,
            self.truncation_values,
            self.decisions,
            self.decision_logits,
            self.state,
            self.version,
        )
        return to_device(trajectory, torch.device("cpu"))

    def _record_inputs(self, t: int, inputs: Inputs) -> None:
        for leaf, now in zip(self.inputs, inputs, strict=True):
            leaf[t] = now

    def _record_decisions(self, t: int, action: Action) -> None:
        self.decisions[t], self.decision_logits[t] = action.decisions, action.decision_logits

    def _value_final_observations(self) -> None:
        inputs = Inputs(*(torch.cat(leaves) for leaves in zip(*self._final_inputs, strict=True)))
        state = map_state(lambda *leaves: torch.cat(leaves), *self._final_states)
        counts = [len(actors) for _, actors in self._truncated_at]
        values = torch.split(self._act(inputs, state).values.cpu(), counts)
        for (t, actors), value in zip(self._truncated_at, values, strict=True):
            self.truncation_values[t, actors] = value

    def _act(self, inputs: Inputs, state: Any) -> Action:
        """The most likely action, which draws no random number."""
        action, _ = self.policy.act(to_device(one_step(inputs), self.device), state, None)
        return action


def one_step(inputs: Inputs) -> Inputs:
    """Inputs `[E, ...]` as a sequence of one step `[1, E, ...]`."""
    return Inputs(*(x[None] for x in inputs))


def to_device(state: Any, device: torch.device) -> Any:
    """Move all tensors of a nested tuple to a device."""
    return map_state(lambda leaf: leaf.to(device), state)
