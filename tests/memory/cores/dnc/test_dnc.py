"""The differentiable neural computer against its formulas."""

import numpy as np
import pytest
import torch

from memory import DNCConfig, map_state, state_leaves
from memory.core import Core
from memory.cores.dnc.addressing import (
    allocation,
    content_weights,
    neighbours,
    new_link,
    new_precedence,
    new_usage,
)
from memory.inspect import inspect

SIZES = {"slots": 5, "word": 3, "reads": 2, "writes": 1, "hidden": 6, "output": 4}
VARIANTS = {
    "one layer": {},
    "clipped": {"clip": 0.3, "layers": 2},
    "three write heads": {"writes": 3, "reads": 1},
    "two layers, two write heads": {"layers": 2, "writes": 2, "clip": 0.0},
    "feed-forward": {"controller": "feed_forward"},
    "feed-forward, clipped": {"controller": "feed_forward", "layers": 3, "writes": 2, "clip": 0.7},
    "one of each": {"slots": 1, "word": 1, "reads": 1, "hidden": 1, "output": 1},
}


def config_of(**options):
    return DNCConfig(**{**SIZES, **options})


def build(features=7, **options):
    torch.manual_seed(3)
    core = config_of(**options).build((features,)).double()
    with torch.no_grad():  # biases too, and gates that open and close
        for parameter in core.parameters():
            parameter.add_(0.7 * torch.randn_like(parameter))
    return core


def softmax(scores):
    exponents = np.exp(scores - scores.max())
    return exponents / exponents.sum()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Oracle:
    """One step for one element of a batch, head by head and row by row, from the formulas."""

    def __init__(self, core, config):
        self.c = config
        self.p = {name: value.detach().numpy() for name, value in core.state_dict().items()}
        self.limit = config.clip or np.inf
        n, r, k = config.slots, config.reads, config.writes
        self.hidden = np.zeros((config.layers, config.hidden))
        self.cell = np.zeros((config.layers, config.hidden))
        self.words = np.zeros((r, config.word))
        self.memory, self.usage = np.zeros((n, config.word)), np.zeros(n)
        self.reading, self.writing = np.zeros((r, n)), np.zeros((k, n))
        self.link, self.precedence = np.zeros((k, n, n)), np.zeros((k, n))

    def clip(self, x):
        return np.clip(x, -self.limit, self.limit)

    def controller(self, x):
        """All layers, from the lowest, each fed with the input, the words and the one below."""
        kind, outputs, below = self.c.controller, [], np.zeros(0)
        of_layer = np.split(self.p["controller.from_input.weight"], self.c.layers)
        biases = np.split(self.p["controller.from_input.bias"], self.c.layers)
        for layer, (of_input, bias) in enumerate(zip(of_layer, biases, strict=True)):
            of_memory = self.p[f"controller.from_memory.{layer}.weight"]
            own = self.hidden[layer] if kind == "lstm" else np.zeros(0)
            seen = np.concatenate([x, self.words.ravel(), own, below])
            raw = np.concatenate([of_input, of_memory], axis=1) @ seen + bias
            if kind == "lstm":
                i, f, g, o = np.split(raw, 4)
                self.cell[layer] = sigmoid(f + 1) * self.cell[layer] + sigmoid(i) * np.tanh(g)
                below = sigmoid(o) * np.tanh(self.cell[layer])
            else:
                below = np.maximum(raw, 0)
            outputs.append(below)
        self.hidden, self.cell = self.clip(np.stack(outputs)), self.clip(self.cell)
        return self.hidden.ravel()

    def interface(self, hidden):
        """The parts of the projection by name: rows of vectors, or numbers."""
        raw = self.p["interface.project.weight"] @ hidden + self.p["interface.project.bias"]
        r, k, w = self.c.reads, self.c.writes, self.c.word
        shapes = {
            "read_key": (r, w),
            "write_key": (k, w),
            "vector": (k, w),
            "read_strength": (r,),
            "write_strength": (k,),
            "erase": (k, w),
            "free": (r,),
            "allocate": (k,),
            "write": (k,),
            "mode": (r, 2 * k + 1),
        }
        parts, start = {}, 0
        for name, shape in shapes.items():
            parts[name] = raw[start : start + np.prod(shape)].reshape(shape)
            start += np.prod(shape)
        assert start == len(raw)
        for name in ("erase", "free", "allocate", "write"):
            parts[name] = sigmoid(parts[name])
        for name in ("read_strength", "write_strength"):
            parts[name] = np.log1p(np.exp(parts[name]))
        parts["mode"] = np.stack([softmax(mode) for mode in parts["mode"]])
        return parts

    def by_content(self, key, strength):
        scores = []
        for row in self.memory:
            norms = np.sqrt(row @ row + 1e-6) * np.sqrt(key @ key + 1e-6)
            scores.append(strength * (row @ key) / (norms + 1e-6))
        return softmax(np.array(scores))

    def write(self, parts):
        n = self.c.slots
        for row in range(n):
            untouched = np.prod([1 - weights[row] for weights in self.writing])
            self.usage[row] += (1 - self.usage[row]) * (1 - untouched)
            for free, weights in zip(parts["free"], self.reading, strict=True):
                self.usage[row] *= 1 - free * weights[row]
        simulated, weights = self.usage.copy(), np.zeros((self.c.writes, n))
        for k in range(self.c.writes):
            lifted, given, taken = 1e-6 + (1 - 1e-6) * simulated, np.zeros(n), 1.0
            for row in sorted(range(n), key=lambda row: lifted[row]):
                given[row] = (1 - lifted[row]) * taken
                taken *= lifted[row]
            found = self.by_content(parts["write_key"][k], parts["write_strength"][k])
            allocate, gate = parts["allocate"][k], parts["write"][k]
            weights[k] = gate * (allocate * given + (1 - allocate) * found)
            simulated = simulated + (1 - simulated) * gate * allocate * given
        for row in range(n):
            for k in range(self.c.writes):
                self.memory[row] *= 1 - weights[k, row] * parts["erase"][k]
            for k in range(self.c.writes):
                self.memory[row] += weights[k, row] * parts["vector"][k]
        self.writing = weights

    def remember_the_order(self):
        for k, weights in enumerate(self.writing):
            for i in range(self.c.slots):
                for j in range(self.c.slots):
                    old = (1 - weights[i] - weights[j]) * self.link[k, i, j]
                    self.link[k, i, j] = old + weights[i] * self.precedence[k, j]
                self.link[k, i, i] = 0
            self.precedence[k] = (1 - weights.sum()) * self.precedence[k] + weights

    def read(self, parts):
        for r, weights in enumerate(self.reading.copy()):
            backward = [link.T @ weights for link in self.link]
            forward = [link @ weights for link in self.link]
            found = self.by_content(parts["read_key"][r], parts["read_strength"][r])
            ways = [*backward, *forward, found]
            self.reading[r] = sum(m * way for m, way in zip(parts["mode"][r], ways, strict=True))
        self.words = self.reading @ self.memory

    def step(self, x):
        hidden = self.controller(x)
        parts = self.interface(hidden)
        self.write(parts)
        self.remember_the_order()
        self.read(parts)
        seen = np.concatenate([hidden, self.words.ravel()])
        return self.clip(self.p["output.weight"] @ seen + self.p["output.bias"])

    def state(self):
        controller = [self.hidden, self.cell] * (self.c.controller == "lstm")
        memory = [self.memory, self.reading, self.writing, self.link, self.precedence, self.usage]
        return [*controller, self.words, *memory]


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_output_of_an_episode_follows_the_formulas(options):
    core, config = build(**options), config_of(**options)
    x = torch.randn(8, 2, 7, dtype=torch.double)
    reset = torch.zeros(8, 2, dtype=torch.bool)
    reset[5, 1] = True
    outputs, _ = core(x, core.initial_state(2), reset)
    for b in range(2):
        oracle = Oracle(core, config)
        for t in range(8):
            if reset[t, b]:
                oracle = Oracle(core, config)
            np.testing.assert_allclose(outputs[t, b].detach(), oracle.step(x[t, b]), atol=1e-9)


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_step_follows_the_formulas_in_all_of_its_state(options):
    """From a memory in use: in a blank one, rounding decides which of equal rows goes first."""
    core, config = build(**options), config_of(**options)
    off_diagonal = 1 - torch.eye(config.slots)
    state = map_state(lambda leaf: torch.rand_like(leaf) / config.slots, core.initial_state(2))
    memory = state.memory._replace(link=state.memory.link * off_diagonal)
    state = state._replace(memory=memory._replace(usage=torch.rand_like(memory.usage)))
    oracles = [Oracle(core, config) for _ in range(2)]
    for b, oracle in enumerate(oracles):
        for own, leaf in zip(oracle.state(), state_leaves(state), strict=True):
            own[:] = leaf[b].reshape(own.shape)
    for x in torch.randn(6, 2, 7, dtype=torch.double):
        output, state = core.step(x, state)
        for b, oracle in enumerate(oracles):
            np.testing.assert_allclose(output[b].detach(), oracle.step(x[b]), atol=1e-9)
            for ours, theirs in zip(state_leaves(state), oracle.state(), strict=True):
                np.testing.assert_allclose(
                    ours[b].detach(), theirs.reshape(ours[b].shape), atol=1e-9
                )


def unrolled(steps=30, **options):
    """The state after every step, on inputs large enough to drive the gates to their ends."""
    core = build(**options)
    state, states = core.initial_state(4), []
    for x in 3 * torch.randn(steps, 4, 7, dtype=torch.double):
        _, state = core.step(x, state)
        states.append(state)
    return states


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_usage_and_weights_stay_within_their_bounds(options):
    tiny = 1e-9
    for _, _, state in unrolled(**options):
        for leaf in (state.usage, state.read_weights, state.write_weights, state.precedence):
            assert leaf.min() >= 0 and leaf.max() <= 1 + tiny
        for weights in (state.read_weights, state.write_weights, state.precedence):
            assert weights.sum(-1).max() <= 1 + tiny
        assert state.link.min() >= 0
        assert state.link.diagonal(dim1=-2, dim2=-1).eq(0).all()
        for of_one_row in (state.link.sum(-1), state.link.sum(-2)):
            assert of_one_row.max() <= 1 + tiny


def test_what_write_heads_are_given_sums_to_at_most_one_and_to_one_in_an_empty_memory():
    usage = torch.rand(50, 6, dtype=torch.double)
    gates = torch.rand(50, 3, dtype=torch.double)
    given = allocation(usage, gates)
    assert given.shape == (50, 3, 6) and given.min() >= 0 and given.sum(-1).max() <= 1
    empty = allocation(torch.zeros(1, 6, dtype=torch.double), gates[:1])
    torch.testing.assert_close(empty[0, 0], torch.eye(6).double()[0], rtol=0, atol=2e-6)
    full = allocation(torch.ones(1, 6, dtype=torch.double), gates[:1])
    assert full.max() < 1e-12


def test_a_write_head_is_given_what_the_ones_before_it_left():
    usage = torch.tensor([[0.9, 0.0, 1.0, 0.1, 0.5]], dtype=torch.double)
    first = torch.eye(5).double()[1]
    taken, left = allocation(usage, torch.ones(1, 2, dtype=torch.double))[0]
    torch.testing.assert_close(taken, first, rtol=0, atol=1e-5)
    expected = torch.tensor([0.1 * 0.05, 0.0, 0.0, 0.9, 0.5 * 0.1]).double()
    torch.testing.assert_close(left, expected, rtol=0, atol=1e-5)
    same = allocation(usage, torch.zeros(1, 2, dtype=torch.double))[0]
    torch.testing.assert_close(same[1], same[0])


def test_a_row_that_was_read_and_freed_is_the_first_to_be_written():
    written = torch.zeros(1, 1, 4, dtype=torch.double)
    read = torch.tensor([[[0.0, 0.0, 1.0, 0.0]]], dtype=torch.double)
    full = torch.full((1, 4), 0.99, dtype=torch.double)
    kept, freed = (new_usage(full, written, read, torch.tensor([[g]]).double()) for g in (0, 1))
    torch.testing.assert_close(kept, full)
    assert freed.tolist() == [[0.99, 0.99, 0.0, 0.99]]
    given = allocation(freed, torch.ones(1, 1, dtype=torch.double))
    torch.testing.assert_close(given[0, 0], read[0, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float, torch.double])
def test_of_rows_that_are_equally_free_the_first_is_written(dtype):
    usage = torch.tensor([[0.5, 1e-18, 0.0, 0.0]], dtype=dtype)
    given = allocation(usage, torch.ones(1, 1, dtype=dtype))
    assert given[0, 0].argmax() == 1


def test_usage_grows_with_every_write_head():
    usage = torch.tensor([[0.2]], dtype=torch.double)
    written = torch.tensor([[[0.5], [0.4]]], dtype=torch.double)
    nothing = torch.zeros(1, 1, 1, dtype=torch.double)
    after = new_usage(usage, written, nothing, nothing[..., 0])
    assert after.item() == pytest.approx(1 - 0.8 * 0.5 * 0.6)


def test_no_gradient_reaches_the_write_weights_by_way_of_the_usage():
    usage, written = torch.rand(2, 4).double(), torch.rand(2, 1, 4).double()
    read, free = torch.rand(2, 3, 4).double(), torch.rand(2, 3).double()
    given = [tensor.requires_grad_() for tensor in (usage, written, read, free)]
    gradients = torch.autograd.grad(new_usage(*given).sum(), given, allow_unused=True)
    assert [gradient is None for gradient in gradients] == [False, True, False, False]


def test_links_lead_from_every_written_row_to_the_one_before_and_after():
    rows = torch.eye(4, dtype=torch.double)
    link, precedence = torch.zeros(1, 1, 4, 4).double(), torch.zeros(1, 1, 4).double()
    for row in (2, 0, 3):
        written = rows[row].view(1, 1, 4)
        link = new_link(link, precedence, written, 1 - rows)
        precedence = new_precedence(precedence, written)
    backward, forward = neighbours(link, rows[[2, 0, 3]].unsqueeze(0))
    nowhere = torch.zeros(4, dtype=torch.double)
    assert torch.equal(forward[0, 0], torch.stack([rows[0], rows[3], nowhere]))
    assert torch.equal(backward[0, 0], torch.stack([nowhere, rows[2], rows[0]]))


def test_content_is_found_by_direction_and_the_strength_sharpens_it():
    memory = torch.tensor([[[1.0, 0.0], [0.0, 5.0], [3.0, 3.0]]], dtype=torch.double)
    keys = torch.tensor([[[0.0, 0.1], [0.0, 0.1], [0.0, 0.0]]], dtype=torch.double)
    strengths = torch.tensor([[1.0, 60.0, 60.0]], dtype=torch.double)
    weak, strong, lost = content_weights(memory, keys, strengths)[0]
    expected = softmax(np.array([0.0, 1.0, np.sqrt(0.5)]))
    np.testing.assert_allclose(weak, expected, atol=1e-3)
    assert strong[1] > 0.999
    torch.testing.assert_close(lost, torch.full((3,), 1 / 3, dtype=torch.double))


def test_what_the_heads_were_asked_and_where_they_found_it_can_be_watched():
    core = build(writes=2)
    seen = inspect(core, torch.randn(3, 4, 7).double(), core.initial_state(4))
    allocate, write, modes = (
        seen.observed[f"interface.{name}"] for name in ("allocation_gates", "write_gates", "modes")
    )
    given, found = seen.observed["memory.write.allocation"], seen.observed["memory.write.content"]
    gates = allocate.unsqueeze(-1)
    expected = write.unsqueeze(-1) * (gates * given + (1 - gates) * found)
    torch.testing.assert_close(seen.states["memory.write_weights"], expected)
    by_content = modes[0, :, :, -1:] * seen.observed["memory.read.content"][0]
    torch.testing.assert_close(seen.states["memory.read_weights"][0], by_content)  # nothing before
    assert seen.observed["interface.free_gates"].shape == (3, 4, 2)


def test_controller_state_and_output_are_clipped_unless_the_bound_is_zero():
    inputs = 100 * torch.randn(20, 2, 7, dtype=torch.double)
    sizes = {}
    for clip in (0.0, 0.5):
        core = build(clip=clip)
        outputs, state = core(inputs, core.initial_state(2))
        sizes[clip] = [leaf.abs().max() for leaf in (outputs, *state.controller)]
    assert sizes[0.5] == [0.5] * 3
    assert min(sizes[0.0]) > 0.5


def test_everything_begins_at_zero():
    for options in VARIANTS.values():
        state = build(**options).initial_state(2)
        assert all(leaf.eq(0).all() for leaf in state_leaves(state))


def test_a_feed_forward_controller_remembers_nothing_but_by_the_memory():
    core = build(controller="feed_forward")
    x = torch.randn(3, 2, 7, dtype=torch.double)
    _, state = core(x, core.initial_state(2))
    fresh = core.initial_state(2)
    assert state_leaves(state.controller) == []
    assert not torch.equal(core.step(x[0], state)[0], core.step(x[0], fresh)[0])
    with torch.no_grad():
        for layer in core.controller.from_memory:
            layer.weight.zero_()
        core.output.weight[:, core.controller.output_size :] = 0
    assert torch.equal(core.step(x[0], state)[0], core.step(x[0], fresh)[0])


@pytest.mark.parametrize("controller", ["lstm", "feed_forward"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("writes", [1, 2])
def test_the_number_of_parameters_is_that_of_the_formulas(controller, layers, writes):
    features, slots, word, reads, hidden, output = 7, 9, 5, 3, 6, 4
    config = DNCConfig(
        **{"slots": slots, "word": word, "reads": reads, "writes": writes, "hidden": hidden},
        **{"layers": layers, "output": output, "controller": controller},
    )
    lstm = controller == "lstm"
    expected = 0
    for layer in range(layers):
        seen = features + reads * word + hidden * lstm + hidden * (layer > 0)
        expected += (seen + 1) * hidden * (4 if lstm else 1)
    # The paper counts W R + 3 W + 5 R + 3 numbers for one write head.
    of_heads = reads * (word + 2 + 1 + 2 * writes) + writes * (3 * word + 3)
    assert writes > 1 or of_heads == word * reads + 3 * word + 5 * reads + 3
    expected += (layers * hidden + 1) * of_heads
    expected += (layers * hidden + reads * word + 1) * output
    core = config.build((features,))
    assert sum(parameter.numel() for parameter in core.parameters()) == expected


def test_weights_are_drawn_as_those_of_one_matrix_per_layer():
    torch.manual_seed(0)
    core = DNCConfig(layers=2, hidden=64).build((50,))
    below, above = core.controller.from_input.weight.chunk(2)
    for layer, of_input in enumerate((below, above)):
        of_memory = core.controller.from_memory[layer].weight
        bound = 2 * (50 + of_memory.shape[1]) ** -0.5
        for weight in (of_input, of_memory):
            assert 0.95 * bound < weight.abs().max() <= bound
    assert core.controller.from_input.bias.eq(0).all()


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_the_unroll_is_the_loop_of_steps_over_many_steps(options):
    core = build(**options)
    x = torch.randn(40, 4, 7, dtype=torch.double)
    reset = torch.rand(40, 4) < 0.05
    outputs, _ = core(x, core.initial_state(4), reset)
    plain, _ = Core.forward(core, x, core.initial_state(4), reset)
    torch.testing.assert_close(outputs, plain, rtol=0, atol=1e-9)


def test_gradients_stay_finite_where_the_memory_is_blank_and_where_it_is_full():
    core = build(slots=3)
    x = 50 * torch.randn(100, 2, 7, dtype=torch.double)
    for inputs in (torch.zeros_like(x), x):
        outputs, state = core(inputs, core.initial_state(2))
        gradients = torch.autograd.grad(outputs.sum(), list(core.parameters()))
        assert all(leaf.isfinite().all() for leaf in state_leaves(state))
        assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({name: 0}, f"{name}=0: must be at least 1")
        for name in ("slots", "word", "reads", "writes", "hidden", "layers", "output")
    ]
    + [
        ({"clip": -1.0}, "clip=-1.0: must be 0, for none, or more"),
        ({"clip": float("nan")}, "clip=nan: must be 0, for none, or more"),
        (
            {"controller": "feedforward"},
            "controller='feedforward': must be one of lstm, feed_forward; "
            "did you mean 'feed_forward'",
        ),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(options, message):
    config = DNCConfig()
    for name, value in options.items():  # past the check of types, which only runs in tests
        object.__setattr__(config, name, value)
    with pytest.raises(ValueError, match=message):
        config.build((9,))
