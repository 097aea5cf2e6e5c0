"""The bank of LSTM cells against its formulas, in both readings."""

import numpy as np
import pytest
import torch

from memory import LSTMBankConfig
from memory.cores.lstm_bank import Weights


def build(weights: Weights = "independent", units=12, cells=3):
    torch.manual_seed(5)
    core = LSTMBankConfig(units=units, cells=cells, weights=weights).build((5,)).double()
    torch.nn.init.normal_(core.bias)
    return core


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def oracle(core, x):
    """One element of a batch, [T, F], cell by cell from the formulas; the outputs."""
    p = {name: value.numpy() for name, value in core.state_dict().items()}
    cells, width = core.cells, core.output_size
    hidden, carried = np.zeros((cells, width)), np.zeros((cells, width))
    outputs = []
    for now in x:
        for k in range(cells):
            s = 0 if core.shared else k
            total = p["input_weight"][s] @ now + p["hidden_weight"][s] @ hidden[k] + p["bias"][s]
            if core.shared:
                total = total + p["key_weight"] @ p["keys"][k]
            i, f, g, o = np.split(total, 4)
            cell = sigmoid(f + 1) * carried[k] + sigmoid(i) * np.tanh(g)
            new, take = sigmoid(o) * np.tanh(cell), 1.0
            if core.shared:
                take = sigmoid((p["embed.weight"] @ now) @ (hidden[k] + p["keys"][k]))
            carried[k] = (1 - take) * carried[k] + take * cell
            hidden[k] = (1 - take) * hidden[k] + take * new
        outputs.append(hidden.sum(axis=0))
    return np.stack(outputs)


@pytest.mark.parametrize("weights", ["independent", "shared"])
def test_every_step_follows_the_formulas(weights):
    core = build(weights)
    x = torch.randn(8, 3, 5, dtype=torch.double)
    outputs, _ = core(x, core.initial_state(3))
    for b in range(3):
        np.testing.assert_allclose(outputs[:, b].detach(), oracle(core, x[:, b].numpy()), atol=1e-9)


def test_one_cell_of_its_own_weights_is_an_lstm():
    from memory import LSTMConfig

    bank, lstm = build(units=6, cells=1), LSTMConfig(hidden=6).build((5,)).double()
    lstm.load_state_dict({name: value[0] for name, value in bank.state_dict().items()})
    x = torch.randn(8, 3, 5, dtype=torch.double)
    torch.testing.assert_close(bank(x, bank.initial_state(3))[0], lstm(x, lstm.initial_state(3))[0])


@pytest.mark.parametrize("cells", [1, 3, 6])
def test_parameters_are_as_many_as_the_formulas_have(cells):
    """The matrices of K small cells are K times smaller than those of one that is as wide."""
    width = 12 // cells
    independent = sum(p.numel() for p in build(cells=cells).parameters())
    assert independent == cells * 4 * width * (5 + width + 1)
    shared = sum(p.numel() for p in build("shared", cells=cells).parameters())
    assert shared == 4 * width * (5 + 2 * width + 1) + cells * width + 5 * width


def test_keys_tell_cells_of_shared_weights_apart():
    core = build("shared")
    x = torch.randn(4, 2, 5, dtype=torch.double)
    hidden = core(x, core.initial_state(2))[1].hidden
    assert not torch.allclose(hidden[:, 0], hidden[:, 1])
    assert core.keys is not None
    with torch.no_grad():
        core.keys[1] = core.keys[0]
    hidden = core(x, core.initial_state(2))[1].hidden
    torch.testing.assert_close(hidden[:, 0], hidden[:, 1])


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match=r"units=2048: must be a multiple of cells=6.* is 2046"):
        LSTMBankConfig(units=2048, cells=6).build((5,))
    with pytest.raises(ValueError, match="cells=0: must be at least 1"):
        LSTMBankConfig(cells=0).build((5,))
    config = LSTMBankConfig()
    object.__setattr__(config, "weights", "share")  # past the check of types, which only tests run
    with pytest.raises(ValueError, match="did you mean 'shared'"):
        config.build((5,))
