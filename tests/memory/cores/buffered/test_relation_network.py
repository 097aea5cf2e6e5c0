"""The relation network against its formula."""

from typing import Any

import numpy as np
import pytest
import torch

from memory import RelationNetworkConfig
from memory.cores.buffered import input_buffer

T, B, F = 8, 2, 5


def build(**options):
    torch.manual_seed(10)
    sizes: dict[str, Any] = {"buffer": 4, "width": 3, "g_units": 7, "f_units": 6, "output": 5}
    core = RelationNetworkConfig(**sizes | options).build((F,)).double()
    with torch.no_grad():  # the biases too, or the oracle would not see them
        for parameter in core.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return core, torch.randn(T, B, F, dtype=torch.double)


class Oracle:
    """One step for one element of a batch, from the formula: `inputs` is newest first."""

    def __init__(self, core, g_layers, pooling, related_from=0):
        self.p = {name: value.detach().numpy() for name, value in core.state_dict().items()}
        self.g_layers, self.pooling, self.related_from = g_layers, pooling, related_from

    def linear(self, name, x):
        return self.p[f"{name}.weight"] @ x + self.p[f"{name}.bias"]

    def g(self, x):
        x = np.maximum(self.linear("relate.first", x), 0)
        for layer in range(self.g_layers - 1):
            x = np.maximum(self.linear(f"relate.rest.{2 * layer}", x), 0)
        return x

    def f(self, x):
        hidden = np.maximum(self.linear("conclude.0", x), 0)
        return np.maximum(self.linear("conclude.2", hidden), 0)

    def step(self, inputs):
        age = self.p["buffer.age"]
        rows = [self.linear("buffer.embed", x) + age[i] for i, x in enumerate(inputs)]
        q = self.linear("buffer.embed_question", inputs[0])
        rows = rows[self.related_from :]
        related = [self.g(np.concatenate([a, b, q])) for a in rows for b in rows]
        total = sum(related, start=np.zeros(len(self.p["relate.first.bias"])))
        return self.f(total / (max(1, len(related)) if self.pooling == "mean" else 1))


@pytest.mark.parametrize("pooling", ["sum", "mean"])
@pytest.mark.parametrize(
    "options",
    [{}, {"buffer": 1, "g_layers": 1}, {"buffer": 20, "g_layers": 2}, {"relate_question": False}],
    ids=["shorter than the episode", "one slot", "never full", "the question apart"],
)
def test_every_step_follows_the_formula(options, pooling):
    core, x = build(pooling=pooling, **options)
    apart = not options.get("relate_question", True)
    oracle = Oracle(core, options.get("g_layers", 4), pooling, related_from=int(apart))
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[[2, 7], 1] = True
    outputs, _ = core(x, core.initial_state(B), reset)
    assert outputs.gt(0).any()
    for b in range(B):
        inputs = []
        for t in range(T):
            kept = [] if reset[t, b] else inputs
            inputs = [x[t, b].numpy(), *kept][: len(oracle.p["buffer.age"])]
            np.testing.assert_allclose(outputs[t, b].detach(), oracle.step(inputs), atol=1e-10)


@pytest.mark.parametrize("pooling", ["sum", "mean"])
def test_an_input_older_than_the_buffer_has_no_influence_and_no_gradient(pooling):
    core, x = build(buffer=3, pooling=pooling)
    x.requires_grad_()
    outputs, _ = core(x, core.initial_state(B))
    (gradient,) = torch.autograd.grad(outputs[-1].sum(), x)
    assert gradient[: T - 3].eq(0).all() and gradient[T - 3 :].ne(0).all()
    other = torch.cat([torch.randn(T - 3, B, F).double(), x[T - 3 :]])
    assert torch.equal(core(other, core.initial_state(B))[0][-1], outputs[-1])


def test_slots_that_no_step_has_filled_are_not_computed(monkeypatch):
    core, x = build(buffer=20)
    sizes, answer = [], core.answer

    def watched(recollection):
        sizes.append(recollection.rows.shape[:2])
        return answer(recollection)

    monkeypatch.setattr(core, "answer", watched)
    _, state = core.step(x[0], core.initial_state(B))
    core.step(x[1], state)
    core(x, core.initial_state(B))
    assert sizes == [(B, 1), (B, 2), (T * B, T)]


@pytest.mark.parametrize("together", [2, 5, 100])
def test_steps_computed_in_parts_are_those_computed_at_once(monkeypatch, together):
    monkeypatch.setattr(input_buffer, "TOGETHER", together)
    core, x = build(buffer=6)
    torch.manual_seed(1)
    reset, weights = torch.rand(T, B) < 0.3, torch.randn(T, B, 5).double()
    state = core.initial_state(B)
    at_once = core.answer(core.buffer.unroll(x, state, reset)[0]).unflatten(0, (T, B))
    in_parts = core(x, state, reset)[0]
    torch.testing.assert_close(in_parts, at_once)
    gradients = [
        torch.autograd.grad((out * weights).sum(), [*core.parameters()])
        for out in (in_parts, at_once)
    ]
    for part, whole in zip(*gradients, strict=True):
        torch.testing.assert_close(part, whole)


def test_a_batch_of_none_has_outputs_of_none():
    core, x = build()
    output, _ = core.step(x[0, :0], core.initial_state(0))
    assert output.shape == (0, 5)


@pytest.mark.parametrize("pooling", ["sum", "mean"])
def test_a_buffer_with_room_to_spare_changes_nothing(pooling):
    core, x = build(buffer=8, pooling=pooling)
    roomy, _ = build(buffer=30, pooling=pooling)
    weights = core.state_dict()
    ages = roomy.state_dict()["buffer.age"].clone()
    ages[:8] = weights["buffer.age"]
    roomy.load_state_dict({**weights, "buffer.age": ages})
    expected, _ = core(x, core.initial_state(B))
    torch.testing.assert_close(roomy(x, roomy.initial_state(B))[0], expected)


def test_the_first_step_of_an_episode_answers_from_the_present():
    core, x = build()
    first, _ = core.step(x[0], core.initial_state(B))
    other, _ = core.step(x[1], core.initial_state(B))
    assert not torch.allclose(first, other)


def test_the_papers_sizes_have_the_papers_number_of_parameters():
    config = RelationNetworkConfig(buffer=20, width=32, g_units=256, f_units=256, output=512)
    core = config.build((9,))
    g = (3 * 32 + 1) * 256 + 3 * (256 + 1) * 256
    f = (256 + 1) * 256 + (256 + 1) * 512
    ours = 2 * (9 + 1) * 32 + 20 * 32  # embeddings of facts and question, and the ages
    assert sum(parameter.numel() for parameter in core.parameters()) == g + f + ours
    assert core.output_size == 512


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(
            ({option: 0}, f"{option}=0: must be at least 1")
            for option in ("buffer", "width", "g_layers", "g_units", "f_units", "output")
        ),
        ({"pooling": "means"}, "pooling='means': must be one of sum, mean; did you mean 'mean'"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(options, message):
    config = RelationNetworkConfig()
    for name, value in options.items():  # past the check of types, which only runs in tests
        object.__setattr__(config, name, value)
    with pytest.raises(ValueError, match=message):
        config.build((F,))


def test_an_input_of_another_rank_is_refused():
    with pytest.raises(ValueError, match=r"relation_network takes inputs of shape \(F,\), was"):
        RelationNetworkConfig().build((4, 5))
