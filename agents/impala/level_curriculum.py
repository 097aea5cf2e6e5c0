"""A curriculum over levels, from the easiest to the environment's own distribution.

A training aid (`--grow-levels`), off by default. Evaluation always uses the environment as
configured.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class LevelCurriculum:
    """The current stage of the curriculum.

    Args:
        stages: options of the environment at each stage, easiest first; the last stage has all
            levels.
        solved_rate: share of solved episodes at which the next stage starts; None starts at the
            last stage.
        window: number of episodes over which the share is taken.
    """

    def __init__(
        self, stages: Sequence[dict[str, Any]], solved_rate: float | None, window: int = 300
    ) -> None:
        self.stages, self.solved_rate, self.window = stages, solved_rate, window
        self.stage = 0 if solved_rate is not None else len(stages) - 1
        self._solved: list[bool] = []

    @property
    def options(self) -> dict[str, Any]:
        """Options of the environment at this stage."""
        return self.stages[self.stage]

    @property
    def is_last_stage(self) -> bool:
        """Whether all levels are in use."""
        return self.stage == len(self.stages) - 1

    def observe(self, infos: Iterable[Mapping[str, float]]) -> None:
        """Record finished episodes, and start the next stage if enough of them were solved.

        Only episodes on levels that the current stage added count.
        """
        if self.solved_rate is None or self.is_last_stage:
            return
        solved = [info.get("solved", 0) > 0 for info in infos if self._is_new(info)]
        self._solved = [*self._solved, *solved][-self.window :]
        solved_enough = sum(self._solved) >= self.solved_rate * self.window
        if len(self._solved) == self.window and solved_enough:
            self.stage += 1
            self._solved = []

    def get_state(self) -> dict[str, Any]:
        """The stage, and the episodes recorded in it."""
        return {"stage": self.stage, "solved": list(self._solved)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the result of `get_state`."""
        self.stage, self._solved = state["stage"], list(state["solved"])

    def _is_new(self, info: Mapping[str, float]) -> bool:
        """Whether the episode's level is not among those of the previous stage."""
        if self.stage == 0:
            return True
        previous = self.stages[self.stage - 1]
        return any(name in info and info[name] not in old for name, old in previous.items())
