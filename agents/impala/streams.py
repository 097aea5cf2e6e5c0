"""One random stream per actor, so that results do not depend on how actors are grouped."""

import numpy as np

from envs.random import fill_uniform, start  # pyright: ignore[reportUnknownVariableType]


def actor_seeds(seed: int, actors: range, start_version: int = 0, attempt: int = 0) -> np.ndarray:
    """Two independent seeds per actor, uint64 `[actors, 2]`: for levels and for actions.

    Args:
        start_version: learner updates at the start of these actors, so that a resumed run draws
            new levels.
        attempt: number of times their worker was lost, so that it does not repeat a fault.
    """
    return np.stack(
        [
            np.random.SeedSequence([seed, actor, start_version, attempt]).generate_state(
                2, np.uint64
            )
            for actor in actors
        ]
    )


class ActionStreams:
    """Uniform random numbers for the actions of a group of actors.

    Args:
        seeds: uint64 `[E]`.
        draws: numbers per actor and step (D).
    """

    def __init__(self, seeds: np.ndarray, draws: int) -> None:
        self.streams = np.zeros(len(seeds), np.uint64)
        start(self.streams, seeds, np.ones(len(seeds), bool))
        self.draws = draws

    def next(self) -> np.ndarray:
        """Draw float32 `[E, D]` in [0, 1]."""
        out = np.empty((len(self.streams), self.draws), np.float32)
        fill_uniform(self.streams, out)
        return out
