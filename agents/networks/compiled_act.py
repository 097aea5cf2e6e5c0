"""A step of a policy in one call of compiled code, where its parts have it."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from agents.networks.distributions import Categorical
from agents.networks.inputs import Inputs
from agents.networks.torso import ImageTorso
from memory.core import map_state, state_leaves
from memory.fused.acting import ActingStep, Drawn, Feedback, HasCompiledStep, Heads, code
from memory.fused.call import why_not_compiled


def act_compiled(
    policy: Any, inputs: Inputs, state: Any, uniforms: Float[Tensor, "B draws"]
) -> tuple[Drawn, Any] | None:
    """What a policy draws and the next state, or None if plain code computes it.

    Compiled code computes the steps of unrolls, which hold the weights (`weights_held`).

    Args:
        policy: an `agents.networks.policy.Policy`.
    """
    if not policy.held.open or torch.is_grad_enabled():
        return None
    leaves = state_leaves(state)
    given = [*leaves, inputs.last_rewards, uniforms]
    if why_not_compiled(policy, policy.held, policy.names, given) is not None:
        return None
    observations, actions, rewards, resets = (leaf[0] for leaf in inputs)
    key = f"step of {tuple(observations.shape)}"
    step = policy.held.keep(key, lambda: _step_of(policy, observations))
    if step is None:
        return None
    drawn, after = step(observations, actions, rewards, resets, uniforms, leaves)
    leaf = iter(after)
    return drawn, map_state(lambda _: next(leaf), state)


def _step_of(policy: Any, observations: Tensor) -> ActingStep | None:
    """The step of such observations, or None if a part of the policy has no compiled code."""
    encoder, core, torso = policy.encoder, policy.core, policy.encoder.torso
    if (
        code.missing
        or not isinstance(core, HasCompiledStep)
        or not isinstance(torso, ImageTorso)
        or torso.why_plain(observations) is not None
        or encoder.kind == "rows"
        or not isinstance(policy.distribution, Categorical)
        or policy.mask_slot is not None
        or (core_step := core.compiled_step(len(observations))) is None
    ):
        return None
    spread = torso.positions[0].numel() if encoder.kind == "map" else 1
    policy_head, value_head = policy.policy_head, policy.value_head
    return ActingStep(
        torso.packed(observations),
        torso.positions,
        Feedback(encoder.last_action, encoder.last_reward, spread),
        core_step,
        Heads(
            (policy_head.weight, policy_head.bias),
            (value_head.weight, value_head.bias),
            policy.skip,
            policy.output_norm or 0.0,
        ),
    )
