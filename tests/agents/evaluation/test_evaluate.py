"""An evaluation is unbiased, repeatable, on levels of its own, and adds up."""

import io
import json
import math
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from rich.console import Console

from agents.evaluation.evaluate import evaluate, quotas
from agents.evaluation.player import EVALUATION, PolicyPlayer, playing
from agents.evaluation.scores import Evaluation
from agents.evaluation.tables import compare, show
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.episodes import Episode
from agents.impala.rollout import Rollout
from agents.impala.streams import actor_seeds
from envs import BoxWorldConfig, GymnasiumConfig, MiniPacmanConfig
from envs.fault import EnvironmentFault
from memory import LSTMConfig
from tests.present import present

SMALL = BoxWorldConfig(grid_size=8, solution_length=(1, 2), num_distractors=(0, 1), max_steps=30)


def policy_for(env: Any = SMALL, **fields):
    return build_policy(ImpalaConfig(env=env, core=LSTMConfig(hidden=8), **fields))


def oracle(env, seed):
    return SMALL.players["oracle"](env, seed)


def idle(env, seed):
    """Always takes action 0."""

    class Idle:
        def act(self):
            return np.zeros(env.num_envs, np.int64)

    return Idle()


class Uneven(gymnasium.Env):
    """Lasts `length` steps; the return is 1 for a long episode and 0 for a short one."""

    observation_space = Box(0, 1, (1,), np.float32)
    action_space = Discrete(2)

    def __init__(self, length: int, reward: float) -> None:
        self.length, self.reward = length, reward

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        ended = self.steps == self.length
        return np.zeros(1, np.float32), self.reward if ended else 0.0, ended, False, {}


class UnevenConfig:
    """Every other game is twenty times as long as its neighbour."""

    report: ClassVar[tuple[str, ...]] = ()

    def __init__(self, reward: float = 1.0) -> None:
        self.reward = reward

    def bounded(self, max_steps):
        return self

    def make_vector(self, num_envs, **_):
        lengths = [(2, 0.0), (40, self.reward)]
        envs = [partial(Uneven, *lengths[i % 2]) for i in range(num_envs)]
        return SyncVectorEnv(envs, autoreset_mode=AutoresetMode.SAME_STEP)


def test_short_episodes_do_not_crowd_out_long_ones():
    evaluation = evaluate(idle, UnevenConfig(), episodes=200)
    assert evaluation.score.mean_return == 0.5
    assert evaluation.score.mean_length == 21
    assert [episode.actor for episode in evaluation.episodes] == [i // 2 for i in range(200)]


@pytest.mark.parametrize(("limit", "length", "told"), [(None, 6, True), (4, 4, False)])
def test_only_an_environment_without_a_limit_is_bounded_and_this_is_said(limit, length, told):
    gymnasium.register("Uneven-v0", lambda **_: Uneven(10**9, 0.0), max_episode_steps=limit)
    try:
        config = GymnasiumConfig(id="Uneven-v0")
        evaluation = evaluate(idle, config, episodes=3, max_steps=6)
    finally:
        del gymnasium.registry["Uneven-v0"]
    assert [episode.length for episode in evaluation.episodes] == [length] * 3
    assert evaluation.as_dict()["max_steps"] == (6 if told else None)
    file = io.StringIO()
    console = Console(file=file, width=100)
    show(evaluation, console, "run")
    compare({"idle": evaluation}, console, "env")
    text = "3 of 3 episodes were truncated after 6 steps (--max-steps)"
    assert file.getvalue().count(text) == (2 if told else 0)


@pytest.mark.parametrize(("episodes", "games"), [(1, 1), (7, 3), (100, 100), (250, 100)])
def test_games_share_the_episodes_evenly(episodes, games):
    shares = quotas(episodes, games)
    assert shares.sum() == episodes
    assert len(shares) == games
    assert shares.max() - shares.min() <= 1


@pytest.mark.parametrize("episodes", [1, 3, 130])
def test_exactly_the_episodes_asked_for_are_played(episodes):
    heard = []
    evaluation = evaluate(oracle, SMALL, episodes=episodes, watch=heard.append)
    assert evaluation.score.episodes == episodes
    assert heard[-1] == episodes
    assert heard == sorted(heard)


def test_no_episodes_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        evaluate(oracle, SMALL, episodes=0)


@pytest.mark.parametrize("env", [replace(SMALL, max_steps=5), GymnasiumConfig()])
def test_the_agent_acts_as_it_acts_in_training(env):
    policy = policy_for(env)
    with torch.no_grad():  # what it sees, remembers and was given must matter
        for weights in (*policy.core.parameters(), policy.policy_head.weight):
            weights.mul_(10)
    evaluated = evaluate(policy, env, episodes=250, seed=1).episodes
    rollout = Rollout(
        env.make_vector(3),
        policy,
        actors=range(3),
        unroll=200,
        seed=1,
        start_version=EVALUATION,
        report=env.report,
    )
    trained = rollout.unroll(0).episodes
    for actor in range(3):
        of_actor = [episode for episode in evaluated if episode.actor == actor]
        assert len(of_actor) == 3
        assert of_actor == [episode for episode in trained if episode.actor == actor][:3]


def test_the_levels_are_none_of_training():
    training = {tuple(s) for version in range(3) for s in actor_seeds(0, range(100), version)}
    assert not training & {tuple(s) for s in actor_seeds(0, range(100), EVALUATION)}
    evaluation = evaluate(oracle, SMALL, episodes=100, seed=0)
    env = SMALL.make_vector(100)
    env.reset(seed=[int(s) for s in actor_seeds(0, range(100))[:, 0] >> np.uint64(1)])
    trained = env.game.info()["num_distractors"].tolist()
    assert trained != [int(e.info["num_distractors"]) for e in evaluation.episodes]


def test_the_same_seed_gives_the_same_evaluation_and_another_seed_another():
    policy = policy_for()
    first, again, other = (evaluate(policy, SMALL, episodes=12, seed=s) for s in (3, 3, 4))
    assert first == again
    assert first.episodes != other.episodes


def test_a_game_meets_the_same_levels_whoever_plays_beside_it():
    few = evaluate(oracle, SMALL, episodes=3).episodes
    many = evaluate(oracle, SMALL, episodes=9).episodes
    assert many[:3] == few


def leaning(policy, action):
    """Make the policy choose one action a little more often than the others."""
    with torch.no_grad():
        policy.policy_head.weight.zero_()
        policy.policy_head.bias.zero_()
        policy.policy_head.bias[action] = 0.1
    return policy


def acted(greedy):
    policy, env = leaning(policy_for(), 2), SMALL.make_vector(20)
    with playing(policy, env, seed=0, greedy=greedy) as player:
        actions = []
        for _ in range(10):
            actions.append(player.act())
            observations, rewards, terminated, truncated, _ = env.step(actions[-1])
            player.observe(observations, rewards, terminated | truncated)
    return np.bincount(np.concatenate(actions), minlength=4)


def test_a_greedy_agent_takes_the_likeliest_action_only():
    assert acted(greedy=True).tolist() == [0, 0, 200, 0]


def test_a_sampling_agent_takes_them_by_their_odds():
    assert (acted(greedy=False) > 20).all()


def test_evaluating_leaves_modes_and_random_states_alone():
    policy = policy_for().train()
    policy.core.eval()
    modes = [module.training for module in policy.modules()]
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    evaluate(policy, SMALL, episodes=3)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert str(np.random.get_state()) == str(numpy_state)
    assert [module.training for module in policy.modules()] == modes


def test_the_policy_is_in_evaluation_mode_while_it_plays(monkeypatch):
    seen = []
    act = PolicyPlayer.act
    monkeypatch.setattr(
        PolicyPlayer, "act", lambda self: (seen.append(self.policy.training), act(self))[1]
    )
    evaluate(policy_for().train(), SMALL, episodes=2)
    assert set(seen) == {False}


def test_modes_come_back_after_a_failure_as_well():
    policy = policy_for(UnevenConfig()).train()
    with pytest.raises(EnvironmentFault, match=r"game 1, step 40 of its episode.*not finite"):
        evaluate(policy, UnevenConfig(reward=math.nan), episodes=4)
    assert policy.training


def test_the_oracle_solves_every_level():
    score = evaluate(oracle, SMALL, episodes=60).score
    assert score.solved_rate == 1.0
    assert 0.9 < present(score.solved_interval)[0] < 1.0


@pytest.mark.parametrize("env", [SMALL, MiniPacmanConfig(frame_cap=60), GymnasiumConfig()])
def test_every_environment_has_a_random_player_to_measure(env):
    players = env.players
    evaluation = evaluate(players["random"], env, episodes=6)
    assert evaluation.score.episodes == 6
    assert all(set(env.report) <= set(episode.info) for episode in evaluation.episodes)


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(SMALL.players["greedy"], SMALL, episodes=120)


def test_boxworld_is_broken_down_by_both_parameters_and_by_their_pairs(evaluation):
    assert evaluation.breakdowns() == [
        ("solution_length",),
        ("num_distractors",),
        ("solution_length", "num_distractors"),
    ]
    pairs = evaluation.by(("solution_length", "num_distractors"))
    assert list(pairs) == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_mini_pacman_is_broken_down_by_level():
    pacman = MiniPacmanConfig(frame_cap=60)
    assert evaluate(idle, pacman, episodes=2).breakdowns() == [("level",)]


@pytest.mark.parametrize("number", range(3))
def test_the_parts_of_a_breakdown_add_up_to_the_whole(evaluation, number):
    parts = evaluation.by(evaluation.breakdowns()[number]).values()
    whole = evaluation.score
    assert sum(part.episodes for part in parts) == whole.episodes == 120
    for name in ("mean_return", "mean_length", "solved_rate"):
        total = sum(getattr(part, name) * part.episodes for part in parts)
        assert total / 120 == pytest.approx(getattr(whole, name))


def test_the_score_of_three_episodes_by_hand():
    episodes = [
        Episode(0, 1.0, 10, {"solved": 1.0, "level": 1.0}),
        Episode(0, 2.0, 20, {"solved": 0.0, "level": 1.0}),
        Episode(0, 6.0, 60, {"solved": 1.0, "level": 2.0}),
    ]
    found = Evaluation(episodes, [False, True, False], ("level",), 0, False)
    assert found.score.mean_return == 3
    assert found.score.mean_length == 30
    assert found.score.solved_rate == pytest.approx(2 / 3)
    half = 1.959964 * math.sqrt(7) / math.sqrt(3)
    assert found.score.return_interval == pytest.approx((3 - half, 3 + half), abs=1e-6)
    assert found.score.out_of_time == pytest.approx(1 / 3)
    parts = found.by(("level",)).items()
    assert {k: (s.episodes, s.solved_rate, s.out_of_time) for k, s in parts} == {
        (1.0,): (2, 0.5, 0.5),
        (2.0,): (1, 1.0, 0.0),
    }


def test_an_episode_that_is_truncated_ran_out_of_time_and_one_that_is_lost_did_not(evaluation):
    told = evaluation.as_dict()
    lost = [r for r in told["results"] if not r["solved"] and not r["out_of_time"]]
    late = [r for r in told["results"] if r["out_of_time"]]
    assert lost and all(r["return"] < 0 or r["length"] < SMALL.max_steps for r in lost)
    assert late and all(r["length"] == SMALL.max_steps for r in late)
    assert told["out_of_time"] == pytest.approx(len(late) / 120)


def no_constant(name):
    raise AssertionError(f"{name} is not JSON")


def test_the_json_holds_everything_and_reads_strictly(evaluation):
    told = json.loads(json.dumps(evaluation.as_dict()), parse_constant=no_constant)
    assert told["episodes"] == len(told["results"]) == 120
    assert told["return"]["low"] < told["return"]["mean"] < told["return"]["high"]
    rows = told["breakdown"]["solution_length x num_distractors"]
    assert [(row["solution_length"], row["num_distractors"]) for row in rows] == [
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
    ]
    mean = sum(result["return"] for result in told["results"]) / 120
    assert mean == pytest.approx(told["return"]["mean"])


def test_a_single_episode_has_an_interval_without_ends_in_json():
    evaluation = evaluate(idle, UnevenConfig(), episodes=1)
    told = json.loads(json.dumps(evaluation.as_dict()), parse_constant=no_constant)
    assert told["return"] == {"mean": 0.0, "low": None, "high": None}
    assert told["solved"] is None


def printed(show_it) -> str:
    console = Console(width=100, file=io.StringIO())
    with console.capture() as capture:
        show_it(console)
    return capture.get()


def test_the_table_shows_the_whole_and_each_level(evaluation):
    text = printed(lambda console: show(evaluation, console, "RUN [1]"))
    assert "RUN [1]" in text
    for row in ("all", "solution length 1", "num distractors 0"):
        assert row in text
    assert "solved, %, num distractors across" in text


def test_the_table_says_how_many_ran_out_of_time_and_how_many_were_lost():
    episodes = [Episode(0, 0.0, 9, {"solved": float(i == 0)}) for i in range(4)]
    found = Evaluation(episodes, [False, True, True, False], (), 0, False)
    text = printed(lambda console: show(found, console, "run"))
    assert "Not solved: 3 episodes, 2 of them out of time." in text


def test_players_are_compared_line_by_line(evaluation):
    text = printed(lambda console: compare({"greedy": evaluation, "two": evaluation}, console, "x"))
    assert "greedy" in text
    assert "two" in text
