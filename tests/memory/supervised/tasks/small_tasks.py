"""Small tasks that use what only some tasks use: carried state, and answers that are fed."""

import torch
from torch.nn.functional import one_hot

from memory.supervised.batch import Batch
from memory.supervised.task import Encoder, Plain, Task

SYMBOLS, STEPS = 4, 3


def drawn(seed, *shape):
    return torch.randint(SYMBOLS, shape, generator=torch.Generator().manual_seed(seed))


class Stream(Task):
    """Endless lanes: say the symbol of `STEPS` steps ago, which is always in the batch before.

    `notice` moves on to other symbols, `rounds` times so far.
    """

    num_classes = SYMBOLS
    carries_state = True

    def __init__(self):
        self.rounds = 0

    def encoder(self) -> Encoder:
        return Plain(SYMBOLS)

    def batch(self, number, size):
        shown, before = (drawn(1000 * self.rounds + n, STEPS, size) for n in (number, number - 1))
        inputs = one_hot(shown, SYMBOLS).float()
        loss_mask = torch.ones_like(before, dtype=torch.bool)
        loss_mask[:2, 0] = False
        return Batch(inputs, before, loss_mask)

    def held_out(self, split):
        for number in range(1, 6):
            yield self.batch(number, 8)

    def notice(self, validation):
        self.rounds += 1
        return True

    def get_state(self):
        return {"rounds": self.rounds}

    def set_state(self, state):
        self.rounds = state["rounds"]


class OneHot(Encoder):
    output_shape = (SYMBOLS,)

    def forward(self, inputs):
        return one_hot(inputs, SYMBOLS).float()


class Counting(Task):
    """The right answer is one more than the input: than the answer before, where that is fed."""

    num_classes = SYMBOLS

    def encoder(self) -> Encoder:
        return OneHot()

    def batch(self, number, size):
        first = drawn(number, 1, size)
        inputs = (first + torch.arange(5)[:, None]) % SYMBOLS
        feedback_mask = torch.ones_like(inputs, dtype=torch.bool)
        feedback_mask[:2] = False
        loss_mask = torch.ones_like(feedback_mask)
        loss_mask[0] = False
        return Batch(inputs, (inputs + 1) % SYMBOLS, loss_mask, feedback_mask=feedback_mask)

    def held_out(self, split):
        yield self.batch(-1, 16)
