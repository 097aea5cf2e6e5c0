"""What is counted and timed of one agent: `scripts/bench/agent.py`."""

import torch


def test_operations_are_two_for_each_multiplication_forward_and_backward():
    from agent import operations

    x, weight = torch.randn(5, 7), torch.randn(7, 3, requires_grad=True)
    assert operations(lambda: x @ weight) == 2 * 5 * 7 * 3
    assert operations(lambda: (x @ weight).sum().backward()) == 2 * 2 * 5 * 7 * 3


def test_the_first_call_does_not_count(monkeypatch):
    import agent

    clock = iter([0, 9, *(10, 11), *(20, 23), *(30, 32)])
    monkeypatch.setattr(agent.time, "process_time", lambda: next(clock))
    assert agent.cpu_time(lambda: None, repeats=3) == 2


def test_an_agent_acts_with_all_and_learns_from_a_batch():
    from agent import Agent

    flags = ["--env", "boxworld", "--core", "lstm", "--core.hidden", "4", "--unroll", "3"]
    agent = Agent([*flags, "--actors", "5", "--batch", "2"], unrolls=2)
    assert (agent.acted, agent.learnt) == (15, 6)
    assert agent.rollout.random.streams.shape[0] == 5
    agent.learn()
    assert agent.learner.frames == 6


def test_an_update_of_an_lstm_counts_whatever_happened_in_the_batch():
    from agent import PLAIN, Agent, operations

    flags = ["--env", "boxworld", "--core", "lstm", "--core.hidden", "64", "--unroll", "3"]
    agent = Agent([*flags, *PLAIN, "--actors", "5", "--batch", "2"], unrolls=1)
    recurrent = sum(p.numel() for p in agent.learner.policy.core.parameters() if p.dim() > 1)
    # Four steps go through the network, and gradients come to inputs and weights.
    assert operations(agent.learn) >= 3 * 2 * recurrent * 4 * 2
