"""Drawings for people: from cells to pixels, and what is added to them."""

from typing import NamedTuple

import numpy as np

CELL_SIZE = 16
"""Side of a drawn cell in pixels; even, as video encoders require."""
Colour = tuple[int, int, int]


def enlarge(image: np.ndarray) -> np.ndarray:
    """Draw each pixel of an RGB image as a cell."""
    return image.repeat(CELL_SIZE, axis=0).repeat(CELL_SIZE, axis=1)


class Mark(NamedTuple):
    """A character on one cell of a frame, so that cells differ by more than their colour.

    Observations never show it.

    `@` is drawn as a disc (the agent), `*` as a diamond (the goal).
    """

    row: int
    column: int
    symbol: str


class Region(NamedTuple):
    """Cells of a frame, from (top, left) on; they may lie outside of it."""

    top: int
    left: int
    rows: int
    columns: int


class Swatch(NamedTuple):
    """A colour to show, with the character that marks it."""

    colour: Colour
    symbol: str


Caption = dict[str, str | Swatch]
"""Text to show beside a picture, by name and in order."""
