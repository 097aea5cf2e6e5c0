"""A wrapper that hides velocities, which turns control tasks into tests of memory."""

import gymnasium
import numpy as np
from gymnasium import spaces

POSITIONS = {
    "Acrobot": (0, 1, 2, 3),
    "CartPole": (0, 2),
    "LunarLander": (0, 1, 4, 6, 7),
    "MountainCar": (0,),
    "MountainCarContinuous": (0,),
    "Pendulum": (0, 1),
}
"""Numbers of an observation that are no velocities, by the name in the id."""


class HiddenVelocities(gymnasium.ObservationWrapper):
    """Removes the velocities from the observations of an environment of `POSITIONS`.

    Positions with finite bounds are divided by the larger one: an angle of CartPole, in radians, is
    otherwise a tenth of its place on the track.

    `--env.wrappers envs.hidden_velocities:HiddenVelocities`

    Raises:
        ValueError: the environment is another one.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        name = env.spec.name if env.spec else ""
        if name not in POSITIONS or not isinstance(env.observation_space, spaces.Box):
            raise ValueError(
                f"HiddenVelocities does not know the velocities of {name or env}; it knows those "
                f"of {', '.join(POSITIONS)}."
            )
        self._kept = list(POSITIONS[name])
        low, high = env.observation_space.low[self._kept], env.observation_space.high[self._kept]
        largest = np.maximum(abs(low), abs(high))
        self._scale = np.where(np.isfinite(largest), largest, 1).astype(low.dtype)
        self.observation_space = spaces.Box(low / self._scale, high / self._scale, dtype=low.dtype)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        """The positions of an observation, scaled."""
        return observation[self._kept] / self._scale
