"""What a cell of a BoxWorld room can hold, as one byte, and its colour."""

import colorsys

import numpy as np

NUM_COLOURS = 20
"""Colours of keys and locks."""

EMPTY = 0
BORDER = 1
GEM = 2
AGENT = 3
KEY = 32
"""A key of colour c is `KEY + c`."""
LOCK = 64
"""The lock of a solution box, opened by the key of the same colour, is `LOCK + c`."""
WRONG_LOCK = 96
"""The lock of a distractor box is `WRONG_LOCK + c`; it looks the same."""


def _palette() -> np.ndarray:
    palette = np.zeros((128, 3), np.uint8)
    palette[EMPTY] = 204
    palette[GEM] = 255
    palette[AGENT] = 128
    for colour in range(NUM_COLOURS):
        rgb = [int(255 * channel) for channel in colorsys.hsv_to_rgb(colour / 20, 0.5, 0.7)]
        palette[[KEY + colour, LOCK + colour, WRONG_LOCK + colour]] = rgb
    return palette


PALETTE = _palette()
"""RGB of each cell code, uint8 `[128, 3]`: 20 hues 18 degrees apart, on grey."""
