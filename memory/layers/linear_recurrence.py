"""h_t = a_t h_(t-1) + b_t, elementwise, for all times of an unroll; real or complex."""

import torch
from jaxtyping import Inexact
from torch import Tensor


def recur(
    decays: Inexact[Tensor, "T B D"],
    inputs: Inexact[Tensor, "T B D"],
    state: Inexact[Tensor, "B D"],
) -> Inexact[Tensor, "T B D"]:
    """Every h_t, from h before the first; by what is faster on the device at hand."""
    return (recur_in_parallel if inputs.is_cuda else recur_in_turn)(decays, inputs, state)


def recur_in_turn(
    decays: Inexact[Tensor, "T B D"],
    inputs: Inexact[Tensor, "T B D"],
    state: Inexact[Tensor, "B D"],
) -> Inexact[Tensor, "T B D"]:
    """Time after time: T short steps."""
    states: list[Tensor] = []
    for decay, now in zip(decays.unbind(), inputs.unbind(), strict=True):
        state = _follow(now, decay, state)
        states.append(state)
    return torch.stack(states)


def recur_in_parallel(
    decays: Inexact[Tensor, "T B D"],
    inputs: Inexact[Tensor, "T B D"],
    state: Inexact[Tensor, "B D"],
) -> Inexact[Tensor, "T B D"]:
    """All times at once, log2 T passes: each joins stretches to those before, twice as long.

    Source: Hillis and Steele, "Data parallel algorithms" (1986). A pair (a, b) is the map from
    h to a h + b, and one map after another is again such a pair.
    """
    first = _follow(inputs[0], decays[0], state)
    states = torch.cat([first[None], inputs[1:]])
    length = 1
    while length < len(states):
        joined = _follow(states[length:], decays[length:], states[:-length])
        states = torch.cat([states[:length], joined])
        decays = torch.cat([decays[:length], decays[length:] * decays[:-length]])
        length *= 2
    return states


def _follow(
    now: Inexact[Tensor, "*T B D"],
    decay: Inexact[Tensor, "*T B D"],
    before: Inexact[Tensor, "*T B D"],
) -> Inexact[Tensor, "*T B D"]:
    """decay * before + now; where the decay is 0, whatever came before, be it infinite."""
    return torch.where(decay == 0, now, torch.addcmul(now, decay, before))
