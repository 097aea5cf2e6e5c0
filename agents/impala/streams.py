"""One random stream for each actor: what it does is its own, whoever it is batched with."""

import numpy as np

from envs.random import fill_uniform, start


def actor_seeds(seed: int, actors: range, start_version: int = 0, attempt: int = 0) -> np.ndarray:
    """Two independent seeds, uint64 `[actors, 2]`: of the levels and of the actions.

    Args:
        start_version: learner updates made when these actors began: a resumed run goes on with
            new levels.
        attempt: how often their worker was lost: it does not come to the same fault again.
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
    """Uniform numbers for the actions of a group of actors.

    Args:
        seeds: uint64 `[E]`.
        draws: numbers per actor and step.
    """

    def __init__(self, seeds: np.ndarray, draws: int) -> None:
        self.streams = np.zeros(len(seeds), np.uint64)
        start(self.streams, seeds, np.ones(len(seeds), bool))
        self.draws = draws

    def next(self) -> np.ndarray:
        """Float32 `[E, draws]` in [0, 1]."""
        out = np.empty((len(self.streams), self.draws), np.float32)
        fill_uniform(self.streams, out)
        return out
