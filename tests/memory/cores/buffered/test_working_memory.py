"""The working memory network against its formulas."""

import numpy as np
import pytest
import torch

from memory import WorkingMemoryConfig

T, B, F = 8, 2, 5


def build(**options):
    torch.manual_seed(9)
    sizes = {"buffer": 4, "width": 6, "hops": 3, "heads": 2, "g_units": 7}
    core = WorkingMemoryConfig(**sizes | options).build((F,)).double()
    with torch.no_grad():  # the biases too, or the oracle would not see them
        for parameter in core.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return core, torch.randn(T, B, F, dtype=torch.double)


class Oracle:
    """One step for one element of a batch, from the formulas: `inputs` is newest first."""

    def __init__(self, core, heads, hops, g_layers):
        self.p = {name: value.detach().numpy() for name, value in core.state_dict().items()}
        self.heads, self.hops, self.g_layers = heads, hops, g_layers

    def linear(self, name, x):
        return self.p[f"{name}.weight"] @ x + self.p[f"{name}.bias"]

    def controller(self, x):
        return self.linear("controller.1", self.linear("controller.0", x))

    def hop(self, h, u, memory):
        d = len(u)
        read = []
        for head in range(self.heads):
            key = self.p[f"hops.{h}.key.weight"][head * d : (head + 1) * d]
            scores = np.array([np.tanh(key @ m) @ u / np.sqrt(d) for m in memory])
            weights = np.exp(scores) / np.exp(scores).sum()
            read.append(sum(w * m for w, m in zip(weights, memory, strict=True)))
        return self.p[f"hops.{h}.merge.weight"] @ np.concatenate(read)

    def g(self, x):
        x = np.maximum(self.linear("relate.first", x), 0)
        for layer in range(self.g_layers - 1):
            x = np.maximum(self.linear(f"relate.rest.{2 * layer}", x), 0)
        return x

    def step(self, inputs):
        age = self.p["buffer.age"]
        memory = [self.linear("buffer.embed", x) + age[i] for i, x in enumerate(inputs)]
        q = self.linear("buffer.embed_question", inputs[0])
        u, found = self.controller(q), []
        for h in range(self.hops):
            found.append(self.hop(h, u, memory))
            u = self.controller(found[-1])
        return sum(self.g(np.concatenate([a, b, q])) for a in found for b in found)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"buffer": 1, "controller": 5},
        {"buffer": 20, "heads": 3, "hops": 1, "g_layers": 1},
        {"buffer": 3, "width": 2, "controller": 1, "heads": 1, "g_layers": 4},
    ],
    ids=["shorter than the episode", "one slot", "never full", "narrow"],
)
def test_every_step_follows_the_formulas(options):
    core, x = build(**options)
    sizes = {"heads": 2, "hops": 3, "g_layers": 3} | options
    oracle = Oracle(core, sizes["heads"], sizes["hops"], sizes["g_layers"])
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[[2, 7], 1] = True
    outputs, _ = core(x, core.initial_state(B), reset)
    for b in range(B):
        inputs = []
        for t in range(T):
            kept = [] if reset[t, b] else inputs
            inputs = [x[t, b].numpy(), *kept][: len(oracle.p["buffer.age"])]
            np.testing.assert_allclose(outputs[t, b].detach(), oracle.step(inputs), atol=1e-11)


def test_an_input_older_than_the_buffer_has_no_influence_and_no_gradient():
    core, x = build(buffer=3)
    x.requires_grad_()
    outputs, _ = core(x, core.initial_state(B))
    (gradient,) = torch.autograd.grad(outputs[-1].sum(), x)
    assert gradient[: T - 3].eq(0).all() and gradient[T - 3 :].ne(0).all()
    other = torch.cat([torch.randn(T - 3, B, F).double(), x[T - 3 :]])
    assert torch.equal(core(other, core.initial_state(B))[0][-1], outputs[-1])


def watch(core, run):
    """The weights of attention of every hop while `run` runs."""
    seen = []
    hooks = [
        hop.attend.weights.register_forward_hook(lambda _, __, given: seen.append(given))
        for hop in core.hops
    ]
    run()
    for hook in hooks:
        hook.remove()
    return seen


def test_the_weights_of_attention_can_be_watched_and_empty_slots_get_none():
    core, x = build(buffer=4)
    seen = watch(core, lambda: core(x, core.initial_state(B)))
    assert [weights.shape for weights in seen] == [(T * B, 2, 4)] * 3
    for weights in seen:
        torch.testing.assert_close(weights.sum(-1), torch.ones(T * B, 2).double())
        by_time = weights.unflatten(0, (T, B))
        for t in range(T):
            there = min(t + 1, 4)
            assert by_time[t, ..., :there].gt(0).all() and by_time[t, ..., there:].eq(0).all()


def test_hops_have_keys_of_their_own_and_share_the_controller():
    core, x = build()
    one, other, _ = watch(core, lambda: core(x, core.initial_state(B)))
    assert not torch.allclose(one, other)
    names = {name.split(".")[0] for name, _ in core.named_parameters()}
    assert names == {"buffer", "controller", "hops", "relate"}


def test_the_first_step_of_an_episode_answers_from_the_present():
    core, x = build()
    first, _ = core.step(x[0], core.initial_state(B))
    other, _ = core.step(x[1], core.initial_state(B))
    assert not torch.allclose(first, other)


@pytest.mark.parametrize("features", [3, 30])
def test_the_defaults_have_the_number_of_parameters_of_the_papers_model(features):
    core = WorkingMemoryConfig().build((features,))
    d, hidden, hops, heads, g = 30, 15, 4, 8, 128
    controller = (d + 1) * hidden + (hidden + 1) * d
    reads = hops * (heads * d * d + heads * d * d)
    relations = (3 * d + 1) * g + 2 * (g + 1) * g
    ours = 2 * (features + 1) * d + 30 * d  # embeddings of facts and question, and the ages
    count = sum(parameter.numel() for parameter in core.parameters())
    assert count == controller + reads + relations + ours
    assert controller + reads + relations == 945 + 57600 + 44672
    assert core.output_size == 128 and core.initial_state(1).rows.shape == (1, 30, 30)


@pytest.mark.parametrize(("width", "units"), [(1, 1), (7, 3), (30, 15)])
def test_the_controller_is_half_as_wide_inside_if_not_told(width, units):
    core = WorkingMemoryConfig(width=width).build((F,))
    assert [layer.out_features for layer in core.controller] == [units, width]


@pytest.mark.parametrize(
    "option", ["buffer", "width", "controller", "hops", "heads", "g_layers", "g_units"]
)
def test_a_size_below_one_is_refused(option):
    with pytest.raises(ValueError, match=f"{option}=0: must be at least 1"):
        WorkingMemoryConfig(**{option: 0}).build((F,))


def test_an_input_of_another_rank_is_refused():
    with pytest.raises(ValueError, match=r"working_memory takes inputs of shape \(F,\), was given"):
        WorkingMemoryConfig().build((4, 5))
