"""The memory-net against its formulas, its statistics, and its decisions."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from memory import DecidingMemoryNet, MemoryNetConfig
from memory.core import Core, DecidingCore
from memory.cores.memory_net.running_norm import RunningNorm
from tests.present import present

T, B, F = 6, 4, 5
X = torch.randn(T, B, F, dtype=torch.double, generator=torch.Generator().manual_seed(2))
RESET = torch.zeros(T, B, dtype=torch.bool)
RESET[2, 1] = RESET[4, 3] = True


def build(**options):
    torch.manual_seed(7)
    core = MemoryNetConfig(**{"units": 6, "slots": 3, **options}).build((F,)).double()
    with torch.no_grad():
        for name, tensor in core.state_dict().items():
            if "norm" in name:
                tensor.add_(torch.rand_like(tensor))
    return core


def build_deciding(**options) -> DecidingMemoryNet:
    core = build(mode="reinforce", **options)
    assert isinstance(core, DecidingMemoryNet)
    return core


def statistics(core):
    return {name: buffer.clone() for name, buffer in core.named_buffers()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Oracle:
    """The network for one element of a batch, from the formulas."""

    def __init__(self, core):
        self.p = {name: value.detach().clone().numpy() for name, value in core.state_dict().items()}

    def norm(self, name, x):
        mean, variance = self.p[f"{name}.mean"], self.p[f"{name}.variance"]
        unit = (x - mean) / np.sqrt(variance + 1e-5)
        return unit * self.p[f"{name}.weight"] + self.p[f"{name}.bias"]

    def new(self, x, memory):
        if "rewrite.embed.weight" in self.p:
            x = self.p["rewrite.embed.weight"] @ x + self.p["rewrite.embed.bias"]
            x = np.maximum(self.norm("rewrite.embed_norm", x), 0)
        raw = self.p["rewrite.from_input.weight"] @ x + self.p["rewrite.from_input.bias"]
        if "rewrite.from_memory.weight" in self.p:  # a code of the input is made of it alone
            raw = raw + self.p["rewrite.from_memory.weight"] @ memory
        return sigmoid(self.norm("rewrite.norm", raw))


@pytest.mark.parametrize("mode", ["bptt", "frozen", "frozen_bn"])
@pytest.mark.parametrize("embedding", [0, 3])
def test_every_step_follows_the_formulas(mode, embedding):
    core = build(mode=mode, embedding=embedding)
    oracle = Oracle(core)
    outputs, _ = core(X, core.initial_state(B), RESET)
    for b in range(B):
        memory = np.zeros(6)
        for t in range(T):
            memory = oracle.new(X[t, b].numpy(), np.zeros(6) if RESET[t, b] else memory)
            expected = np.concatenate([X[t, b].numpy(), memory])
            np.testing.assert_allclose(outputs[t, b].detach(), expected, atol=1e-12)


@pytest.mark.parametrize("embedding", [0, 3])
def test_slots_are_written_or_kept_as_decided(embedding):
    core = build_deciding(embedding=embedding, output="memory")
    oracle = Oracle(core)
    decisions = torch.randint(2, (T, B, 3)).double()
    outputs, _ = core.replay(X, core.initial_state(B), RESET, decisions)
    for b in range(B):
        memory = np.zeros((3, 2))
        for t in range(T):
            memory = np.zeros((3, 2)) if RESET[t, b] else memory
            new = oracle.new(X[t, b].numpy(), memory.ravel()).reshape(3, 2)
            memory = np.where(decisions[t, b].numpy()[:, None] > 0, new, memory)
            np.testing.assert_allclose(outputs[t, b].detach(), memory.ravel(), atol=1e-12)


@pytest.mark.parametrize("mode", ["bptt", "frozen_bn", "reinforce"])
def test_a_learner_computes_what_the_actor_did_and_moves_the_statistics_once_afterwards(mode):
    core = build(mode=mode, embedding=3)
    actor = copy.deepcopy(core).eval()
    acted, _ = Core.forward(actor, X, actor.initial_state(B), RESET)
    before = statistics(core)
    core.train()
    learnt, _ = core(X, core.initial_state(B), RESET)
    torch.testing.assert_close(learnt, acted)
    assert core.rewrite.embed is not None
    rows = core.rewrite.embed(X).flatten(0, 1)
    norm = "rewrite.embed_norm"
    mean = 0.9 * before[f"{norm}.mean"] + 0.1 * rows.mean(0)
    variance = 0.9 * before[f"{norm}.variance"] + 0.1 * rows.var(0, correction=0)
    after = statistics(core)
    torch.testing.assert_close(after[f"{norm}.mean"], mean)
    torch.testing.assert_close(after[f"{norm}.variance"], variance)
    assert not torch.allclose(after["rewrite.norm.mean"], before["rewrite.norm.mean"])


def test_the_statistics_of_the_memory_are_those_of_the_whole_unroll():
    core = build(mode="frozen_bn", momentum=1.0).train()
    twin = copy.deepcopy(core)
    state, raws = core.initial_state(B), []
    for x in X:
        state, raw = core.rewrite(core.rewrite.read_input(x).summand, state)
        raws.append(raw)
    rows = torch.cat(raws)
    twin(X, twin.initial_state(B))
    torch.testing.assert_close(twin.rewrite.norm.mean, rows.mean(0))
    torch.testing.assert_close(twin.rewrite.norm.variance, rows.var(0, correction=0))


@pytest.mark.parametrize("mode", ["bptt", "frozen", "frozen_bn", "reinforce"])
def test_evaluation_and_single_steps_leave_the_statistics_alone(mode):
    core = build(mode=mode, embedding=3)
    before = statistics(core)
    core.train().step(X[0], core.initial_state(B))
    core.eval()(X, core.initial_state(B), RESET)
    if mode == "frozen":
        core.train()(X, core.initial_state(B), RESET)
    torch.testing.assert_close(statistics(core), before)


def test_the_gradient_survives_the_move_of_the_statistics():
    core = build(mode="bptt", embedding=3).train()
    outputs, _ = core(X, core.initial_state(B), RESET)
    outputs.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in core.parameters())


def test_one_row_gives_finite_statistics():
    norm = RunningNorm(2, momentum=1.0)
    norm.absorb(torch.tensor([[3.0, 4.0]]))
    assert norm.mean.tolist() == [3.0, 4.0]
    assert norm.variance.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("mode", ["frozen", "frozen_bn"])
def test_a_frozen_network_offers_nothing_to_train_but_passes_the_input_on(mode):
    core = build(mode=mode)
    assert not any(parameter.requires_grad for parameter in core.parameters())
    x = X.clone().requires_grad_()
    outputs, state = core(x, core.initial_state(B), RESET)
    assert not state.requires_grad
    outputs.sum().backward()
    assert present(x.grad).eq(1).all()


class TestDecisions:
    """The memory that takes decisions."""

    def acted(self, core):
        """Act as an actor does: sample, apply, record."""
        state, outputs, logits, decisions = core.initial_state(B), [], [], []
        for t, x in enumerate(X):
            state = torch.where(RESET[t][:, None], core.initial_state(B), state)
            logits.append(core.decide(x, state))
            decisions.append(torch.bernoulli(torch.sigmoid(logits[-1])))
            output, state = core.apply_decision(x, state, decisions[-1])
            outputs.append(output)
        return torch.stack(outputs), torch.stack(logits), torch.stack(decisions)

    def test_replaying_recorded_decisions_gives_the_outputs_and_logits_of_acting(self):
        core = build_deciding()
        outputs, logits, decisions = self.acted(core)
        assert 0 < decisions.mean() < 1
        replayed, replayed_logits = core.replay(X, core.initial_state(B), RESET, decisions)
        torch.testing.assert_close(replayed, outputs)
        torch.testing.assert_close(replayed_logits, logits)

    def test_replay_is_the_plain_replay_of_the_contract(self):
        core = build_deciding().eval()
        decisions = torch.randint(2, (T, B, 3)).double()
        ours = core.replay(X, core.initial_state(B), RESET, decisions)
        plain = DecidingCore.replay(core, X, core.initial_state(B), RESET, decisions)
        torch.testing.assert_close(ours, plain)

    def test_without_sampling_the_likelier_side_is_taken(self):
        core = build_deciding().eval()
        outputs, _ = core(X, core.initial_state(B), RESET)
        plain, _ = Core.forward(core, X, core.initial_state(B), RESET)
        torch.testing.assert_close(outputs, plain)

    def test_the_log_probability_teaches_the_deciding_network_only(self):
        core = build_deciding(embedding=3)
        x = X.clone().requires_grad_()
        decisions = torch.randint(2, (T, B, 3)).double()
        outputs, logits = core.replay(x, core.initial_state(B), RESET, decisions)
        functional.binary_cross_entropy_with_logits(logits, decisions).backward()
        trained = {name for name, p in core.named_parameters() if p.requires_grad}
        assert {name.split(".")[0] for name in trained} == {"decision"}
        assert all(present(core.get_parameter(name).grad).abs().sum() > 0 for name in trained)
        assert present(x.grad).abs().sum() > 0
        (from_memory,) = torch.autograd.grad(outputs[..., F:].sum(), x)
        assert from_memory.eq(0).all()

    def test_no_gradient_passes_from_one_decision_to_an_earlier_input(self):
        core = build_deciding()
        x = X.clone().requires_grad_()
        decisions = torch.ones(T, B, 3).double()
        _, logits = core.replay(x, core.initial_state(B), RESET, decisions)
        logits[-1].sum().backward()
        *earlier, last = present(x.grad)
        assert torch.stack(earlier).eq(0).all() and last.ne(0).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 0}, "units=0: must be at least 1"),
        ({"embedding": -1}, "embedding=-1: must be 0, for none, or more"),
        ({"momentum": 0.0}, "momentum=0.0: must be above 0 and at most 1"),
        ({"mode": "freeze"}, "mode='freeze': .* did you mean 'frozen'"),
        ({"output": "memories"}, "output='memories': .* did you mean 'memory'"),
        ({"mode": "reinforce", "slots": 0}, "slots=0: must be at least 1"),
        ({"mode": "reinforce", "slots": 7}, "units=256: must be a multiple of slots=7 .* is 259"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(options, message):
    config = MemoryNetConfig()
    for name, value in options.items():  # past the check of types, which only runs in tests
        object.__setattr__(config, name, value)
    with pytest.raises(ValueError, match=message):
        config.build((5,))
