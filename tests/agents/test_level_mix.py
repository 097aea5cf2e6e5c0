"""The level mix grows when enough of the last episodes were solved."""

from agents.level_mix import LevelMix

STAGES = ({"length": 1}, {"length": 2}, {"length": 3})


def test_without_a_rate_it_is_the_whole_mix_from_the_start() -> None:
    mix = LevelMix(STAGES, None)
    mix.observe([False] * 600)
    assert mix.options == {"length": 3}


def test_it_begins_with_the_easiest_and_grows_stage_by_stage() -> None:
    mix = LevelMix(STAGES, 0.75, window=4)
    assert mix.options == {"length": 1}
    mix.observe([True, True, True])
    assert mix.stage == 0, "the window is not full"
    mix.observe([False])
    assert mix.options == {"length": 2}
    mix.observe([True] * 3)
    assert mix.stage == 1, "episodes of the stage before do not count"
    mix.observe([True])
    assert mix.stage == 2
    mix.observe([True] * 8)
    assert mix.options == {"length": 3}


def test_only_the_last_episodes_count() -> None:
    mix = LevelMix(STAGES, 1.0, window=3)
    mix.observe([True, True, False, True, True])
    assert mix.stage == 0
    mix.observe([True])
    assert mix.stage == 1


def test_it_goes_on_from_its_state() -> None:
    mix = LevelMix(STAGES, 0.75, window=4)
    mix.observe([True] * 7)
    other = LevelMix(STAGES, 0.75, window=4)
    other.set_state(mix.get_state())
    for each in (mix, other):
        each.observe([True])
    assert mix.stage == other.stage == 1
