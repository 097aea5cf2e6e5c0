"""Games that need memory, as Gymnasium environments with compiled rules.

Importing this registers BoxWorld-v0, BoxWorldViewport-v0, MiniPacman-v0 and MiniPacmanViewport-v0.
"""

import gymnasium

from envs.boxworld import BoxWorldConfig
from envs.gymnasium_env import GymnasiumConfig
from envs.minipacman import MiniPacmanConfig

ENVS = {
    "boxworld": BoxWorldConfig(),
    "boxworld-full": BoxWorldConfig(
        view="full", solution_length=(1, 2, 3, 4), num_distractors=(0, 1, 2, 3, 4)
    ),
    "minipacman": MiniPacmanConfig(),
    "minipacman-full": MiniPacmanConfig(view="full"),
    "gymnasium": GymnasiumConfig(),
}
"""The environments that the command line knows, by name."""

for _id, _maker, _kwargs in (
    (
        "BoxWorld-v0",
        "make_boxworld",
        {"view": "full", "solution_length": (1, 2, 3, 4), "num_distractors": (0, 1, 2, 3, 4)},
    ),
    ("BoxWorldViewport-v0", "make_boxworld", {}),
    ("MiniPacman-v0", "make_minipacman", {"view": "full"}),
    ("MiniPacmanViewport-v0", "make_minipacman", {}),
):
    gymnasium.register(
        _id,
        entry_point=f"envs.entry_points:{_maker}",
        vector_entry_point=f"envs.entry_points:{_maker}_vector",
        kwargs=_kwargs,
    )

__all__ = ["ENVS", "BoxWorldConfig", "GymnasiumConfig", "MiniPacmanConfig"]
