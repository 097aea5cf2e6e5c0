"""When an unroll is cut into fused stretches."""

import pytest
import torch

from memory.stretches import starts_of_stretches


def resets(steps, openings):
    reset = torch.zeros(steps, 2, dtype=torch.bool)
    reset[openings, 1] = True
    return reset


def test_a_stretch_opens_at_the_start_and_at_every_reset_of_any_element():
    reset = resets(20, [4, 9])
    reset[9, 0] = reset[0, 0] = True
    assert starts_of_stretches(reset) == [0, 4, 9]
    assert starts_of_stretches(resets(20, [])) == [0]


@pytest.mark.parametrize(("openings", "pays"), [(4, True), (5, False)])
def test_many_short_episodes_are_not_worth_fused_calls(openings, pays):
    starts = starts_of_stretches(resets(20, list(range(1, 1 + openings))))
    assert (starts is not None) == pays
