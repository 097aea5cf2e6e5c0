"""A group of actors acts with the weights and the levels that it is sent."""

from dataclasses import replace

import torch
from torch.testing import assert_close

from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.local_workers import LocalWorkers
from agents.impala.workers import ActingGroup, UnrollRequest
from agents.networks.config import PolicyConfig
from agents.runs.weights import flatten
from envs import BoxWorldConfig
from memory import LSTMConfig

CONFIG = ImpalaConfig(
    env=BoxWorldConfig(grid_size=8, solution_length=(1, 2, 3), num_distractors=(0,), max_steps=3),
    core=LSTMConfig(hidden=8),
    policy=PolicyConfig(channels=(4, 6)),
    actors=4,
    unroll=5,
)
FIRST = UnrollRequest(flatten(build_policy(CONFIG)), 0, {})


def test_actors_act_with_the_weights_that_they_are_sent() -> None:
    group = ActingGroup(CONFIG, range(4), FIRST)
    for seed in (1, 2):
        sent = build_policy(replace(CONFIG, seed=seed)).eval()
        batch = group.act(UnrollRequest(flatten(sent), seed, {})).unroll.trajectory
        assert batch.version.tolist() == [seed] * 4
        with torch.no_grad():
            logits = sent(batch.inputs, batch.state).logits[:-1]
        assert_close(batch.logits, logits)


def test_new_episodes_are_on_the_levels_that_are_sent() -> None:
    group = ActingGroup(CONFIG, range(4), FIRST)
    weights = flatten(group.policy)
    for length in (3, 1):
        options = {"solution_length": (length,), "num_distractors": (0,)}
        group.act(UnrollRequest(weights, 0, options))
        # Episodes of three steps: all are on the new levels after the first unroll.
        episodes = group.act(UnrollRequest(weights, 0, options)).unroll.episodes
        group.act(UnrollRequest(weights, 0, options))
        assert {episode.info["solution_length"] for episode in episodes[4:]} == {length}


def test_local_workers_act_with_the_newest_request_and_only_when_asked_to_wait() -> None:
    weights = [flatten(build_policy(CONFIG))]
    workers = LocalWorkers(CONFIG, lambda: UnrollRequest(weights[-1], len(weights), {}))
    assert workers.gather(room=100, wait=False) == []
    for version in (1, 2):
        (result,) = workers.gather(room=0, wait=True)
        assert result.unroll.trajectory.version.tolist() == [version] * 4
        weights.append(weights[-1] + 1)


def test_the_first_episodes_are_on_the_levels_that_are_sent() -> None:
    options = {"solution_length": (1,), "num_distractors": (0,)}
    group = ActingGroup(CONFIG, range(4), FIRST._replace(level_options=options))
    episodes = group.act(FIRST._replace(level_options=options)).unroll.episodes
    assert {episode.info["solution_length"] for episode in episodes} == {1}
