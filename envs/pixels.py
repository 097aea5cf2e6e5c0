"""From cells to pixels."""

import numpy as np

CELL_SIZE = 16
"""Side of a drawn cell in pixels; even, as video encoders require."""


def enlarge(image: np.ndarray) -> np.ndarray:
    """Draw each pixel of an RGB image as a cell."""
    return image.repeat(CELL_SIZE, axis=0).repeat(CELL_SIZE, axis=1)
