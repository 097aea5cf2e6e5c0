"""Which sequences of a relational memory core Triton's kernels compute, and from what."""

# pyright: standard

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.fused.call import why_not_as_built
from memory.fused.rmc import FusedRMC
from memory.kernels.available import why_not_computed
from memory.kernels.rmc_unroll import Given, Sizes, unroll_rmc, why_too_wide

_OF_BLOCK = {
    "qkv_weight": "qkv.weight",
    "qkv_bias": "qkv.bias",
    "qkv_scale": "qkv_norm.weight",
    "qkv_shift": "qkv_norm.bias",
    "read_scale": "attention_norm.weight",
    "read_shift": "attention_norm.bias",
    "mlp_scale": "mlp_norm.weight",
    "mlp_shift": "mlp_norm.bias",
}
"""Parameters of a block by their names in the kernels."""


class KernelRMC:
    """Whole sequences of one relational memory core of one block, on a GPU."""

    def __init__(self, fused: FusedRMC, eps: float) -> None:
        """Of the core that `fused` was made of; `eps` is that of its norms."""
        self.fused = fused
        known = {name: fused.sizes[name] for name in Sizes._fields if name in fused.sizes}
        self.sizes = Sizes(**known, eps=eps)  # pyright: ignore[reportArgumentType]

    def why_not(
        self, core: nn.Module, inputs: Tensor, state: Tensor, reset: Tensor | None
    ) -> str | None:
        """Why kernels cannot compute this call, or None."""
        if self.fused.sizes["blocks"] > 1:
            return "kernels compute blocks=1 only"
        if not self.fused.fits(inputs, state, reset):
            return "inputs, state and resets do not go together"
        return (
            why_too_wide(self.sizes)
            or why_not_as_built(core, self.fused.names)
            or why_not_computed([inputs, state, *core.parameters()])
        )

    def __call__(
        self,
        core: nn.Module,
        projected: Float[Tensor, "T B n P"],
        from_input: Float[Tensor, "T B 1 G"] | None,
        state: Float[Tensor, "B N D"],
        fresh: Float[Tensor, "N D"],
        reset: Bool[Tensor, "T B"] | None,
        **biases: float,
    ) -> tuple[Float[Tensor, "T B units"], Float[Tensor, "B N D"]]:
        """Outputs and last state.

        Args:
            projected: queries, keys and values of the inputs, normalised.
            from_input: what the inputs add to the gates.
        """
        weights = dict(core.named_parameters())
        layers = [name for name in weights if name.startswith("mlp.")]
        given = Given(
            *(state, fresh, reset, projected, from_input),
            **{name: weights[f"blocks.0.{of}"] for name, of in _OF_BLOCK.items()},
            mlp_weight=torch.stack([weights[name] for name in layers if "weight" in name]),
            mlp_bias=torch.stack([weights[name] for name in layers if "bias" in name]),
            gate_weight=weights.get("gate_memory.weight"),
            gate_bias=weights.get("gate_memory.bias"),
        )
        memories = unroll_rmc(self.sizes, given, biases)
        return memories.flatten(2), memories[-1].clone()
