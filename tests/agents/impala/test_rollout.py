"""Acting: how trajectories join, what is written where, and that learning sees what acting did."""

import pickle
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from agents.impala.build import build_policy, build_rollout
from agents.impala.config import ImpalaConfig, LossConfig
from agents.impala.learning.losses import impala_loss
from agents.impala.rollout import Rollout
from agents.impala.trajectory import Trajectory, join
from agents.networks.config import PolicyConfig
from agents.networks.distributions import MASKED
from agents.networks.inputs import Inputs
from envs import ENVS, BoxWorldConfig, GymnasiumConfig, MiniPacmanConfig
from envs.fault import EnvironmentFault
from memory import Core, CoreConfig, LSTMConfig, MemoryNetConfig, map_state, state_leaves
from tests.present import present

LENGTHS = (3, 5, 4)
ACTORS, UNROLL = 3, 6
LSTM = LSTMConfig(hidden=16)


class StepCounter(Core[Tensor]):
    """Its state is the number of inputs since the reset, from -1; it shows that and the input."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.output_size = features + 1

    def initial_state(self, batch: int) -> Tensor:
        return torch.full((batch, 1), -1.0)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = state + 1
        return torch.cat([x, state], dim=1), state


@dataclass(frozen=True, kw_only=True)
class StepCounterConfig(CoreConfig):
    """Configuration of `StepCounter`."""

    def build(self, input_shape: tuple[int, ...]) -> StepCounter:
        return StepCounter(*input_shape)


def start(config: ImpalaConfig, actors: range | None = None) -> Rollout:
    """The rollout of a run, or of some of its actors."""
    return build_rollout(config, build_policy(config), actors or range(config.actors), 0)


def counting(**fields: Any) -> ImpalaConfig:
    env = GymnasiumConfig(id="Counter-v0", kwargs={"lengths": LENGTHS})
    settings = {"env": env, "core": StepCounterConfig(), "actors": ACTORS, "unroll": UNROLL}
    return ImpalaConfig(**(settings | fields))


@pytest.fixture
def rollout() -> Rollout:
    return start(counting())


@pytest.fixture
def unrolls(rollout: Rollout) -> list[Trajectory]:
    return [rollout.unroll(version).trajectory for version in range(4)]


def whole(unrolls: list[Trajectory], leaf: str) -> Tensor:
    """What every transition wrote, over all unrolls."""
    return torch.cat([getattr(trajectory, leaf) for trajectory in unrolls])


def test_the_last_input_of_an_unroll_is_the_first_of_the_next(unrolls) -> None:
    for one, following in pairwise(unrolls):
        for end, begin in zip(one.inputs, following.inputs, strict=True):
            assert torch.equal(end[-1], begin[0])


def test_states_count_the_steps_of_the_episode_across_unrolls(unrolls) -> None:
    assert torch.equal(unrolls[0].state, torch.full((ACTORS, 1), -1.0))
    for one in unrolls[1:]:
        is_first, steps = one.inputs.resets[0], one.inputs.observations[0, :, 1]
        assert torch.equal(one.state[~is_first, 0] + 1, steps[~is_first])
    assert any(one.inputs.resets[0].any() for one in unrolls[1:])
    assert any(not one.inputs.resets[0].all() for one in unrolls[1:])


def test_observations_count_on_and_resets_mark_first_steps(unrolls) -> None:
    inputs = [one.inputs for one in unrolls]
    seen = torch.cat([i.observations[:-1] for i in inputs])
    resets = torch.cat([i.resets[:-1] for i in inputs])
    assert torch.equal(seen[:, 0, 0], torch.arange(len(seen), dtype=torch.float32))
    assert torch.equal(resets, seen[..., 1] == 0)
    steps = [step for length in LENGTHS * 2 for step in range(length)]
    assert seen[:, 0, 1].tolist() == steps


def test_rewards_actions_and_ends_are_those_of_the_transition(unrolls) -> None:
    actions, rewards = whole(unrolls, "actions"), whole(unrolls, "rewards")
    transitions = torch.arange(len(rewards))[:, None]
    assert torch.equal(rewards, 10.0 * (transitions + 1) + actions)
    assert len(actions.unique()) == 3
    # Episodes of 3, 5 and 4 steps, of which the middle one is truncated only.
    assert whole(unrolls, "terminated")[:, 0].nonzero().flatten().tolist() == [2, 11, 14, 23]
    assert whole(unrolls, "truncated")[:, 0].nonzero().flatten().tolist() == [7, 19]


def test_what_was_truncated_is_worth_the_value_of_its_final_observation(rollout) -> None:
    rollout.env.envs[1].unwrapped.lengths = (2, 5, 1)
    trajectories = [rollout.unroll(0).trajectory for _ in range(4)]
    checked = 0
    for one in trajectories:
        assert not one.truncation_values[~one.truncated].any()
        for t, actor in one.truncated.nonzero().tolist():
            final = one.inputs.last_rewards[t + 1, actor] // 10
            inputs = Inputs(
                torch.tensor([[[final, 5.0]]]),
                one.inputs.last_actions[t + 1, actor].view(1, 1),
                one.inputs.last_rewards[t + 1, actor].view(1, 1),
                torch.zeros(1, 1, dtype=torch.bool),
            )
            with torch.no_grad():  # five inputs came before it
                value = rollout.policy(inputs, torch.tensor([[4.0]])).values
            assert_close(one.truncation_values[t, actor], value.squeeze())
            checked += 1
    assert checked == 2 + 3 + 2


@pytest.mark.parametrize(
    "core, decides",
    [(LSTM, False), (MemoryNetConfig(mode="reinforce", units=8, slots=2), True)],
    ids=["lstm", "memory_net"],
)
def test_only_a_core_that_decides_computes_the_step_after_the_last(
    core, decides, monkeypatch
) -> None:
    rollout = start(small(core, unroll=4))
    act, called = rollout.policy.act, []
    monkeypatch.setattr(rollout.policy, "act", lambda *given: called.append(0) or act(*given))
    trajectory = rollout.unroll(0).trajectory
    assert not trajectory.truncated.any()  # their values take another call
    assert len(called) == 4 + decides
    assert trajectory.decision_logits[-1].any() == decides


def test_episodes_tell_their_return_and_length_across_unrolls(rollout) -> None:
    unrolls = [rollout.unroll(0) for _ in range(4)]
    rewards = whole([u.trajectory for u in unrolls], "rewards").double()
    episodes = [episode for u in unrolls for episode in u.episodes]
    for actor in range(ACTORS):
        mine = [e for e in episodes if e.actor == actor]
        assert [e.length for e in mine] == [3, 5, 4, 3, 5, 4]
        parts = rewards[:, actor].split([e.length for e in mine])
        assert [e.episode_return for e in mine] == [part.sum().item() for part in parts]


def test_actors_go_by_their_numbers_in_the_run() -> None:
    episodes = start(counting(), range(5, 8)).unroll(0).episodes
    assert {e.actor for e in episodes} == {5, 6, 7}


def test_the_version_is_noted_for_every_actor(unrolls) -> None:
    assert [one.version.tolist() for one in unrolls] == [[v] * ACTORS for v in range(4)]


def test_episodes_carry_what_the_environment_reports() -> None:
    rollout = start(counting(env=BoxWorldConfig(max_steps=5), core=LSTM, actors=8))
    levels = rollout.env.game.info()
    infos = {episode.actor: episode.info for episode in rollout.unroll(0).episodes}
    assert len(infos) == 8
    for name in ("solution_length", "num_distractors"):
        assert [infos[actor][name] for actor in range(8)] == levels[name].tolist()
    assert {info["solved"] for info in infos.values()} == {0.0}


# Learning sees what acting did.

GAMES = {
    "boxworld": BoxWorldConfig(max_steps=6),
    "minipacman": MiniPacmanConfig(frame_cap=8),
    "counter": GymnasiumConfig(id="Counter-v0"),
}


def small(core: Any, env: str = "boxworld", **fields: Any) -> ImpalaConfig:
    settings = {"actors": 4, "unroll": 10, "policy": PolicyConfig(channels=(4, 6))}
    return ImpalaConfig(env=GAMES[env], core=core, **(settings | fields))


def stir(policy: torch.nn.Module) -> None:
    """Statistics and biases that are no longer 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for leaf in policy.state_dict().values():
            leaf.add_(0.1 * torch.rand(leaf.shape, generator=generator))


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("env", GAMES)
def test_with_equal_weights_the_learner_gives_the_logits_of_the_actor(core, env, training) -> None:
    rollout = start(small(core, env))
    stir(rollout.policy)
    rollout.unroll(0)
    stir(rollout.policy)  # nothing that was made of the first weights may act from now on
    batch = rollout.unroll(0).trajectory
    assert batch.inputs.resets[1:-1].any() and not batch.inputs.resets[0].all()
    policy = rollout.policy.train(training)
    out = policy(batch.inputs, batch.state, batch.decisions)
    assert_close(out.logits[:-1], batch.logits, atol=1e-5, rtol=1e-5)
    assert_close(out.decision_logits, batch.decision_logits, atol=1e-5, rtol=1e-5)
    assert batch.decision_logits.shape[-1] == (4 if getattr(core, "mode", "") == "reinforce" else 0)


def test_actor_and_learner_take_and_weigh_only_the_actions_that_a_mask_allows() -> None:
    taxi = GymnasiumConfig(id="Taxi", kwargs={"max_episode_steps": 12})
    rollout = start(ImpalaConfig(env=taxi, core=LSTM, actors=8, unroll=30))
    batch, policy = rollout.unroll(0).trajectory, rollout.policy
    slot = policy.mask_slot
    assert slot is not None
    allowed = batch.inputs.observations[:-1, :, slot.start : slot.stop].bool()
    assert not allowed.all() and allowed.any(-1).all()
    assert allowed.gather(-1, batch.actions[..., None]).all()
    out = policy(batch.inputs, batch.state, batch.decisions)
    for logits in (batch.logits, out.logits[:-1]):
        assert torch.equal(logits == MASKED, ~allowed)
    loss = impala_loss(out, batch, LossConfig(), policy.distribution)
    assert_close(loss.mean_rho, torch.tensor(1.0))
    assert_close(loss.kl, torch.tensor(0.0), atol=1e-6, rtol=0)
    assert 0 < loss.entropy < allowed.sum(-1).float().log().mean() + 1e-6
    (loss.policy - loss.entropy).backward()
    assert torch.stack(
        [present(w.grad).isfinite().all() for w in policy.policy_head.parameters()]
    ).all()


def test_the_stored_state_leads_to_the_next_stored_state(core) -> None:
    rollout = start(small(core))
    one, following = (rollout.unroll(0).trajectory for _ in range(2))
    state, policy = one.state, rollout.policy
    for t in range(len(one.logits)):
        now = Inputs(*(x[t : t + 1] for x in one.inputs))
        # A decision taken is repeated by the number that must fall below its probability.
        uniforms = torch.cat([torch.zeros(4, 1), 1.0 - one.decisions[t]], dim=1)
        with torch.no_grad():
            _, state = policy.act(now, state, uniforms)
    map_state(lambda a, b: assert_close(a, b) or a, state, following.state)


@pytest.mark.parametrize("core", [LSTM, MemoryNetConfig(units=16, slots=4, mode="reinforce")])
def test_episodes_do_not_depend_on_how_actors_are_spread(core) -> None:
    config = small(core, actors=8, unroll=25)
    together = start(config).unroll(0).trajectory
    apart = [start(config, actors).unroll(0).trajectory for actors in (range(4), range(4, 8))]
    for leaf, joined in zip(together.inputs, join(apart).inputs, strict=True):
        assert torch.equal(leaf, joined)
    assert torch.equal(together.decisions, join(apart).decisions)


def test_another_seed_and_another_start_give_other_levels() -> None:
    config = small(LSTM)
    policy = build_policy(config)
    first = [
        build_rollout(c, policy, range(4), version).inputs.observations
        for c, version in ((config, 0), (small(LSTM, seed=1), 0), (config, 1))
    ]
    assert not torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])
    assert not torch.equal(first[0][0], first[0][1])


def test_a_rollout_goes_on_from_its_state_bit_for_bit(core) -> None:
    config = small(core, "minipacman")
    original = start(config)
    original.unroll(0)
    state = original.get_state()
    copy = start(config, range(4))
    copy.set_state(state)
    for _ in range(2):
        (one, episodes), (other, other_episodes) = original.unroll(1), copy.unroll(1)
        assert episodes == other_episodes
        for a, b in zip(state_leaves(one), state_leaves(other), strict=True):
            assert torch.equal(a, b)


def test_a_state_needs_an_environment_with_one() -> None:
    with pytest.raises(TypeError, match="get_state"):
        start(counting()).get_state()


def test_every_environment_of_the_registry_can_be_acted_in() -> None:
    for env in ENVS.values():
        config = ImpalaConfig(env=env, core=LSTM, actors=2, unroll=3)
        assert start(config).unroll(0).trajectory.logits.shape[:2] == (3, 2)


FAULTS = {
    "raises": "step raised OSError: the emulator is gone",
    "nan observation": "observation is not finite",
    "nan at the end": "observation is not finite",
    "nan reward": "reward is nan",
    "wrong shape": r"observation has the shape \[3\]; its space says \[2\]",
    "wrong type": "observation is complex128; its space says float32",
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_fault_names_the_actor_the_step_and_the_reason(how) -> None:
    env = GymnasiumConfig(id="Faulty-v0", kwargs={"how": how})
    rollout = start(counting(env=env), range(20, 23))
    rollout.unroll(0)
    rollout.env.envs[1].unwrapped.fails_at = UNROLL + 4
    reason = f"actor 21, step 10 of its episode: .*{FAULTS[how]}"
    with pytest.raises(EnvironmentFault, match=reason) as caught:
        rollout.unroll(0)
    copy = pickle.loads(pickle.dumps(caught.value))  # as Ray and Gymnasium send it
    assert ("raise OSError" in EnvironmentFault(copy).trace) == ("raised OSError" in str(copy))


def test_a_first_reset_that_fails_names_the_actor() -> None:
    config = counting(env=GymnasiumConfig(id="Faulty-v0"))
    policy = build_policy(config)
    env = config.env.make_vector(3)
    env.envs[2].unwrapped.fails_at = 0
    with pytest.raises(EnvironmentFault, match=r"actor 6, .*reset raised OSError: the emulator"):
        Rollout(env, policy, actors=range(4, 7), unroll=3, seed=0)
