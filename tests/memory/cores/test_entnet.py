"""The recurrent entity network against its formulas."""

import numpy as np
import pytest
import torch

from memory import EntNetConfig


def build(slots=4, units=6):
    torch.manual_seed(5)
    core = EntNetConfig(slots=slots, units=units).build((5,)).double()
    with torch.no_grad():  # gates, biases and slopes begin at zero or one: an oracle would not see
        for parameter in core.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return core


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def oracle(core, x):
    """One element of a batch, [T, F], slot by slot from the formulas; outputs and memories."""
    p = {name: value.numpy() for name, value in core.state_dict().items()}

    def phi(y):
        return np.where(y > 0, y, p["rectify.slope"] * y)

    keys = p["keys"]
    memory, outputs = keys.copy(), []
    for now in x:
        s = p["embed.weight"] @ now
        scores = np.array([s @ h for h in memory])
        weights = np.exp(scores) / np.exp(scores).sum()
        read = sum(weight * h for weight, h in zip(weights, memory, strict=True))
        outputs.append(phi(s + p["read.weight"] @ read))
        for j, key in enumerate(keys):
            if not now.any():
                continue
            gate = sigmoid(s @ (memory[j] + key) + p["gate_bias"][j])
            candidate = p["from_memory.weight"] @ memory[j] + p["from_memory.bias"]
            candidate += p["from_input.weight"] @ s + p["from_key.weight"] @ key
            new = memory[j] + gate * phi(candidate)
            memory[j] = new / np.sqrt(new @ new + 1e-6)
    return np.stack(outputs), memory


def test_every_step_follows_the_formulas():
    core = build()
    x = torch.randn(8, 3, 5, dtype=torch.double)
    x[3, 1] = 0
    outputs, state = core(x, core.initial_state(3))
    for b in range(3):
        expected, memory = oracle(core, x[:, b].numpy())
        np.testing.assert_allclose(outputs[:, b].detach(), expected, atol=1e-9)
        np.testing.assert_allclose(state[b].detach(), memory, atol=1e-9)


def test_padding_writes_nothing():
    core = build()
    start = core.initial_state(2)
    _, used = core(torch.randn(6, 2, 5, dtype=torch.double), start)
    for state in (start, used):
        _, after = core(torch.zeros(3, 2, 5, dtype=torch.double), state)
        torch.testing.assert_close(after, state, rtol=0, atol=0)


def test_memories_keep_unit_length():
    core = build()
    _, state = core(torch.randn(6, 2, 5, dtype=torch.double), core.initial_state(2))
    ones = torch.ones(2, 4, dtype=torch.double)
    torch.testing.assert_close(state.norm(dim=-1), ones, rtol=0, atol=1e-5)


def test_an_episode_starts_from_keys_that_are_trained():
    core = build()
    torch.testing.assert_close(core.initial_state(2)[1], core.keys)
    reset = torch.zeros(3, 2, dtype=torch.bool)
    reset[1, 0] = True
    ruined = torch.full_like(core.initial_state(2), 0.1).detach()
    outputs, _ = core(torch.randn(3, 2, 5, dtype=torch.double), ruined, reset)
    core.keys.grad = None
    outputs[1, 0].sum().backward()
    assert core.keys.grad is not None and core.keys.grad.ne(0).any()


def test_parameters_are_as_many_as_the_formulas_have():
    n, d, f = 20, 100, 30
    core = EntNetConfig(slots=n, units=d).build((f,))
    expected = n * d + n + f * d + (d * d + d) + 3 * d * d + d
    assert sum(p.numel() for p in core.parameters()) == expected


@pytest.mark.parametrize("option", ["slots", "units"])
def test_a_core_of_nothing_is_refused(option):
    with pytest.raises(ValueError, match=f"{option}=0: must be at least 1"):
        EntNetConfig(**{option: 0}).build((5,))
