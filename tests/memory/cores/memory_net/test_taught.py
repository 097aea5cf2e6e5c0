"""Memory-nets taught by losses: the published rule, why it teaches nothing, and its repair."""

import copy

import numpy as np
import pytest
import torch

from memory import MemoryNetConfig
from memory.cores.memory_net.taught import TaughtMemoryNet, published_td_loss
from tests.present import present

T, B, N = 6, 4, 5
RANDOM = torch.Generator().manual_seed(3)
X = torch.randn(T, B, N, dtype=torch.double, generator=RANDOM)
LOSSES = 1.54 + torch.rand(T, B, dtype=torch.double, generator=RANDOM)
NEVER = torch.zeros(T, B, dtype=torch.bool)
RESET = NEVER.clone()
RESET[2, 1] = RESET[4, 3] = True


def build(mode, **options) -> TaughtMemoryNet:
    torch.manual_seed(7)
    core = MemoryNetConfig(**{"units": 6, "mode": mode, **options}).build((N,)).double()
    with torch.no_grad():
        for name, tensor in core.state_dict().items():
            if "norm" in name:
                tensor.add_(torch.rand_like(tensor))
    assert isinstance(core, TaughtMemoryNet)
    return core


def gradients(core, losses, reset=NEVER):
    core.zero_grad()
    start = core.initial_state(B)
    core.memory_loss(X, start, reset, losses).backward()
    return {n: p.grad.clone() for n, p in core.named_parameters() if p.grad is not None}


def others(losses):
    """The same losses in another order, and their mean in place of each."""
    shuffled = losses.flatten()[torch.randperm(losses.numel(), generator=RANDOM)]
    return shuffled.view_as(losses), losses.mean().expand_as(losses)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_batch(core, rows, memories):
    p = {name: value.numpy() for name, value in core.state_dict().items()}
    raw = rows @ p["rewrite.from_input.weight"].T + p["rewrite.from_input.bias"]
    raw = raw + memories @ p["rewrite.from_memory.weight"].T
    unit = (raw - raw.mean(0)) / np.sqrt(raw.var(0) + 1e-5)
    return sigmoid(unit * p["rewrite.norm.weight"] + p["rewrite.norm.bias"])


@pytest.mark.parametrize(
    ("output", "lag"), [("input_and_memory", 0), ("input_and_memory_before", 1)]
)
@pytest.mark.parametrize("reset", [NEVER, RESET])
def test_the_published_loss_follows_the_formula(output, lag, reset):
    core = build("published", output=output).eval()
    with torch.no_grad():
        after, _ = core.rewrite.unroll(X, core.initial_state(B), reset)[1:3]
    pairs = [(t, b) for t in range(T - 1) for b in range(B) if not reset[t + 1, b]]
    empty = np.zeros(6)
    found = [
        empty if t == 0 or reset[t, b] else after[t - 1, b].numpy() for t, b in pairs
    ]  # the memory before step t
    actual = by_batch(core, np.array([X[t, b].numpy() for t, b in pairs]), np.array(found))
    later = np.array([after[t, b].numpy() for t, b in pairs])
    policy = by_batch(core, np.array([X[t + 1, b].numpy() for t, b in pairs]), later)
    reward = np.array([-3.0 * np.log(1 + LOSSES[t + lag, b].item()) for t, b in pairs])
    error = np.abs(actual - 0.99 * policy - reward[:, None])
    expected = np.where(error < 1, 0.5 * error**2, error - 0.5).mean()
    loss = core.memory_loss(X, core.initial_state(B), reset, LOSSES)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_the_published_gradient_flows_through_both_sides_of_the_difference():
    core = build("published").eval()
    found = gradients(core, LOSSES)["rewrite.from_memory.weight"][2, 1].item()
    sums = []
    for step in (1e-6, -1e-6):
        moved = copy.deepcopy(core)
        assert moved.rewrite.from_memory is not None
        moved.rewrite.from_memory.weight.data[2, 1] += step
        # The memories that the pairs start from are given: only the two sides may change.
        with torch.no_grad():
            memories = core.rewrite.unroll(X, core.initial_state(B), NEVER)
            policy = moved.rewrite.by_batch(X[1:].flatten(0, 1), memories.before[1:].flatten(0, 1))
            actual = moved.rewrite.by_batch(
                X[:-1].flatten(0, 1), memories.before[:-1].flatten(0, 1)
            )
            reward = -3.0 * LOSSES[:-1].flatten().log1p()
            sums.append(published_td_loss(actual, policy, reward, 0.99).item())
    assert found == pytest.approx((sums[0] - sums[1]) / 2e-6, rel=1e-5)


@pytest.mark.parametrize("embedding", [0, 3])
def test_the_published_gradient_does_not_depend_on_the_losses(embedding):
    core = build("published", embedding=embedding).eval()
    true = gradients(core, LOSSES)
    assert any(gradient.abs().max() > 1e-6 for gradient in true.values())
    for wrong in others(LOSSES):
        for name, gradient in gradients(core, wrong).items():
            assert (gradient - true[name]).abs().max().item() == 0.0, name


def test_the_mended_gradient_depends_on_the_losses_through_the_critic():
    core = build("td_fixed").eval()
    true = gradients(core, LOSSES)
    for wrong in others(LOSSES):
        found = gradients(core, wrong)
        assert (found["critic.0.weight"] - true["critic.0.weight"]).abs().max() > 1e-4
    # The memory's own gradient is the critic's slope: it feels the losses once the critic does.
    credited = []
    for losses in (LOSSES, others(LOSSES)[0]):
        taught = copy.deepcopy(core)
        assert taught.critic is not None
        optimizer = torch.optim.Adam(taught.critic.parameters(), 0.01)
        for _ in range(20):
            gradients(taught, losses)
            optimizer.step()
        credited.append(gradients(taught, losses)["rewrite.from_memory.weight"])
    assert (credited[0] - credited[1]).abs().max() > 1e-4


def test_the_target_of_the_critic_carries_no_gradient_and_ends_at_a_reset():
    core = build("td_fixed").eval()
    critic = core.critic
    assert critic is not None
    with torch.no_grad():
        after = core.rewrite.unroll(X, core.initial_state(B), RESET).after
    values = critic(torch.cat([X, after], -1)).squeeze(-1)
    goes_on = (~RESET[1:]).double()
    targets = (-LOSSES[:-1] + 0.99 * goes_on * values[1:]).detach()
    expected = torch.autograd.grad(
        0.5 * (values[:-1] - targets).square().mean(), list(critic.parameters())
    )
    core.memory_loss(X, core.initial_state(B), RESET, LOSSES).backward()
    for parameter, gradient in zip(critic.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_each_unit_is_credited_with_the_slope_of_the_critic_along_it():
    core = build("td_fixed").eval()
    assert core.critic is not None
    found = gradients(core, LOSSES)["rewrite.from_input.bias"]
    with torch.no_grad():
        unroll = core.rewrite.unroll(X, core.initial_state(B), NEVER)
        expected = torch.zeros(6, dtype=torch.double)
        step = 1e-6
        for unit in range(6):
            sums = []
            for sign in (1, -1):
                raw = unroll.raws.clone()
                raw[..., unit] += sign * step
                memory = torch.sigmoid(core.rewrite.norm(raw))
                sums.append(core.critic(torch.cat([X, memory], -1)).sum())
            expected[unit] = -(sums[0] - sums[1]) / (2 * step) / (T * B)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("mode", ["published", "td_fixed"])
def test_the_loss_teaches_the_core_and_nothing_before_it(mode):
    core = build(mode, embedding=3)
    x, losses = X.clone().requires_grad_(), LOSSES.clone().requires_grad_()
    start = core.initial_state(B).requires_grad_()
    core.memory_loss(x, start, RESET, losses).backward()
    assert x.grad is None and losses.grad is None and start.grad is None
    for name, parameter in core.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("mode", ["published", "td_fixed"])
def test_statistics_move_where_the_memory_is_taught_and_in_training_only(mode):
    core = build(mode)
    before = core.rewrite.norm.mean.clone()
    core.train()(X, core.initial_state(B), RESET)
    core.eval().memory_loss(X, core.initial_state(B), RESET, LOSSES)
    assert torch.equal(core.rewrite.norm.mean, before)
    core.train().memory_loss(X, core.initial_state(B), RESET, LOSSES)
    assert not torch.allclose(core.rewrite.norm.mean, before)


def test_an_unroll_of_nothing_but_resets_teaches_nothing():
    core = build("published")
    loss = core.memory_loss(X, core.initial_state(B), ~NEVER, LOSSES)
    loss.backward()
    assert loss.item() == 0 and present(core.rewrite.norm.bias.grad).eq(0).all()


def test_losses_below_zero_are_damped_by_their_size():
    core = build("published").eval()
    loss = core.memory_loss(X, core.initial_state(B), NEVER, -LOSSES)
    assert loss.isfinite()


@pytest.mark.parametrize("discount", [-0.1, 1.0])
def test_a_wrong_discount_is_refused(discount):
    with pytest.raises(ValueError, match=rf"discount={discount}: must be at least 0 and below 1"):
        build("td_fixed", discount=discount)
