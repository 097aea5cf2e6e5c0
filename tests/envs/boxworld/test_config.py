"""Settings that do not fit are refused, and the message says what would."""

import pytest

from envs.boxworld import BoxWorld, BoxWorldConfig
from envs.boxworld.level import most_objects


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"solution_length": (0, 1)}, "solution_length=0: must be a whole number, from 1 to 20"),
        ({"solution_length": ()}, r"solution_length=\(\): must be"),
        ({"num_distractors": (-1,)}, "num_distractors=-1: must be a whole number, at least 0"),
        ({"distractor_length": 0}, "distractor_length=0: must be a whole number, at least 1"),
        ({"num_backward": -1}, "num_backward=-1: must be"),
        ({"grid_size": 4}, r"grid_size=4: must be a whole number, from 5 to 20"),
        ({"grid_size": 21}, r"grid_size=21: must be a whole number, from 5 to 20"),
        ({"view": "window"}, "view='window': must be one of viewport, full"),
        ({"view_size": 4}, "view_size=4: must be odd"),
        ({"view_size": 27}, r"view_size=27: must be a whole number, from 3 to 25"),
        ({"max_steps": 0}, "max_steps=0: must be"),
        ({"max_steps": 1.5}, r"max_steps=1\.5: must be a whole number"),
        ({"solution_length": (20,), "grid_size": 20}, "at most 19 of the 20 colours"),
        (
            {"solution_length": (19,), "grid_size": 20, "distractor_length": 2},
            "at most 18 of the 20 colours",
        ),
        ({"num_distractors": (9,)}, "give up to 15 objects; a room of grid_size 12 holds 13"),
        ({"grid_size": 8}, "give up to 11 objects; a room of grid_size 8 holds 5"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_with_what_is_allowed(fields, message):
    with pytest.raises(ValueError, match=message):
        BoxWorldConfig(**fields)


def test_a_single_number_stands_for_itself():
    config = BoxWorldConfig(solution_length=3, num_distractors=[1, 2])  # type: ignore[arg-type]
    assert config.solution_length == (3,)
    assert config.num_distractors == (1, 2)


@pytest.mark.parametrize("grid_size", range(5, 21))
def test_the_fullest_room_that_is_allowed_can_be_laid_out(grid_size):
    most = most_objects(grid_size)
    length = min(most - 1, 18)
    config = BoxWorldConfig(
        grid_size=grid_size, solution_length=(length,), num_distractors=(most - 1 - length,)
    )
    assert config.num_objects == most
    env = config.make_vector(20)
    env.reset(seed=0)
    assert isinstance(env.game, BoxWorld)
    assert ((env.game.cells >= 2) & (env.game.cells < 64)).sum() == 20 * most


def test_the_ids_name_the_view():
    assert BoxWorldConfig().id == "BoxWorldViewport-v0"
    assert BoxWorldConfig(view="full").id == "BoxWorld-v0"


def test_options_of_a_reset_change_what_is_drawn():
    env = BoxWorldConfig(view="full").make_vector(64)
    _, infos = env.reset(seed=0, options={"solution_length": [3], "num_distractors": 2})
    assert (infos["solution_length"] == 3).all()
    assert (infos["num_distractors"] == 2).all()
