"""Linear recurrent unit: a complex diagonal linear recurrence, unrolled by a parallel scan.

Source: Orvieto et al., "Resurrecting recurrent neural networks for long sequences" (2023), section
3 and appendix A. One layer, for the normalised input u of a step:

    h' = lambda h + gamma B u           lambda = exp(-exp(nu) + i exp(theta))
    y = Re(C h') + D u
    output = x + GLU(GELU(y))

All products with lambda, gamma and D are elementwise; |lambda| < 1 for any value of the parameters.
Initially lambda is uniform on a ring of the complex plane and gamma is sqrt(1 - |lambda|²), so that
h has the scale of B u. Resets inside a sequence are part of the scan, as in Lu et al., "Structured
state space models for in-context reinforcement learning" (2023).

Differs from the papers: the decay of a step that begins an episode is zero, with the same result as
the flag that Lu et al. carry through the scan; layer norm, also of the output; no dropout; initial
weights are truncated normals.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn
from torch.nn import functional

from memory.core import Core, CoreConfig
from memory.layers.initialisation import linear, truncated_normal_
from memory.layers.linear_recurrence import recur
from memory.observed import Observed
from memory.options import input_shape_of, positive


@dataclass(frozen=True, kw_only=True)
class LRUConfig(CoreConfig):
    """Linear recurrent unit, a diagonal state space model."""

    hidden: int = 256
    """Width of a layer and of the output."""
    units: int = 256
    """Complex units in the state of each layer."""
    layers: int = 2
    """Layers of the network."""
    min_radius: float = 0.9
    """Smallest absolute value of an initial decay lambda."""
    max_radius: float = 0.999
    """Largest absolute value of an initial decay lambda; below 1."""
    max_phase: float = 2 * math.pi
    """Largest angle of an initial decay lambda, in radians; small angles favour slow changes."""

    @classmethod
    def of_width(cls, width: int) -> "LRUConfig":
        """Of layers and states of `width` units."""
        return cls(hidden=width, units=width)

    @classmethod
    def small(cls) -> Mapping[str, "LRUConfig"]:
        """Several layers, and one."""
        return {
            "": cls(hidden=16, units=8),
            "one layer": cls(hidden=8, units=10, layers=1, min_radius=0.2),
        }

    def build(self, input_shape: tuple[int, ...]) -> "LRU":
        """Make the core for inputs of shape (F,)."""
        positive(hidden=self.hidden, units=self.units, layers=self.layers)
        if not 0 <= self.min_radius < self.max_radius < 1:
            raise ValueError(
                f"min_radius={self.min_radius}, max_radius={self.max_radius}: "
                "expected 0 <= min_radius < max_radius < 1"
            )
        if not 0 < self.max_phase <= 2 * math.pi:
            raise ValueError(
                f"max_phase={self.max_phase}: must be above 0 and at most 2 pi = {2 * math.pi:.4f}"
            )
        (features,) = input_shape_of("lru", input_shape, "F")
        return LRU(features, self)


class Layer(nn.Module):
    """The recurrence and the gated linear unit after it, around a residual."""

    def __init__(self, config: LRUConfig) -> None:
        super().__init__()
        width, units = config.hidden, config.units
        # 1 - rand is in (0, 1]: its logarithm is finite.
        low, high = config.min_radius**2, config.max_radius**2
        square = low + (high - low) * (1 - torch.rand(units))  # |lambda|²
        self.log_decay = nn.Parameter(torch.log(-0.5 * torch.log(square)))  # nu
        self.log_phase = nn.Parameter(torch.log(config.max_phase * (1 - torch.rand(units))))
        self.log_scale = nn.Parameter(0.5 * torch.log1p(-square))  # log gamma
        self.norm = nn.LayerNorm(width)
        self.write = nn.Linear(width, 2 * units, bias=False)  # B: real parts, imaginary parts
        self.read = nn.Linear(2 * units, width, bias=False)  # Re C, -Im C
        self.skip = nn.Parameter(torch.randn(width))  # D
        self.glu = linear(width, 2 * width)
        self.gate = Observed()
        truncated_normal_(self.write.weight, 2 * width)
        truncated_normal_(self.read.weight, units)

    def decay(self) -> Complex[Tensor, " N"]:
        """Lambda, by which each unit is multiplied from step to step."""
        return torch.polar(torch.exp(-torch.exp(self.log_decay)), torch.exp(self.log_phase))

    def read_input(
        self, x: Float[Tensor, "*T B D"]
    ) -> tuple[Float[Tensor, "*T B D"], Complex[Tensor, "*T B N"]]:
        """The normalised input u, and what it adds to the state: gamma B u."""
        normal = self.norm(x)
        real, imaginary = self.write(normal).chunk(2, dim=-1)
        # In the type of the weights under autocast too: there is no complex bfloat16.
        scale = torch.exp(self.log_scale)
        return normal, torch.complex(scale * real, scale * imaginary)

    def show(
        self,
        x: Float[Tensor, "*T B D"],
        normal: Float[Tensor, "*T B D"],
        hidden: Complex[Tensor, "*T B N"],
    ) -> Float[Tensor, "*T B D"]:
        """What the layer above sees."""
        y = self.read(torch.cat([hidden.real, hidden.imag], dim=-1)) + self.skip * normal
        value, gate = self.glu(functional.gelu(y)).chunk(2, dim=-1)
        return x + value * self.gate(torch.sigmoid(gate))


class LRU(Core[Tensor]):
    """Linear recurrent units in layers.

    The state, [B, L, 2, N], holds the real and the imaginary parts; the output is [B, D].
    """

    def __init__(self, features: int, config: LRUConfig) -> None:
        super().__init__()
        self.output_size, self.units = config.hidden, config.units
        self.embed = linear(features, config.hidden)
        self.layers = cast(
            "Sequence[Layer]", nn.ModuleList(Layer(config) for _ in range(config.layers))
        )
        self.norm = nn.LayerNorm(config.hidden)

    def initial_state(self, batch: int) -> Float[Tensor, "B L 2 N"]:
        """Zeros."""
        return self.embed.bias.new_zeros(batch, len(self.layers), 2, self.units)

    def step(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B L 2 N"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B L 2 N"]]:
        """Consume one time step."""
        x, states = self.embed(x), list[Tensor]()
        for layer, parts in zip(self.layers, state.unbind(dim=1), strict=True):
            normal, now = layer.read_input(x)
            hidden = now + layer.decay() * torch.complex(*parts.unbind(dim=1))
            x = layer.show(x, normal, hidden)
            states.append(torch.stack([hidden.real, hidden.imag], dim=1))
        return self.norm(x), torch.stack(states, dim=1)

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B L 2 N"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B L 2 N"]]:
        """Unroll layer by layer, all times at once."""
        x, states = self.embed(inputs), list[Tensor]()
        for layer, parts in zip(self.layers, state.unbind(dim=1), strict=True):
            normal, now = layer.read_input(x)
            decays = layer.decay().expand_as(now)
            if reset is not None:
                decays = decays.masked_fill(reset.unsqueeze(-1), 0)
            past = recur(decays, now, torch.complex(*parts.unbind(dim=1)))
            x = layer.show(x, normal, past)
            states.append(torch.stack([past[-1].real, past[-1].imag], dim=1))
        return self.norm(x), torch.stack(states, dim=1)
