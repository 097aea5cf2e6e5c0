"""The convolutional LSTM against its formulas."""

import numpy as np
import pytest
import torch

from memory import ConvLSTMConfig


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolve(x, kernels):
    """Maps [C, H, W] with kernels [out, C, k, k], place by place; zeros beyond the edges."""
    size = kernels.shape[-1]
    before = (size - 1) // 2
    _, height, width = x.shape
    out = np.zeros((len(kernels), height, width))
    for row in range(height):
        for column in range(width):
            for i in range(size):
                for j in range(size):
                    y, z = row + i - before, column + j - before
                    if 0 <= y < height and 0 <= z < width:
                        out[:, row, column] += kernels[:, :, i, j] @ x[:, y, z]
    return out


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_every_step_follows_the_formulas(kernel):
    torch.manual_seed(6)
    core = ConvLSTMConfig(channels=3, kernel=kernel).build((2, 4, 5)).double()
    torch.nn.init.normal_(core.bias)
    w, u, b = (p.detach().numpy() for p in (core.input_weight, core.hidden_weight, core.bias))
    x = torch.randn(4, 1, 2, 4, 5, dtype=torch.double)
    reset = torch.tensor([[False], [False], [True], [False]])
    outputs, state = core(x, core.initial_state(1), reset)
    hidden = cell = np.zeros((3, 4, 5))
    for t in range(4):
        if t == 2:
            hidden = cell = np.zeros((3, 4, 5))
        gates = convolve(x[t, 0].numpy(), w) + convolve(hidden, u) + b[:, None, None]
        i, j, f, o = np.split(gates, 4)
        cell = sigmoid(f + 1) * cell + sigmoid(i) * np.tanh(j)
        hidden = sigmoid(o) * np.tanh(cell)
        np.testing.assert_allclose(outputs[t, 0].detach(), hidden.ravel(), atol=1e-12)
    np.testing.assert_allclose(state.cell[0].detach(), cell, atol=1e-12)


def test_the_defaults_are_the_papers_for_boxworld():
    core = ConvLSTMConfig().build((26, 5, 5))
    assert core.hidden_weight.shape == (4 * 64, 64, 2, 2)
    assert core.output_size == 64 * 5 * 5


@pytest.mark.parametrize(
    ("config", "option"),
    [(ConvLSTMConfig(channels=0), "channels"), (ConvLSTMConfig(kernel=0), "kernel")],
)
def test_a_zero_size_is_refused_by_name(config, option):
    with pytest.raises(ValueError, match=f"{option}=0: must be at least 1"):
        config.build((2, 4, 5))
