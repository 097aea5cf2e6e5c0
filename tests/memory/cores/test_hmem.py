"""The Hebbian memory against its formulas."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from memory import HMemConfig


def build(**options):
    torch.manual_seed(5)
    config = {"units": 6, "gain": 0.4, "decay": 0.2, "largest": 0.8} | options
    core = HMemConfig(**config).build((5,)).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return core


def norm(x, gamma, beta):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-3) * gamma + beta


def oracle(core, x):
    """One element of a batch, [T, F], entry by entry from the formulas; recalls and the matrix."""
    p = {name: value.numpy() for name, value in core.state_dict().items()}
    config, units = core.config, core.config.units
    memory, recalls = np.zeros((units, units)), []
    for now in x:
        recalled = np.zeros(units)
        for _ in range(config.hops):
            cue = np.maximum(p["cue.weight"] @ np.concatenate([now, recalled]), 0)
            recalled = cue @ memory
        recalls.append(recalled)
        key, value = (np.maximum(p[f"{name}.weight"] @ now, 0) for name in ("key", "value"))
        if not now.any():
            continue
        if config.read_before_write:
            key = norm(key, p["key_norm.weight"], p["key_norm.bias"])
            value = p["merge.weight"] @ np.concatenate([value, key @ memory])
            value = norm(value, p["value_norm.weight"], p["value_norm.bias"])
        for i in range(units):
            for j in range(units):
                gain = np.clip(config.gain * key[i] * value[j], -1, 1)
                decay = min(1, config.decay * key[i] ** 2)
                memory[i, j] += gain * (config.largest - memory[i, j]) - decay * memory[i, j]
    return np.stack(recalls), memory


@pytest.mark.parametrize("read_before_write", [False, True])
@pytest.mark.parametrize("output", ["recall", "input_and_recall"])
def test_every_step_follows_the_formulas(read_before_write, output):
    core = build(read_before_write=read_before_write, output=output)
    x = torch.randn(8, 3, 5, dtype=torch.double)
    x[3, 1] = 0
    outputs, state = core(x, core.initial_state(3))
    for b in range(3):
        recalls, memory = oracle(core, x[:, b].numpy())
        np.testing.assert_allclose(outputs[:, b, -6:].detach(), recalls, atol=1e-9)
        np.testing.assert_allclose(state[b].detach(), memory, atol=1e-9)
    if output == "input_and_recall":
        torch.testing.assert_close(outputs[..., :5], x)


@pytest.mark.parametrize("read_before_write", [False, True])
def test_padding_writes_nothing(read_before_write):
    core = build(read_before_write=read_before_write)
    _, state = core(torch.randn(6, 2, 5, dtype=torch.double), core.initial_state(2))
    _, after = core(torch.zeros(3, 2, 5, dtype=torch.double), state)
    torch.testing.assert_close(after, state, rtol=0, atol=0)


def test_large_inputs_do_not_blow_the_memory_up():
    core = build(gain=0.01, decay=0.01, largest=1.0)
    with torch.no_grad():
        _, state = core(10 * torch.randn(2000, 2, 5, dtype=torch.double), core.initial_state(2))
    assert state.abs().max() < 10


def test_growth_stops_at_the_bound():
    core = build(gain=0.05, decay=0.0)
    x = torch.randn(1, 2, 5, dtype=torch.double).expand(2000, 2, 5)
    _, state = core(x, core.initial_state(2))
    assert 0.79 < state.max() < 0.8 + 1e-12  # which rounding may pass, by a last digit


def test_what_one_key_stored_it_recalls():
    """One pair in an empty memory comes back as gain * w_max * |k|^2 times its value."""
    core = build(gain=0.05, decay=0.0, hops=1, output="recall")
    with torch.no_grad():
        core.cue.weight[:, :5] = core.key.weight  # asks with the very key it stored under
    x = torch.randn(1, 2, 5, dtype=torch.double).expand(2, 2, 5)
    outputs, _ = core(x, core.initial_state(2))
    key, value = torch.relu(core.key(x[0])), torch.relu(core.value(x[0]))
    torch.testing.assert_close(outputs[1], 0.05 * 0.8 * key.square().sum(1, keepdim=True) * value)


def test_parameters_are_as_many_as_the_formulas_have():
    plain = HMemConfig(units=100).build((80,))
    assert sum(p.numel() for p in plain.parameters()) == 2 * 80 * 100 + 180 * 100
    merging = HMemConfig(units=100, read_before_write=True).build((80,))
    assert (
        sum(p.numel() for p in merging.parameters()) == 2 * 80 * 100 + 180 * 100 + 200 * 100 + 400
    )


def test_bad_options_are_refused():
    for option in ("units", "hops"):
        with pytest.raises(ValueError, match=f"{option}=0: must be at least 1"):
            replace(HMemConfig(), **{option: 0}).build((5,))
    with pytest.raises(ValueError, match=r"decay=-0.1: must be from 0 to 1"):
        HMemConfig(decay=-0.1).build((5,))
    with pytest.raises(ValueError, match=r"gain=1.5: must be from 0 to 1"):
        HMemConfig(gain=1.5).build((5,))
    with pytest.raises(ValueError, match=r"largest=inf: must be above 0 and finite"):
        HMemConfig(largest=float("inf")).build((5,))
    config = HMemConfig()
    object.__setattr__(config, "output", "recalls")  # past the check of types, which only tests run
    with pytest.raises(ValueError, match="did you mean 'recall'"):
        config.build((5,))
