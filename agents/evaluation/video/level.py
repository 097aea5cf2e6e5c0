"""Pictures of a level, and of what an agent sees of it."""

# pyright: standard

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorEnv
from PIL import Image, ImageDraw

from agents.evaluation.video.drawing import WHITE, Box, font, ink, paste
from agents.evaluation.video.encoder import VideoError
from envs.drawing import CELL_SIZE, Mark, Region
from envs.game import Game
from envs.vector import GameVectorEnv

SMALLEST_MARKED = 11
"""Pixels of a cell below which marks are illegible, and omitted."""
SHAPES = {"@": "disc", "*": "diamond"}


class Drawing(NamedTuple):
    """An RGB picture of cells, or of anything."""

    pixels: np.ndarray
    """uint8 `[rows, columns, 3]`; one pixel for each cell if it has cells."""
    has_cells: bool = False
    marks: Sequence[Mark] = ()
    seen: Region | None = None
    """The cells to outline."""


def draw_game(game: Game[Any], index: int) -> tuple[Drawing, Drawing | None]:
    """The whole of one game, and what its agent sees if that is another picture."""
    frame, view = (_cells(pixels) for pixels in (game.frame(index), game.view(index)))
    marks, seen = game.marks(index), game.seen(index)
    level = Drawing(frame, True, marks, seen)
    if view.shape == frame.shape:
        return level, None
    return level, Drawing(view, True, [] if seen is None else list(_marks_in(view, level)))


def _cells(pixels: np.ndarray) -> np.ndarray:
    return pixels[::CELL_SIZE, ::CELL_SIZE]


def _marks_in(view: np.ndarray, level: Drawing) -> Iterator[Mark]:
    """The marks of a level that lie in the view, on cells that look the same there."""
    assert level.seen is not None
    for row, column, symbol in level.marks:
        r, c = row - level.seen.top, column - level.seen.left
        is_inside = 0 <= r < len(view) and 0 <= c < view.shape[1]
        if is_inside and np.array_equal(view[r, c], level.pixels[row, column]):
            yield Mark(r, c, symbol)


def draw_env(env: VectorEnv, index: int) -> tuple[Drawing, Drawing | None]:
    """As `draw_game`, of any environment that draws itself.

    Raises:
        VideoError: it does not.
    """
    if isinstance(env, GameVectorEnv):
        return draw_game(env.game, index)
    # A batch that is stepped in turn gives access to its environments; others draw all of them.
    one_by_one = getattr(env, "envs", None)
    try:
        picture = one_by_one[index].render() if one_by_one else (env.render() or {})[index]
    except Exception as error:  # an external environment may raise anything
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise VideoError(f"{_name(env)} cannot be rendered: {reason}") from error
    try:
        return Drawing(as_rgb(picture)), None
    except ValueError as error:
        modes = ", ".join(env.metadata.get("render_modes") or ["none"])
        raise VideoError(
            f"{_name(env)} cannot be rendered: its render method returns {error}, expected a "
            f"picture (its render modes: {modes})."
        ) from None


def _name(env: VectorEnv) -> str:
    return env.spec.id if env.spec else type(env).__name__


def as_rgb(picture: Any) -> np.ndarray:
    """A picture as uint8 `[rows, columns, 3]`: from floats (in [0, 1], or up to 255), booleans,
    grey, with alpha, or with the channels first.

    Raises:
        ValueError: it is not a picture; says what it is.
    """
    if not isinstance(picture, np.ndarray):
        raise ValueError(type(picture).__name__)
    described = f"an array of {picture.dtype} {list(picture.shape)}"
    if picture.dtype.kind not in "buif" or not picture.size:
        raise ValueError(described)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim == 3 and picture.shape[2] not in (1, 3, 4) and picture.shape[0] in (1, 3, 4):
        picture = picture.transpose(1, 2, 0)
    if picture.ndim != 3 or picture.shape[2] not in (1, 3, 4):
        raise ValueError(described)
    if picture.dtype.kind in "bf":
        picture = np.nan_to_num(picture.astype(np.float64), posinf=255)
        picture = np.round(picture * (255 if picture.max() <= 1 else 1))
    colours = picture[..., :3] if picture.shape[2] >= 3 else picture.repeat(3, axis=2)
    return np.clip(colours, 0, 255).astype(np.uint8)


def paint(canvas: Image.Image, drawing: Drawing, box: Box) -> Box:
    """Draw as large as a box allows; returns the part of it that is covered."""
    rows, columns = drawing.pixels.shape[:2]
    factor = min(box.width / columns, box.height / rows)
    side = int(factor) if factor >= 1 else factor
    covered = Box(box.left, box.top, max(1, int(side * columns)), max(1, int(side * rows)))
    paste(canvas, drawing.pixels, covered)
    draw = ImageDraw.Draw(canvas)
    if drawing.has_cells and side >= SMALLEST_MARKED:
        for mark in drawing.marks:
            _mark(draw, mark, drawing.pixels[mark.row, mark.column], box, int(side))
    if drawing.seen and side >= 1:
        _outline(draw, drawing.seen, covered, int(side))
    return covered


def _mark(draw: ImageDraw.ImageDraw, mark: Mark, under: np.ndarray, box: Box, side: int) -> None:
    x = box.left + (mark.column + 0.5) * side
    y = box.top + (mark.row + 0.5) * side
    shape = SHAPES.get(mark.symbol)
    if shape is None:
        draw.text((x, y), mark.symbol, ink(under), font(round(side * 0.7)), anchor="mm")
        return
    r = side * 0.36
    if shape == "disc":
        draw.ellipse((x - r, y - r, x + r, y + r), (200, 0, 90), WHITE, 2)
    else:
        corners = [(x, y - r), (x + r, y), (x, y + r), (x - r, y)]
        draw.polygon(corners, WHITE, (0, 0, 0), 2)


def _outline(draw: ImageDraw.ImageDraw, seen: Region, covered: Box, side: int) -> None:
    """Outline what the agent sees, inside of the picture, in black and white."""
    left, top, right, bottom = covered.corners
    x, y = covered.left + seen.left * side, covered.top + seen.top * side
    corners = (
        max(left, x),
        max(top, y),
        min(right, x + seen.columns * side - 1),
        min(bottom, y + seen.rows * side - 1),
    )
    draw.rectangle(corners, None, (0, 0, 0), 5)
    inner = (corners[0] + 1, corners[1] + 1, corners[2] - 1, corners[3] - 1)
    draw.rectangle(inner, None, WHITE, 3)
