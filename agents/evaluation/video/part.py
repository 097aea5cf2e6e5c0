"""A part of a memory as a picture: its numbers as colours, now and over time."""

# pyright: standard

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from agents.evaluation.video.drawing import LABEL, TEXT, Box, fitted, font, ink, paste, shade, write

FEW = 16
"""Up to so many numbers are shown over time, one row each; of more, the mean of each row."""
WIDEST, MOST_FOLDED = 32, 8
"""Longer rows are folded into a matrix each, if there are so many at most."""
MOST_BLOCKS = 16
MANY, SIDE_OF_MANY = 96, 4
"""More numbers than this have cells of so many pixels at most."""
TITLE, TICK, GAP = 20, 13, 6
"""Pixels."""
SMALLEST_NUMBERED = 20
"""Width in pixels of a cell from which on its number is written into it."""


class Part(NamedTuple):
    """The numbers of one part of a memory, at one step and at those before it."""

    name: str
    values: np.ndarray
    """`[...]`, of one actor."""
    axes: Mapping[str, Sequence[str]] = {}
    """Names of the axes, with labels of their places; empty if unknown."""
    rows: np.ndarray = np.zeros((0, 0))
    """`[steps, R]`, from `rows_of`, with the present step as the last one."""

    @property
    def scale(self) -> float:
        """The number that is drawn brightest: 1 for weights and gates."""
        largest = max(np.abs(x).max(initial=0) for x in (self.values, self.rows))
        return 1.0 if largest <= 1 else float(largest)


def rows_of(values: np.ndarray) -> np.ndarray:
    """What is shown over time, `[R]`: few numbers one by one, else the mean of each row."""
    if is_few(values):
        return values.reshape(-1)
    rows = values.reshape(-1, values.shape[-1]).mean(axis=1)
    return rows if values.ndim > 1 and len(rows) <= 4 else rows[:0]


def is_few(values: np.ndarray) -> bool:
    """Whether all numbers are shown over time; matrices are shown as they are."""
    return values.size <= FEW and values.ndim <= 2


def blocks_of(values: np.ndarray) -> np.ndarray:
    """The numbers as matrices side by side, `[blocks, rows, columns]`; NaN where there is none."""
    if values.ndim >= 3:
        return values.reshape(-1, *values.shape[-2:])
    if values.ndim == 2 and (values.shape[1] <= WIDEST or len(values) > MOST_FOLDED):
        return values[None]
    rows = values.reshape(-1, values.shape[-1])
    width = values.shape[-1]
    if width <= WIDEST:
        return rows[None]
    columns = int(np.ceil(np.sqrt(width)))
    height = -(-width // columns)
    padded = np.full((len(rows), columns * height), np.nan)
    padded[:, :width] = rows
    return padded.reshape(len(rows), height, columns)


def usual_height(part: Part) -> int:
    """Pixels that a part needs in comparison with others."""
    if is_few(part.values):
        return TITLE + min(120, 18 * part.rows.shape[1])
    return TITLE + (280 if part.values.ndim >= 3 and part.values.size <= MANY else 140)


def paint_part(canvas: Image.Image, part: Part, box: Box) -> None:
    """Draw a part: a title, the numbers now if they are many, and rows over time."""
    draw = ImageDraw.Draw(canvas)
    axes = " x ".join([*part.axes][-2:]) if part.axes and not is_few(part.values) else ""
    largest, middle = f"max {part.scale:.2g}" if part.scale > 1 else "", box.top + TITLE / 2
    write(draw, (box.left + box.width, middle), largest, LABEL, size=12, anchor="rm")
    room = box.width - draw.textlength(largest, font(12)) - (8 if largest else 0)
    title = fitted(draw, f"{part.name}: {axes}" if axes else part.name, room, 13)
    write(draw, (box.left, middle), title, TEXT, size=13)
    body = box.below(TITLE)
    if is_few(part.values):
        _paint_rows(canvas, part, body)
        return
    strip = min(body.height // 3, 16 * part.rows.shape[1])
    used = _paint_blocks(canvas, part, body._replace(height=body.height - strip - GAP))
    if strip:
        _paint_rows(canvas, part, body.below(used)._replace(height=strip))


def _paint_blocks(canvas: Image.Image, part: Part, box: Box) -> int:
    """Draw the numbers as they are now; returns the height."""
    blocks = blocks_of(part.values)
    shown = blocks[:MOST_BLOCKS]
    titles, ticks = _block_labels(part, len(blocks)), _ticks(part, blocks)
    head = (TICK if titles else 0) + (TICK if ticks else 0)
    side = TICK + 4 if ticks else 0
    across = _across(shown.shape, box, head, side)
    lines = -(-len(shown) // across)
    width, height = (box.width + GAP) // across - GAP, (box.height + GAP) // lines - GAP
    cell_width, cell_height = _sides(shown.shape, width - side, height - head)
    rows, columns = shown.shape[1:]
    size = max(1, int(cell_width * columns)), max(1, int(cell_height * rows))
    draw = ImageDraw.Draw(canvas)
    for index, block in enumerate(shown):
        line, column = divmod(index, across)
        left = box.left + column * (width + GAP) + side
        top = box.top + line * (head + size[1] + GAP) + head
        if titles:
            text = fitted(draw, titles[index], width, 11)
            write(draw, (left, top - head + TICK / 2), text, LABEL, size=11)
        if ticks:
            _write_ticks(draw, ticks, Box(left, top, *size), (cell_width, cell_height))
        paint_matrix(canvas, block, part.scale, Box(left, top, *size))
    return lines * (head + size[1] + GAP)


def _ticks(part: Part, blocks: np.ndarray) -> tuple[Sequence[str], Sequence[str]] | None:
    """Labels of the rows and of the columns of each block, if its last two axes have some."""
    if part.values.ndim < 2 or part.values.shape[-2:] != blocks.shape[1:] or len(part.axes) < 2:
        return None
    rows, columns = list(part.axes.values())[-2:]
    return (rows, columns) if rows and columns else None


def _write_ticks(
    draw: ImageDraw.ImageDraw,
    ticks: tuple[Sequence[str], Sequence[str]],
    box: Box,
    sides: tuple[float, float],
) -> None:
    for row, label in zip(range(round(box.height / sides[1])), ticks[0], strict=False):
        y = box.top + (row + 0.5) * sides[1]
        write(draw, (box.left - 4, y), label, LABEL, size=11, anchor="rm")
    for column, label in zip(range(round(box.width / sides[0])), ticks[1], strict=False):
        x = box.left + (column + 0.5) * sides[0]
        write(draw, (x, box.top - TICK / 2), label, LABEL, size=11, anchor="mm")


def _across(shape: tuple[int, ...], box: Box, head: int, left: int) -> int:
    """How many blocks stand side by side so that their cells are largest."""
    count, rows, columns = shape

    def side(across: int) -> float:
        lines = -(-count // across)
        width, height = box.width / across - GAP - left, box.height / lines - GAP - head
        return min(width / columns, height / rows)

    return max(range(1, count + 1), key=side)


def _sides(shape: tuple[int, ...], width: int, height: int) -> tuple[float, float]:
    """Width and height of a cell: whole pixels where there is room, and not too far from square.

    Cells of large memories are small, as they change all at once: videos would be too.
    """
    count, rows, columns = shape
    x, y = width / columns, height / rows
    x, y = min(x, 3 * y), min(y, 1.5 * x)
    if count * rows * columns > MANY:
        x, y = min(x, SIDE_OF_MANY), min(y, SIDE_OF_MANY)
    return (x if x < 1 else float(int(x))), (y if y < 1 else float(int(y)))


def _block_labels(part: Part, count: int) -> list[str]:
    """A label for each block, from the first axis if there is one block for each of its places."""
    if not part.axes or part.values.ndim < 2 or count != part.values.shape[0] or count == 1:
        return []
    name, labels = next(iter(part.axes.items()))
    return list(labels) or [f"{name} {place + 1}" for place in range(count)]


def paint_matrix(canvas: Image.Image, values: np.ndarray, scale: float, box: Box) -> None:
    """Draw numbers `[rows, columns]` as colours, and write them where the cells are large."""
    paste(canvas, shade(values, scale), box)
    rows, columns = values.shape
    width, height = box.width // columns, box.height // rows
    if width < SMALLEST_NUMBERED or height < 13 or scale > 1:
        return
    draw = ImageDraw.Draw(canvas)
    for (row, column), value in np.ndenumerate(values):
        place = box.left + (column + 0.5) * width, box.top + (row + 0.5) * height
        write(draw, place, number(float(value)), ink(shade(value, scale)), size=11, anchor="mm")


def number(value: float) -> str:
    """A number in [-1, 1] in two digits after the point: .07, -.25, 1."""
    text = f"{value:.2f}"
    return text[:-3] if text.endswith(".00") else text.replace("0.", ".", 1)


def _paint_rows(canvas: Image.Image, part: Part, box: Box) -> None:
    """One row for each number, one column for each step; the number now at the right."""
    draw, count = ImageDraw.Draw(canvas), part.rows.shape[1]
    labels = _row_labels(part, count)
    height = max(1, min(22, box.height // count))
    longest = max((int(draw.textlength(label, font(11))) for label in labels), default=0)
    left = min(80, 6 + longest) if height >= 10 and longest else 0
    columns = max(1, (box.width - left - 40) // 4)
    recent = part.rows[-columns:].T
    width = 4 * recent.shape[1]
    area = Box(box.left + left, box.top, width, height * count)
    paste(canvas, shade(recent, part.scale), area)
    for index, label in enumerate(labels):
        y = area.top + (index + 0.5) * height
        if height >= 10:
            write(draw, (box.left, y), fitted(draw, label, left, 11), LABEL, size=11)
            now = f"{part.rows[-1, index]:.2f}"
            write(draw, (area.left + width + 4, y), now, TEXT, size=11)


def _row_labels(part: Part, count: int) -> list[str]:
    """A label for each row: from the axes that the rows run over."""
    shape = part.values.shape if is_few(part.values) else part.values.shape[:-1]
    axes = [*part.axes.items()][: len(shape)]
    if len(axes) != len(shape) or not shape:
        return [str(row + 1) if count > 1 else "" for row in range(count)]
    named = [
        list(labels) or [f"{name} {place + 1}" if size > 1 else "" for place in range(size)]
        for (name, labels), size in zip(axes, shape, strict=True)
    ]
    return [
        " ".join(filter(None, (named[axis][place] for axis, place in enumerate(places))))
        for places in np.ndindex(*shape)
    ]
