"""The buffer of the last inputs against a plain list of them."""

import numpy as np
import pytest
import torch

from memory.cores.buffered.input_buffer import InputBuffer, InputBufferState

T, B, N, F, D = 9, 3, 4, 5, 3


def build(slots=N):
    torch.manual_seed(6)
    buffer = InputBuffer(F, slots, D).double()
    torch.nn.init.normal_(buffer.embed.bias)
    torch.nn.init.normal_(buffer.embed_question.bias)
    return buffer, torch.randn(T, B, F, dtype=torch.double)


def apply(layer, x):
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def remembered(x, reset, slots):
    """For each time, the inputs of the episode so far, newest first: one element of a batch."""
    now, all_times = [], []
    for row, starts in zip(x, reset, strict=True):
        now = [row, *([] if starts else now)][:slots]
        all_times.append(now)
    return all_times


@pytest.mark.parametrize("slots", [1, 4, 20])
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_what_is_recollected_is_the_last_inputs_of_the_episode_and_their_ages(slots, rate):
    buffer, x = build(slots)
    reset = torch.rand(T, B) < rate
    recollection, state = buffer.unroll(x, buffer.empty(B), reset)
    question, rows, filled = (part.detach().unflatten(0, (T, B)) for part in recollection)
    age = buffer.age.detach().numpy()
    for b in range(B):
        inputs = x[:, b].numpy()
        np.testing.assert_allclose(question[:, b], apply(buffer.embed_question, inputs))
        count, embedded = 0, np.empty(0)
        for t, expected in enumerate(remembered(inputs, reset[:, b], slots)):
            count = len(expected)
            assert filled[t, b].tolist() == [True] * count + [False] * (slots - count)
            embedded = apply(buffer.embed, np.stack(expected))
            np.testing.assert_allclose(rows[t, b, :count], embedded + age[:count], atol=1e-12)
        np.testing.assert_allclose(state.rows[b, :count].detach(), embedded, atol=1e-12)
        assert state.filled[b].tolist() == [1.0] * count + [0.0] * (slots - count)


def test_slots_that_are_not_filled_hold_zeros_after_a_reset_too():
    buffer, x = build()
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[-2, 1] = True
    _, state = buffer.unroll(x, buffer.empty(B), reset)
    assert state.filled.sum(1).tolist() == [N, 2, N]
    assert state.rows[1, 2:].eq(0).all()


@pytest.mark.parametrize("slots", [1, 4, 20])
def test_an_unroll_recollects_what_the_steps_do(slots):
    buffer, x = build(slots)
    _, start = buffer.unroll(x[:2], buffer.empty(B), None)
    fast, end = buffer.unroll(x, start, None)
    state, steps = start, []
    for now in x:
        recollection, state = buffer.step(now, state)
        steps.append(recollection)
    for one, others in zip(fast, zip(*steps, strict=True), strict=True):
        torch.testing.assert_close(one, torch.cat(others))
    for one, other in zip(end, state, strict=True):
        torch.testing.assert_close(one, other)


def test_the_newest_input_is_in_front_and_the_oldest_falls_off():
    buffer, _ = build(slots=3)
    start = InputBufferState(
        torch.arange(9.0).double().view(1, 3, 3), torch.ones(1, 3, dtype=torch.double)
    )
    with torch.no_grad():
        _, state = buffer.step(torch.zeros(1, F, dtype=torch.double), start)
    assert torch.equal(state.rows[0, 0], buffer.embed.bias)
    assert torch.equal(state.rows[0, 1:], start.rows[0, :2])


def test_a_state_does_not_drag_the_buffers_of_all_times_along():
    buffer, x = build()
    _, state = buffer.unroll(x, buffer.empty(B), None)
    for leaf in state:
        assert leaf.untyped_storage().nbytes() == leaf.numel() * leaf.itemsize


def test_the_same_input_at_another_age_is_another_row():
    buffer, _ = build()
    x = torch.ones(T, B, F, dtype=torch.double)
    recollection, _ = buffer.unroll(x, buffer.empty(B), None)
    rows = recollection.rows[-1]
    assert all(not torch.allclose(rows[i], rows[j]) for i in range(N) for j in range(i))
