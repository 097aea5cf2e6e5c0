"""Decisions learnt by reinforcement: the estimator, against every possible decision."""

import itertools

import pytest
import torch

from memory import DecidingMemoryNet, MemoryNetConfig
from memory.core import Core, DecidingCore
from memory.cores.memory_net.memory_net import MemoryNetMode
from memory.supervised import ReaderConfig, Trainer, TrainingConfig, build_reader
from memory.supervised.objective import Answers, Reinforcement, objective_of
from memory.supervised.reinforcement import (
    ReinforcementConfig,
    advantages_of,
    decision_loss,
    entropy,
    sample,
)
from memory.supervised.tasks.delayed_recall import DelayedRecallConfig
from memory.supervised.tasks.logic import LogicConfig

T, SLOTS, FEATURES = 3, 2, 2


def deciding() -> DecidingMemoryNet:
    torch.manual_seed(3)
    core = MemoryNetConfig(mode="reinforce", units=4, slots=SLOTS, decision_units=3)
    built = core.build((FEATURES,)).double().eval()
    assert isinstance(built, DecidingMemoryNet)
    with torch.no_grad():
        for parameter in built.decision.parameters():
            parameter.normal_()
    return built


def losses_of(hidden):
    """Any loss of what the core shows."""
    return 5 * (hidden * torch.linspace(-1, 2, hidden.shape[-1]).double()).sum(-1).sin()


def test_the_estimator_is_unbiased():
    """Its mean over samples is the gradient of the expected loss, by enumeration."""
    core = deciding()
    weights = list(core.decision.parameters())
    x = torch.randn(T, 1, FEATURES, dtype=torch.double)
    never = torch.zeros(T, 1, dtype=torch.bool)

    def unroll(decisions):
        lanes = decisions.shape[1]
        state = core.initial_state(lanes)
        return core.replay(x.expand(-1, lanes, -1), state, never.expand(-1, lanes), decisions)

    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=T * SLOTS))).double()
    hidden, logits = unroll(every.view(-1, T, SLOTS).transpose(0, 1))
    odds = torch.distributions.Bernoulli(logits=logits).log_prob(
        every.view(-1, T, SLOTS).transpose(0, 1)
    )
    expected = (odds.sum((0, 2)).exp() * losses_of(hidden.detach()).sum(0)).sum()
    exact = torch.autograd.grad(expected, weights)

    lanes = 100_000
    random = torch.Generator().manual_seed(1)
    decisions, _ = sample(
        core, x.expand(-1, lanes, -1), core.initial_state(lanes), never.expand(-1, lanes), random
    )
    hidden, logits = unroll(decisions)
    values = torch.tensor([[0.3], [-0.2], [0.5]]).double().expand(-1, lanes)  # any baseline
    advantages = advantages_of(
        -losses_of(hidden.detach()), values, never.expand(-1, lanes), 1.0, 1.0
    )
    estimate = torch.autograd.grad(T * decision_loss(logits, decisions, advantages), weights)
    for one, other in zip(estimate, exact, strict=True):
        torch.testing.assert_close(one, other, atol=0.05, rtol=0)
    assert max(gradient.abs().max().item() for gradient in exact) > 0.3


def test_advantages_by_hand():
    rewards = torch.tensor([[1.0], [0.0], [2.0]])
    values = torch.tensor([[0.5], [1.0], [-1.0]])
    # delta: 1 + 0.5 * 1 - 0.5 = 1; 0 + 0.5 * -1 - 1 = -1.5; 2 - (-1) = 3. Trace: 0.5 * 0.8 = 0.4.
    expected = torch.tensor([[1 + 0.4 * (-1.5 + 0.4 * 3)], [-1.5 + 0.4 * 3], [3.0]])
    never = torch.zeros(3, 1, dtype=torch.bool)
    torch.testing.assert_close(advantages_of(rewards, values, never, 0.5, 0.8), expected)
    reset = torch.tensor([[True], [False], [True]])  # the second episode earns the first nothing
    apart = torch.tensor([[1 + 0.4 * (0 - 1)], [0 - 1.0], [3.0]])
    torch.testing.assert_close(advantages_of(rewards, values, reset, 0.5, 0.8), apart)


def test_entropy_of_even_odds_is_that_of_as_many_coins():
    logits = torch.zeros(T, 5, 7)
    assert entropy(logits).item() == pytest.approx(7 * 0.693147, rel=1e-5)


def test_decisions_are_drawn_by_their_odds():
    core = deciding()
    x = torch.randn(1, 1, FEATURES, dtype=torch.double).expand(1, 20_000, -1)
    state = core.initial_state(20_000)
    never = torch.zeros(1, 20_000, dtype=torch.bool)
    drawn, _ = sample(core, x, state, never, torch.Generator().manual_seed(2))
    odds = core.decide(x[0], state)[0].sigmoid()
    torch.testing.assert_close(drawn[0].mean(0), odds, atol=0.02, rtol=0)


def trainer(mode, seed=0, **options):
    torch.manual_seed(5)
    task = LogicConfig(lengths=(2, 3), steps=12).build(seed=1)
    core = MemoryNetConfig(mode=mode, units=8, slots=4, decision_units=16, **options)
    reader = build_reader(task, core, ReaderConfig(readout=(16,)))
    return Trainer(reader, task, TrainingConfig(batch=4), seed=seed)


def test_the_core_says_how_it_has_to_be_trained():
    for mode, kind in (("reinforce", Reinforcement), ("published", Answers), ("bptt", Answers)):
        found = objective_of(trainer(mode).reader, ReinforcementConfig())
        assert type(found) is kind


@pytest.mark.parametrize("mode", ["frozen", "published", "td_fixed", "reinforce", "bptt"])
def test_training_moves_all_that_learns_and_nothing_that_is_frozen(mode):
    learner = trainer(mode)
    before = {name: p.clone() for name, p in learner.reader.named_parameters()}
    for _ in range(2):
        learner.update()
    for name, parameter in learner.reader.named_parameters():
        assert torch.equal(parameter, before[name]) != parameter.requires_grad, name


def test_a_deciding_trainer_goes_on_from_its_state_bit_for_bit():
    one, other = trainer("reinforce"), trainer("reinforce")
    for _ in range(3):
        one.update()
    other.reader.load_state_dict(one.reader.state_dict())
    other.set_state(one.get_state())
    assert one.update() == other.update()


def test_decisions_follow_the_seed():
    learnt = [trainer("reinforce", seed=seed) for seed in (0, 0, 1)]
    losses = [[learner.update()["loss"] for _ in range(2)] for learner in learnt]
    assert losses[0] == losses[1] != losses[2]


def test_the_value_of_a_step_does_not_see_its_own_decision():
    core = deciding()
    config = ReinforcementConfig(baseline_units=4)
    learner = Reinforcement(core, FEATURES, config).double()
    hidden = torch.randn(T, 2, core.output_size, dtype=torch.double, requires_grad=True)
    features = torch.randn(T, 2, FEATURES, dtype=torch.double)
    learner.values(features, hidden)[1].sum().backward()
    assert hidden.grad is not None
    assert hidden.grad[0].ne(0).any() and hidden.grad[1:].eq(0).all()


@pytest.mark.slow
def test_what_to_remember_is_learnt_by_reinforcement_where_nothing_else_can_hold_it():
    """Symbols to repeat after a pause: a frozen memory that adapts its statistics forgets them."""
    task = DelayedRecallConfig(symbols=3, length=1, delay=6).build(seed=1)
    accuracies = {}
    modes: tuple[MemoryNetMode, ...] = ("frozen_bn", "reinforce")
    for mode in modes:
        torch.manual_seed(0)
        core = MemoryNetConfig(mode=mode, units=8, slots=2)
        reader = build_reader(task, core, ReaderConfig(readout=(32,)))
        assert isinstance(reader.core, DecidingCore if mode == "reinforce" else Core)
        learner = Trainer(reader, task, TrainingConfig(batch=64, learning_rate=3e-3))
        for _ in range(400):
            learner.update()
        accuracies[mode] = learner.evaluate()["accuracy"]
    assert accuracies["reinforce"] > 0.95, accuracies
