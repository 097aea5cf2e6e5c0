"""The gated Transformer-XL against its formulas; what a step sees, and what it does not."""

import numpy as np
import pytest
import torch

from memory import GTrXLConfig, GTrXLState
from memory.core import Core, map_state
from tests.present import present


def build(**options):
    torch.manual_seed(5)
    small = {"hidden": 6, "layers": 2, "heads": 2, "memory": 3}
    core = GTrXLConfig(**small | options).build((5,)).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return core


def sigmoid(y):
    return 1 / (1 + np.exp(-y))


class Oracle:
    """One element of a batch, step by step from the formulas, a list of past rows per layer."""

    def __init__(self, core, heads, memory):
        self.p = {name: value.numpy() for name, value in core.state_dict().items()}
        self.heads, self.memory, self.layers = heads, memory, len(core.layers)
        self.past = [[] for _ in range(self.layers)]  # newest last

    def norm(self, name, y):
        unit = (y - y.mean()) / np.sqrt(y.var() + 1e-5)
        return unit * self.p[f"{name}.weight"] + self.p[f"{name}.bias"]

    def linear(self, name, y):
        return self.p[f"{name}.weight"] @ y + self.p[f"{name}.bias"]

    def gate(self, name, x, y):
        w_r, w_z, w_g = np.split(self.p[f"{name}.from_branch.weight"], 3)
        u_r, u_z = np.split(self.p[f"{name}.from_stream.weight"], 2)
        r = sigmoid(w_r @ y + u_r @ x)
        z = sigmoid(w_z @ y + u_z @ x - self.p[f"{name}.bias"])
        h = np.tanh(w_g @ y + self.p[f"{name}.from_reset.weight"] @ (r * x))
        return (1 - z) * x + z * h

    def attend(self, name, rows):
        """The last of the rows attends to all of them."""
        own = {key: self.p[f"{name}.{key}"] for key in ("key", "value", "query.weight")}
        width = len(rows[-1])
        size = width // self.heads
        query = (own["query.weight"] @ rows[-1]).reshape(self.heads, size)
        position = self.p[f"{name}.position.weight"].reshape(self.heads, size, width)
        read = []
        for k in range(self.heads):
            scores = []
            for age, row in zip(reversed(range(len(rows))), rows, strict=True):
                rates = [age / 10_000 ** (2 * i / width) for i in range((width + 1) // 2)]
                phi = np.concatenate([np.sin(rates), np.cos(rates)])[:width]
                content = (query[k] + self.p[f"{name}.content_bias"][k]) @ (own["key"][k] @ row)
                place = (query[k] + self.p[f"{name}.position_bias"][k]) @ (position[k] @ phi)
                scores.append((content + place) / np.sqrt(size))
            weights = np.exp(scores) / np.exp(scores).sum()
            read.append(
                sum(w * (own["value"][k] @ row) for w, row in zip(weights, rows, strict=True))
            )
        return self.linear(f"{name}.merge", np.concatenate(read))

    def step(self, x, starts):
        if starts:
            self.past = [[] for _ in range(self.layers)]
        x = self.linear("embed", x)
        for layer in range(self.layers):
            name = f"layers.{layer}"
            seen = [*self.past[layer], x]
            self.past[layer] = seen[-self.memory :]
            found = self.attend(f"{name}.attend", [self.norm(f"{name}.norm", row) for row in seen])
            x = self.gate(f"{name}.gate", x, np.maximum(found, 0))
            between = np.maximum(self.linear(f"{name}.mlp.0", self.norm(f"{name}.mlp_norm", x)), 0)
            x = self.gate(
                f"{name}.mlp_gate", x, np.maximum(self.linear(f"{name}.mlp.2", between), 0)
            )
        return x


@pytest.mark.parametrize(
    "options", [{}, {"layers": 1, "memory": 1}, {"hidden": 9, "heads": 3, "memory": 20}]
)
@pytest.mark.parametrize("unroll", [lambda core, *given: core(*given), Core.forward])
def test_every_step_follows_the_formulas(options, unroll):
    core = build(**options)
    x = torch.randn(11, 3, 5, dtype=torch.double)
    reset = torch.rand(11, 3, generator=torch.Generator().manual_seed(3)) < 0.2
    assert reset[1:].any()
    outputs, state = unroll(core, x, core.initial_state(3), reset)
    for b in range(3):
        oracle = Oracle(core, core.layers[0].attend.heads, core.memory)
        for t in range(11):
            expected = oracle.step(x[t, b].numpy(), reset[t, b])
            np.testing.assert_allclose(outputs[t, b].detach(), expected, atol=1e-9)
        count = len(oracle.past[0])
        assert state.filled[b].tolist() == [0] * (core.memory - count) + [1] * count
        rows = state.rows[b].detach()
        np.testing.assert_allclose(rows[:, core.memory - count :], oracle.past, atol=1e-9)
        assert rows[:, : core.memory - count].eq(0).all()


def test_gradients_are_those_of_finite_differences():
    core = build(hidden=4, memory=2)
    x = torch.randn(4, 2, 5, dtype=torch.double, requires_grad=True)
    rows = torch.randn(2, 2, 2, 4, dtype=torch.double, requires_grad=True)
    filled = torch.tensor([[0.0, 1.0], [1.0, 1.0]], dtype=torch.double)
    reset = torch.zeros(4, 2, dtype=torch.bool)
    reset[2, 1] = True

    def unroll(x, rows, *_):
        outputs, state = core(x, GTrXLState(rows, filled), reset)
        return outputs, state.rows

    assert torch.autograd.gradcheck(unroll, (x, rows))
    attend = core.layers[0].attend
    named = (attend.content_bias, attend.position_bias, attend.key, core.layers[0].gate.bias)
    given = (x.detach(), rows.detach())
    assert torch.autograd.gradcheck(lambda *_: unroll(*given), named)


@pytest.mark.parametrize(("layers", "reach"), [(1, 3), (2, 6)])
def test_the_last_step_sees_memory_times_layers_steps_back_and_no_further(layers, reach):
    core = build(layers=layers)
    x = torch.randn(10, 1, 5, dtype=torch.double, requires_grad=True)
    outputs, _ = core(x, core.initial_state(1))
    (gradient,) = torch.autograd.grad((outputs[-1] * torch.arange(6)).sum(), x)
    seen = gradient.ne(0).any(dim=2).squeeze(1).tolist()
    assert seen == [False] * (9 - reach) + [True] * (reach + 1)


def test_attention_sums_to_one_over_the_steps_of_the_episode():
    core, seen = build(), []
    reset = torch.zeros(4, 1, dtype=torch.bool)
    reset[2] = True
    core.layers[0].attend.weights.register_forward_hook(lambda *now: seen.append(now[-1][0, 0]))
    core(torch.randn(4, 1, 5, dtype=torch.double), core.initial_state(1), reset)
    (weights,) = seen  # [T, M + T], three empty places first
    torch.testing.assert_close(weights.sum(1), torch.ones(4, dtype=torch.double))
    expected = [[3], [3, 4], [5], [5, 6]]
    assert [row.nonzero().flatten().tolist() for row in weights] == expected


def test_layers_begin_close_to_the_identity():
    torch.manual_seed(0)
    x = torch.randn(20, 4, 5)

    def change(bias):
        core = GTrXLConfig(gate_bias=bias).build((5,))
        outputs, _ = core(x, core.initial_state(4))
        return ((outputs - core.embed(x)).square().mean() / core.embed(x).square().mean()).sqrt()

    assert change(8.0) < 0.01 < change(2.0) < 0.5 * change(-2.0)


def test_an_episode_that_begins_forgets_even_what_is_not_a_number():
    core = build()
    x = torch.randn(9, 2, 5, dtype=torch.double)
    x[2, 1] = torch.inf
    reset = torch.zeros(9, 2, dtype=torch.bool)
    reset[[0, 4], 1] = True
    start = core.initial_state(2)
    for leaf in start:
        leaf[1] = torch.nan
    outputs, state = core(x, start, reset)
    assert outputs[2:4, 1].isnan().all() and outputs[:, 0].isfinite().all()
    assert outputs[4:].isfinite().all() and state.rows.isfinite().all()
    outputs, _ = core(x.nan_to_num(posinf=1.0), start, reset)
    outputs.sum().backward()
    assert all(present(parameter.grad).isfinite().all() for parameter in core.parameters())


def test_under_autocast_it_computes_nearly_the_same_and_keeps_a_float32_state():
    core = GTrXLConfig(hidden=32, memory=4).build((5,))
    x, reset = torch.randn(6, 3, 5), torch.zeros(6, 3, dtype=torch.bool)
    reset[2, 1] = True
    expected, _ = core(x, core.initial_state(3), reset)
    for unroll in (core.forward, lambda *given: Core.forward(core, *given)):
        with torch.autocast("cpu", torch.bfloat16):
            outputs, state = unroll(x, core.initial_state(3), reset)
            outputs.sum().backward()
        assert all(leaf.dtype == torch.float32 for leaf in state)
        torch.testing.assert_close(outputs.float(), expected, atol=0.05, rtol=0.05)


def test_a_state_holds_no_more_than_its_own_numbers():
    core = build()
    state = core(torch.randn(50, 2, 5, dtype=torch.double), core.initial_state(2))[1]
    state = map_state(torch.Tensor.detach, state)
    for leaf in state:
        assert leaf.untyped_storage().nbytes() == leaf.numel() * leaf.element_size()


def test_parameters_are_as_many_as_the_formulas_have():
    d, f = 32, 10
    core = GTrXLConfig(hidden=d, layers=3).build((f,))
    attention = 5 * d * d + d + 2 * d
    layer = attention + 2 * (6 * d * d + d) + 8 * d * d + 5 * d + 4 * d
    assert sum(p.numel() for p in core.parameters()) == f * d + d + 3 * layer


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "hidden=0: must be at least 1"),
        ({"layers": 0}, "layers=0: must be at least 1"),
        ({"heads": 0}, "heads=0: must be at least 1"),
        ({"memory": 0}, "memory=0: must be at least 1"),
        ({"hidden": 30, "heads": 4}, "hidden=30: must be a multiple of heads=4 = 4; .* is 32"),
    ],
)
def test_options_that_make_no_layer_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GTrXLConfig(**options).build((5,))
