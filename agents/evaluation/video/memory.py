"""What the memory of an agent holds and computes at each step, as parts to draw."""

# pyright: standard

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from agents.evaluation.player import Acted
from agents.evaluation.video.part import Part, is_few, rows_of
from agents.networks.policy import Policy
from memory.core import map_state
from memory.inspect import inspect
from memory.observed import Observed


class MemoryRecorder:
    """The observed values and the state of a core, of one game of a batch.

    The core is unrolled a second time, since compiled code shows nothing: actions do not depend on
    whether they are recorded.

    Args:
        game: index in the batch.
    """

    def __init__(self, policy: Policy, game: int) -> None:
        self.policy, self.game = policy, game
        # A copy: compiled code that holds the weights, as while acting, looks for no hooks.
        self.core = copy.deepcopy(policy.core)
        self._modules = dict(self.core.named_modules())
        self._rows: defaultdict[str, list[np.ndarray]] = defaultdict(list)

    @torch.no_grad()
    def record(self, acted: Acted) -> list[Part]:
        """The parts at this step: observed ones, then the leaves of the state."""
        one = slice(self.game, self.game + 1)
        features = self.policy.encoder(acted.inputs)[:, one]
        before = map_state(lambda leaf: leaf[one], acted.before)
        decisions = acted.action.decisions[None, one]
        given = decisions if decisions.shape[2] else None
        seen = inspect(self.core, features, before, acted.inputs.resets[:, one], given)
        values = {name: leaf[0, 0] for name, leaf in seen.observed.items()}
        values |= {name: leaf[0, 0] for name, leaf in seen.states.items() if name not in values}
        filled = {name: leaf.float().cpu().numpy() for name, leaf in values.items() if leaf.numel()}
        return [self._part(name, leaf) for name, leaf in filled.items()]

    def _part(self, name: str, values: np.ndarray) -> Part:
        rows = self._rows[name]
        is_observed = name in self._modules
        rows.append(rows_of(values) if is_observed or is_few(values) else np.zeros(0))
        return Part(name, values, self._axes(name, values), np.stack(rows))

    def _axes(self, name: str, values: np.ndarray) -> Mapping[str, Sequence[str]]:
        module = self._modules.get(name)
        axes = module.axes if isinstance(module, Observed) else {}
        # A module that is called several times a step has an axis more.
        return axes if len(axes) == values.ndim else {}
