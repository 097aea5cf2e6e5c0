"""The curriculum advances when enough of its newest levels were solved."""

from agents.impala.level_curriculum import LevelCurriculum

STAGES = ({"length": (1,)}, {"length": (1, 2)}, {"length": (1, 2, 3)})


def episodes(length: int, solved: list[bool]) -> list[dict[str, float]]:
    return [{"length": float(length), "solved": float(each)} for each in solved]


def test_without_a_rate_all_levels_are_in_use_from_the_start() -> None:
    curriculum = LevelCurriculum(STAGES, None)
    curriculum.observe(episodes(1, [False] * 600))
    assert curriculum.options == STAGES[2]
    assert curriculum.is_last_stage


def test_it_starts_with_the_easiest_levels_and_advances_stage_by_stage() -> None:
    curriculum = LevelCurriculum(STAGES, 0.75, window=4)
    assert curriculum.options == STAGES[0]
    curriculum.observe(episodes(1, [True, True, True]))
    assert curriculum.stage == 0, "the window is not full"
    curriculum.observe(episodes(1, [False]))
    assert curriculum.options == STAGES[1]
    curriculum.observe(episodes(2, [True] * 4))
    assert curriculum.is_last_stage
    curriculum.observe(episodes(3, [True] * 8))
    assert curriculum.options == STAGES[2]


def test_levels_of_an_earlier_stage_do_not_count() -> None:
    curriculum = LevelCurriculum(STAGES, 0.75, window=4)
    curriculum.observe(episodes(1, [True] * 4))
    curriculum.observe(episodes(1, [True] * 100))
    assert curriculum.stage == 1
    curriculum.observe(episodes(2, [True] * 3) + episodes(1, [True] * 9))
    assert curriculum.stage == 1
    curriculum.observe(episodes(2, [True]))
    assert curriculum.stage == 2


def test_only_the_last_episodes_count() -> None:
    curriculum = LevelCurriculum(STAGES, 1.0, window=3)
    curriculum.observe(episodes(1, [True, True, False, True, True]))
    assert curriculum.stage == 0
    curriculum.observe(episodes(1, [True]))
    assert curriculum.stage == 1


def test_a_restored_curriculum_continues() -> None:
    curriculum = LevelCurriculum(STAGES, 0.75, window=4)
    curriculum.observe(episodes(1, [True] * 3))
    other = LevelCurriculum(STAGES, 0.75, window=4)
    other.set_state(curriculum.get_state())
    for each in (curriculum, other):
        each.observe(episodes(1, [True]))
    assert curriculum.stage == other.stage == 1
