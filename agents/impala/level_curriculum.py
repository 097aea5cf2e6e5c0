"""Growing the levels from the easiest to the environment's own mix, as the agent solves them.

A training aid, off unless asked for; evaluation always plays the environment as configured.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class LevelMix:
    """The stage of the level mix.

    Args:
        stages: options of the environment at each stage, easiest first; the last is the whole mix.
        solved_rate: at which the next stage begins; None starts at the last.
        window: episodes that are looked at, all on levels that the stage brought.
    """

    def __init__(
        self, stages: Sequence[dict[str, Any]], solved_rate: float | None, window: int = 300
    ) -> None:
        self.stages, self.solved_rate, self.window = stages, solved_rate, window
        self.stage = 0 if solved_rate is not None else len(stages) - 1
        self._solved: list[bool] = []

    @property
    def options(self) -> dict[str, Any]:
        """Of the environment at this stage."""
        return self.stages[self.stage]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to grow."""
        return self.stage == len(self.stages) - 1

    def observe(self, infos: Iterable[Mapping[str, float]]) -> None:
        """Note what the environment told of episodes that ended; grow the mix when enough of the
        newest levels were solved. Episodes on older levels, some begun before the last growth, tell
        nothing of the stage."""
        if self.solved_rate is None or self.is_whole:
            return
        solved = [info.get("solved", 0) > 0 for info in infos if self._is_new(info)]
        self._solved = [*self._solved, *solved][-self.window :]
        solved_enough = sum(self._solved) >= self.solved_rate * self.window
        if len(self._solved) == self.window and solved_enough:
            self.stage += 1
            self._solved = []

    def get_state(self) -> dict[str, Any]:
        """What decides when the mix grows."""
        return {"stage": self.stage, "solved": list(self._solved)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` gave."""
        self.stage, self._solved = state["stage"], list(state["solved"])

    def _is_new(self, info: Mapping[str, float]) -> bool:
        """Whether the episode's level could not have come from the stage before."""
        if self.stage == 0:
            return True
        before = self.stages[self.stage - 1]
        return any(name in info and info[name] not in old for name, old in before.items())
