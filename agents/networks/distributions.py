"""Distributions of actions, given the outputs of the policy head."""

# pyright: reportUnknownMemberType=false

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

LOG_STD_RANGE = (-5.0, 2.0)
"""Limits of the logarithm of a standard deviation."""
LARGEST_TANH = 1 - 1e-6
"""A squashed action nearer to 1 is taken as this, to be inverted."""
MASKED = -1e9
"""Logit of an action that is not allowed: its probability is 0, and no term is infinite."""
NODES = 32
"""Of the Gauss-Hermite quadrature of an entropy that has no closed form."""


class Distribution(ABC):
    """A distribution of actions with parameters `[..., P]`.

    One action is an integer for `Categorical`, and `size` numbers for all others.
    """

    num_parameters: int
    """P."""
    size: int
    """Numbers of one action; also uniform numbers to draw one with."""
    num_features: int
    """Width of `encode`."""

    @abstractmethod
    def draw(self, parameters: Tensor, uniforms: Tensor) -> Tensor:
        """Sample by inverse transform, from uniforms `[..., size]`."""

    @abstractmethod
    def mode(self, parameters: Tensor) -> Tensor:
        """The most likely action."""

    @abstractmethod
    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Joint log-probability or log-density `[...]`."""

    @abstractmethod
    def entropy(self, parameters: Tensor) -> Tensor:
        """Entropy `[...]` in nats."""

    @abstractmethod
    def kl(self, parameters: Tensor, others: Tensor) -> Tensor:
        """KL divergence `[...]` from the distribution with `others`, in nats."""

    @abstractmethod
    def encode(self, actions: Tensor) -> Tensor:
        """Actions as features `[..., num_features]`."""

    @abstractmethod
    def no_actions(self, *shape: int) -> Tensor:
        """What stands for the actions before the first step."""


class Categorical(Distribution):
    """One of n actions, by logits.

    Args:
        masked: logits of actions that are not allowed are `MASKED`.
    """

    size = 1

    def __init__(self, num_actions: int, masked: bool = False) -> None:
        self.num_parameters = self.num_features = num_actions
        self.masked = masked

    def draw(self, parameters: Tensor, uniforms: Tensor) -> Tensor:
        """Sample by inverse transform."""
        drawn = draw(parameters, uniforms[..., 0])
        if not self.masked:
            return drawn
        # A uniform number of 0, or above a sum that rounding made too small, draws any action.
        logits = parameters.gather(-1, drawn[..., None]).squeeze(-1)
        return torch.where(logits > MASKED, drawn, self.mode(parameters))

    def mode(self, parameters: Tensor) -> Tensor:
        """The action with the largest logit."""
        return parameters.argmax(-1)

    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Log-probability of each action."""
        return parameters.log_softmax(-1).gather(-1, actions[..., None]).squeeze(-1)

    def entropy(self, parameters: Tensor) -> Tensor:
        """Entropy of each distribution."""
        log_probs = parameters.log_softmax(-1)
        return -(log_probs.exp() * log_probs).sum(-1)

    def kl(self, parameters: Tensor, others: Tensor) -> Tensor:
        """KL divergence of each distribution."""
        p, q = parameters.log_softmax(-1), others.log_softmax(-1)
        return (p.exp() * (p - q)).sum(-1)

    def encode(self, actions: Tensor) -> Tensor:
        """One-hot."""
        return F.one_hot(actions, self.num_features)

    def no_actions(self, *shape: int) -> Tensor:
        """Zeros."""
        return torch.zeros(*shape, dtype=torch.long)


class Gaussian(Distribution):
    """Independent normal numbers; parameters are means, then logarithms of standard deviations.

    Args:
        size: K.
        squash: the action is the tanh of the normal number. Otherwise it is the number itself, and
            the environment clips it.
    """

    def __init__(self, size: int, squash: bool) -> None:
        self.size = self.num_features = size
        self.num_parameters, self.squash = 2 * size, squash

    def draw(self, parameters: Tensor, uniforms: Tensor) -> Tensor:
        """Sample by inverse transform."""
        mean, log_std = self._split(parameters)
        normal = cast(Tensor, torch.special.ndtri(uniforms.clamp(1e-6, 1 - 1e-6)))
        return self._squash(mean + log_std.exp() * normal)

    def mode(self, parameters: Tensor) -> Tensor:
        """The action of the mean."""
        return self._squash(self._split(parameters)[0])

    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Joint log-density of the actions."""
        mean, log_std = self._split(parameters)
        if self.squash:
            actions = actions.clamp(-LARGEST_TANH, LARGEST_TANH).atanh()
        deviation = (actions - mean) / log_std.exp()
        log_density = -0.5 * deviation.square() - log_std - 0.5 * math.log(2 * math.pi)
        if self.squash:
            log_density = log_density - log_slope_of_tanh(actions)
        return log_density.sum(-1)

    def entropy(self, parameters: Tensor) -> Tensor:
        """Entropy: that of a normal number, and for squashed ones the mean logarithm of the slope
        of tanh, by quadrature."""
        mean, log_std = self._split(parameters)
        entropy = log_std + 0.5 * math.log(2 * math.pi * math.e)
        if self.squash:
            nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
            x = mean[..., None] + log_std.exp()[..., None] * mean.new_tensor(nodes)
            share = mean.new_tensor(weights / weights.sum())
            entropy = entropy + (share * log_slope_of_tanh(x)).sum(-1)
        return entropy.sum(-1)

    def kl(self, parameters: Tensor, others: Tensor) -> Tensor:
        """KL divergence, which squashing does not change."""
        (mean, log_std), (other, log_other) = self._split(parameters), self._split(others)
        ratio = (2 * (log_std - log_other)).exp()
        distance = ((mean - other) / log_other.exp()).square()
        return (0.5 * (ratio + distance - 1) + log_other - log_std).sum(-1)

    def encode(self, actions: Tensor) -> Tensor:
        """The actions, clipped to [-1, 1]."""
        return actions.clamp(-1, 1)

    def no_actions(self, *shape: int) -> Tensor:
        """Zeros."""
        return torch.zeros(*shape, self.size)

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Means and logarithms of standard deviations."""
        mean, log_std = parameters.chunk(2, dim=-1)
        return mean, log_std.clamp(*LOG_STD_RANGE)

    def _squash(self, x: Tensor) -> Tensor:
        return x.tanh() if self.squash else x


class Joint(Distribution):
    """Independent distributions, side by side; integers are held as float32."""

    def __init__(self, parts: Sequence[Distribution]) -> None:
        self.parts = list(parts)
        self.num_parameters = sum(part.num_parameters for part in parts)
        self.size = sum(part.size for part in parts)
        self.num_features = sum(part.num_features for part in parts)

    def draw(self, parameters: Tensor, uniforms: Tensor) -> Tensor:
        """Sample each part."""
        split = zip(self.parts, self._parameters(parameters), self._numbers(uniforms), strict=True)
        return self._join([part.draw(p, u) for part, p, u in split])

    def mode(self, parameters: Tensor) -> Tensor:
        """The most likely action of each part."""
        split = zip(self.parts, self._parameters(parameters), strict=True)
        return self._join([part.mode(p) for part, p in split])

    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """The sum over the parts."""
        split = zip(self.parts, self._parameters(parameters), self._actions(actions), strict=True)
        return torch.stack([part.log_prob(p, a) for part, p, a in split]).sum(0)

    def entropy(self, parameters: Tensor) -> Tensor:
        """The sum over the parts."""
        split = zip(self.parts, self._parameters(parameters), strict=True)
        return torch.stack([part.entropy(p) for part, p in split]).sum(0)

    def kl(self, parameters: Tensor, others: Tensor) -> Tensor:
        """The sum over the parts."""
        split = zip(self.parts, self._parameters(parameters), self._parameters(others), strict=True)
        return torch.stack([part.kl(p, q) for part, p, q in split]).sum(0)

    def encode(self, actions: Tensor) -> Tensor:
        """The features of all parts."""
        split = zip(self.parts, self._actions(actions), strict=True)
        return torch.cat([part.encode(a).to(actions.dtype) for part, a in split], dim=-1)

    def no_actions(self, *shape: int) -> Tensor:
        """Zeros."""
        return torch.zeros(*shape, self.size)

    def _parameters(self, parameters: Tensor) -> tuple[Tensor, ...]:
        return torch.split(parameters, [part.num_parameters for part in self.parts], dim=-1)

    def _numbers(self, numbers: Tensor) -> tuple[Tensor, ...]:
        return torch.split(numbers, [part.size for part in self.parts], dim=-1)

    def _actions(self, actions: Tensor) -> list[Tensor]:
        """The actions of each part, in its own form."""
        split = zip(self.parts, self._numbers(actions), strict=True)
        return [
            numbers.squeeze(-1).long() if isinstance(part, Categorical) else numbers
            for part, numbers in split
        ]

    def _join(self, actions: list[Tensor]) -> Tensor:
        split = zip(self.parts, actions, strict=True)
        return torch.cat(
            [a[..., None].float() if isinstance(part, Categorical) else a for part, a in split],
            dim=-1,
        )


def log_slope_of_tanh(x: Tensor) -> Tensor:
    """log(1 - tanh(x)^2), without cancellation."""
    return 2 * (math.log(2) - x - F.softplus(-2 * x))


def draw(logits: Float[Tensor, "*B A"], uniforms: Float[Tensor, "*B"]) -> Tensor:
    """Sample by inverse transform: one uniform number per distribution."""
    cumulative = logits.softmax(-1).cumsum(-1)
    return (cumulative < uniforms[..., None]).sum(-1).clamp(max=logits.shape[-1] - 1)
