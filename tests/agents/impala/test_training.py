"""What a training run does with the unrolls of its workers, scripted."""

from envs import BoxWorldConfig
from tests.agents.impala.scripted_training import SOLVED, prepare


def test_old_trajectories_are_dropped_and_the_lag_of_the_others_is_logged(tmp_path) -> None:
    training, workers = prepare(tmp_path / "x", updates=2, batch=4, max_lag=3)
    workers.lags = [0, 1, 9, 0, 2]
    training.train()
    lines = training.run.metrics()
    first, second = (next(x for x in lines if x["frame"] == frame) for frame in (8, 16))
    assert (first["lag/mean"], first["lag/max"], first["lag/dropped"]) == (0.5, 1, 0)
    assert (second["lag/mean"], second["lag/max"], second["lag/dropped"]) == (1, 2, 2)


def test_the_levels_of_a_stage_are_sent_to_the_actors_and_kept_over_a_resume(tmp_path) -> None:
    easy, all_levels = BoxWorldConfig(solution_length=(1, 2), num_distractors=(0,)).stages
    training, workers = prepare(tmp_path / "x", updates=2, grow_levels=0.5)
    workers.episodes = [SOLVED] * 300
    training.train()
    assert [request.level_options for request in workers.requests] == [easy, all_levels]
    resumed, workers = prepare(tmp_path / "x", updates=3, grow_levels=0.5, resume=True)
    resumed.train()
    assert [request.level_options for request in workers.requests] == [all_levels]
