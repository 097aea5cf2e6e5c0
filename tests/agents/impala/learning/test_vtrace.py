"""V-trace against the sum written in the paper, what must hold of it, and an answer by hand."""

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from agents.impala.learning.vtrace import vtrace

DOUBLE = torch.double
SIZES = {"seed": st.integers(0, 2**31), "time": st.integers(1, 9), "batch": st.integers(1, 4)}
few = settings(max_examples=60, deadline=None)


def transitions(seed: int, time: int, batch: int, spread: float) -> dict[str, Any]:
    """Random arguments of `vtrace`, all tensors; every fifth transition ends an episode."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=DOUBLE)

    going_on = torch.rand(time, batch, generator=generator) > 0.2
    return {
        "log_rhos": spread * normal(time, batch),
        "discounts": 0.9 * going_on.double(),
        "rewards": normal(time, batch),
        "values": normal(time, batch),
        "bootstrap": normal(batch),
    }


@given(**SIZES, rho_clip=st.floats(0.3, 3), c_clip=st.floats(0.3, 3), trace_decay=st.floats(0, 1))
@few
def test_equals_the_double_sum_of_the_paper(
    seed, time, batch, rho_clip, c_clip, trace_decay
) -> None:
    given = transitions(seed, time, batch, spread=1.5)
    out = vtrace(**given, rho_clip=rho_clip, c_clip=c_clip, trace_decay=trace_decay)
    ratios = given["log_rhos"].exp()
    rhos, cs = ratios.clamp(max=rho_clip), trace_decay * ratios.clamp(max=c_clip)
    rewards, gammas = given["rewards"], given["discounts"]
    values = torch.cat([given["values"], given["bootstrap"][None]])
    # v_s = V(x_s) + sum_t gamma^(t-s) (prod_i<t c_i) rho_t (r_t + gamma V(x_t+1) - V(x_t))
    targets = values.clone()
    for s in range(time):
        for t in range(s, time):
            delta = rhos[t] * (rewards[t] + gammas[t] * values[t + 1] - values[t])
            targets[s] += gammas[s:t].prod(0) * cs[s:t].prod(0) * delta
    assert_close(out.targets, targets[:-1])
    assert_close(out.advantages, rhos * (rewards + gammas * targets[1:] - values[:-1]))


@given(**SIZES)
@few
def test_on_policy_the_target_is_the_n_step_return(seed, time, batch) -> None:
    given = transitions(seed, time, batch, spread=0.0)
    out = vtrace(**given)
    expected = given["bootstrap"]
    for t in reversed(range(time)):
        expected = given["rewards"][t] + given["discounts"][t] * expected
        assert_close(out.targets[t], expected)


@given(**SIZES)
@few
def test_exact_values_leave_nothing_to_learn(seed, time, batch) -> None:
    given = transitions(seed, time, batch, spread=1.0)
    following = torch.cat([given["values"][1:], given["bootstrap"][None]])
    given["rewards"] = given["values"] - given["discounts"] * following
    out = vtrace(**given)
    assert_close(out.targets, given["values"])
    assert_close(out.advantages, torch.zeros(time, batch, dtype=DOUBLE))


@given(**SIZES, end=st.integers(0, 8))
@few
def test_the_end_of_an_episode_is_a_wall(seed, time, batch, end) -> None:
    given = transitions(seed, time, batch, spread=1.0)
    end %= time
    given["discounts"][end] = 0
    before = vtrace(**given)
    for name, change in (("rewards", 7.0), ("values", -3.0), ("log_rhos", 0.5)):
        given[name] = given[name].clone()
        given[name][end + 1 :] += change
    given["bootstrap"] = given["bootstrap"] + 5
    after = vtrace(**given)
    assert_close(after.targets[: end + 1], before.targets[: end + 1])
    assert_close(after.advantages[: end + 1], before.advantages[: end + 1])


def test_no_gradient_flows_through_the_targets() -> None:
    given = transitions(0, 4, 2, spread=1.0)
    for tensor in given.values():
        tensor.requires_grad_()
    out = vtrace(**given)
    assert not out.targets.requires_grad and not out.advantages.requires_grad


def test_the_answer_worked_by_hand() -> None:
    # Ratios 2 and 1/2, discount 1/2, rewards 1 and 2, values 0 and 4, then 8.
    # delta = min(1, 2) (1 + 4/2 - 0) = 3 and 1/2 (2 + 8/2 - 4) = 1
    # v = 0 + 3 + 1/2 * 1 * 1 = 3.5 and 4 + 1 = 5; advantages 1 (1 + 5/2 - 0) and 1/2 (2 + 8/2 - 4)
    out = vtrace(
        log_rhos=torch.tensor([[2.0], [0.5]]).log(),
        discounts=torch.tensor([[0.5], [0.5]]),
        rewards=torch.tensor([[1.0], [2.0]]),
        values=torch.tensor([[0.0], [4.0]]),
        bootstrap=torch.tensor([8.0]),
    )
    assert out.targets.flatten().tolist() == [3.5, 5.0]
    assert out.advantages.flatten().tolist() == [3.5, 1.0]
