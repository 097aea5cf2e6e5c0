"""The level mix grows when enough of its newest levels were solved."""

from agents.impala.level_curriculum import LevelMix

STAGES = ({"length": (1,)}, {"length": (1, 2)}, {"length": (1, 2, 3)})


def episodes(length: int, solved: list[bool]) -> list[dict[str, float]]:
    return [{"length": float(length), "solved": float(each)} for each in solved]


def test_without_a_rate_it_is_the_whole_mix_from_the_start() -> None:
    mix = LevelMix(STAGES, None)
    mix.observe(episodes(1, [False] * 600))
    assert mix.options == STAGES[2]
    assert mix.is_whole


def test_it_begins_with_the_easiest_and_grows_stage_by_stage() -> None:
    mix = LevelMix(STAGES, 0.75, window=4)
    assert mix.options == STAGES[0]
    mix.observe(episodes(1, [True, True, True]))
    assert mix.stage == 0, "the window is not full"
    mix.observe(episodes(1, [False]))
    assert mix.options == STAGES[1]
    mix.observe(episodes(2, [True] * 4))
    assert mix.is_whole
    mix.observe(episodes(3, [True] * 8))
    assert mix.options == STAGES[2]


def test_levels_that_an_earlier_stage_had_tell_nothing_of_the_newest() -> None:
    mix = LevelMix(STAGES, 0.75, window=4)
    mix.observe(episodes(1, [True] * 4))
    mix.observe(episodes(1, [True] * 100))
    assert mix.stage == 1
    mix.observe(episodes(2, [True] * 3) + episodes(1, [True] * 9))
    assert mix.stage == 1
    mix.observe(episodes(2, [True]))
    assert mix.stage == 2


def test_only_the_last_episodes_count() -> None:
    mix = LevelMix(STAGES, 1.0, window=3)
    mix.observe(episodes(1, [True, True, False, True, True]))
    assert mix.stage == 0
    mix.observe(episodes(1, [True]))
    assert mix.stage == 1


def test_it_goes_on_from_its_state() -> None:
    mix = LevelMix(STAGES, 0.75, window=4)
    mix.observe(episodes(1, [True] * 3))
    other = LevelMix(STAGES, 0.75, window=4)
    other.set_state(mix.get_state())
    for each in (mix, other):
        each.observe(episodes(1, [True]))
    assert mix.stage == other.stage == 1
