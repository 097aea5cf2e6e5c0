"""A loaded agent acts in a loop of one's own as it does in `evaluate.py`."""

import gymnasium
import numpy as np
import pytest
import torch

import agents
from agents import load_agent
from agents.cli.presets import nearest_names
from agents.evaluation.evaluate import evaluate
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.networks.config import PolicyConfig
from agents.runs.run import Run, RunError
from envs import BoxWorldConfig, EnvConfig, GymnasiumConfig
from memory import GRUConfig, RMCConfig

BOXES = BoxWorldConfig(grid_size=8, solution_length=(1,), num_distractors=(0,), max_steps=15)
POLE = GymnasiumConfig(id="CartPole-v1", kwargs={"max_episode_steps": 12})
PENDULUM = GymnasiumConfig(id="Pendulum-v1", kwargs={"max_episode_steps": 5})


@pytest.fixture
def make(tmp_path):
    """Makes a run folder of an untrained agent."""

    def make(env: EnvConfig, core=GRUConfig(hidden=8), **policy):  # noqa: B008
        policy = PolicyConfig(**policy)
        config = ImpalaConfig(env=env, core=core, policy=policy, run_dir=tmp_path / "run")
        with Run.create(config, nearest_names(IMPALA, config), IMPALA) as run:
            run.save(frame=7, weights=build_policy(config).state_dict(), state={})
        return tmp_path / "run"

    return make


def play(agent, num_envs, **how):
    """The mean return of the first episode of each environment."""
    env = agent.make_env(num_envs)
    observations, _ = env.reset(seed=agent.level_seeds(num_envs))
    state, rewards, starts = None, None, None
    returns, running = np.zeros(num_envs), np.ones(num_envs, bool)
    while running.any():
        actions, state = agent.act(observations, state, starts, reward=rewards, **how)
        observations, rewards, terminated, truncated, _ = env.step(actions)
        starts = terminated | truncated
        returns += rewards * running
        running &= ~starts
    return returns.mean()


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("env", [BOXES, POLE, PENDULUM], ids=["boxes", "pole", "pendulum"])
def test_a_loop_of_ones_own_gets_the_return_of_evaluate(make, env, deterministic):
    agent = load_agent(make(env), seed=3)
    scores = evaluate(agent.policy, env, episodes=8, seed=3, greedy=deterministic).score
    assert play(agent, 8, deterministic=deterministic) == pytest.approx(scores.mean_return)


def test_random_numbers_continue_until_they_are_seeded(make):
    agent = load_agent(make(POLE), seed=3)
    first, second = play(agent, 4), play(agent, 4)
    agent.seed(3)
    assert play(agent, 4) == first != second


def test_one_game_is_a_batch_of_one_without_the_axis(make):
    folder = make(BOXES)
    one, batch = load_agent(str(folder), seed=1), load_agent(folder, seed=1)
    env = gymnasium.make("envs:BoxWorldViewport-v0")
    observation, _ = env.reset(seed=2)
    state, states = None, None
    reward: float | None = None
    for _ in range(5):
        action, state = one.act(observation, state, reward=reward)
        rewards = None if reward is None else np.array([reward])
        actions, states = batch.act(observation[None], states, reward=rewards)
        assert action.shape == () and np.array_equal(actions, [action])
        observation, given, *_ = env.step(action)
        reward = float(given)


def test_the_start_of_an_episode_forgets_the_one_before(make):
    agent = load_agent(make(BOXES))
    observations, _ = agent.make_env(2).reset(seed=4)
    kwargs = {"reward": [1.0, 1.0], "deterministic": True}
    _, fresh = agent.act(observations, **kwargs)
    _, after = agent.act(observations, fresh, [True, False], **kwargs)
    assert torch.equal(after.core[0], fresh.core[0])
    assert not torch.equal(after.core[1], fresh.core[1])


def test_an_agent_that_sees_its_reward_needs_it(make):
    agent = load_agent(make(POLE))
    observation, _ = agent.make_env(1).reset(seed=0)
    _, state = agent.act(observation)
    with pytest.raises(ValueError, match="reward is missing"):
        agent.act(observation, state)
    agent.act(observation, state, [True])


def test_an_agent_that_does_not_see_its_reward_needs_none(make):
    agent = load_agent(make(POLE, last_reward=False))
    observation, _ = agent.make_env(1).reset(seed=0)
    _, state = agent.act(observation)
    agent.act(observation, state)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observation": np.zeros(3)}, r"observation has the shape \[3\]; expected \[4\]"),
        ({"episode_start": [True]}, r"episode_start has the shape \[1\]; expected \[2\]"),
        ({"reward": 1.0}, r"reward has the shape \[1\]; expected \[2\]"),
        ({"observation": np.zeros((3, 4))}, "state is of 2 games, observation of 3"),
    ],
)
def test_a_wrong_shape_is_named(make, changes, message):
    agent = load_agent(make(POLE, last_reward=False))
    _, state = agent.act(np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match=message):
        agent.act(**{"observation": np.zeros((2, 4)), "state": state, **changes})


def test_the_memory_is_seen_as_it_is_when_acting(make):
    core = RMCConfig(slots=2, heads=2, units=8)
    agent = load_agent(make(BOXES, core))
    observations, _ = agent.make_env(3).reset(seed=1)
    _, state = agent.act(observations)
    given = {"state": state, "episode_start": [False, True, False], "reward": [0.0, 1.0, 0.0]}
    seen = agent.inspect(observations, **given)
    _, after = agent.act(observations, **given)
    torch.testing.assert_close(seen.states["memory"][0], after.core)
    attention = seen.observed["blocks.0.attend.weights"][0]
    torch.testing.assert_close(attention.sum(-1), torch.ones_like(attention.sum(-1)))


def test_a_misspelt_agent_gets_the_nearest_name():
    with pytest.raises(RunError, match="Did you mean boxworld-easy-lstm"):
        load_agent("boxworld-easy-lst")


def test_every_public_name_is_there_and_others_are_not():
    assert all(getattr(agents, name) for name in agents.__all__)
    with pytest.raises(AttributeError, match="no attribute 'load_agnt'"):
        _ = agents.load_agnt  # pyright: ignore[reportAttributeAccessIssue]
