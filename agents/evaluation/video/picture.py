"""One picture of a video: titled panels of the level, the agent and its memory."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from agents.evaluation.video.drawing import (
    BACKGROUND,
    BLUE,
    GREEN,
    LABEL,
    ORANGE,
    PANEL,
    TEXT,
    Box,
    Colour,
    fitted,
    font,
    ink,
    write,
)
from agents.evaluation.video.level import Drawing, paint
from agents.evaluation.video.part import Part, is_few, paint_part, usual_height
from envs.drawing import Caption, Swatch

MARGIN, HEADER, TITLE, FOOTER, LINE = 16, 40, 24, 36, 24
"""Pixels: around panels, of the line above all, of a panel's title, of the line below, of text."""
LEVEL, SIDE, MEMORY, TILE = 460, 240, 520, 240
"""Pixels: width and height of the level, width of the agent's column, of the memory, of a tile."""
MOST_BARS = 6
CURVE = 90
"""Smallest height of the value's curve."""


class Scene(NamedTuple):
    """What a picture shows; panels of what is None are left out."""

    title: str
    caption: Caption
    level: Drawing | None = None
    view: Drawing | None = None
    probabilities: Mapping[str, float] | None = None
    """Of the actions, by name."""
    action: str | None = None
    """The chosen one."""
    values: Sequence[float] | None = None
    """The agent's estimate of the return, at each step so far."""
    parts: Sequence[Part] | None = None
    """Of the memory."""
    ending: str | None = None
    """How the episode ended, if it has, as `EnvConfig.ending` says."""
    note: str = ""
    """The line below, beside how the episode ended."""


def caption(of_game: Caption, episode_return: float, step: int) -> Caption:
    """The lines of text: return, step, then the game's own values.

    Args:
        of_game: from `EnvConfig.caption`.
        episode_return: undiscounted rewards so far.
        step: of the episode; 0 before the first.
    """
    return {"return": f"{episode_return:.4g}", "step": str(step), **of_game}


def compose(scene: Scene) -> np.ndarray:
    """One picture, uint8 `[rows, columns, 3]` of even size.

    The size depends on which panels there are, and on nothing else.
    """
    widths = [LEVEL] * (scene.level is not None) + [SIDE] + [MEMORY] * (scene.parts is not None)
    size = sum(widths) + MARGIN * (len(widths) + 1), HEADER + TITLE + LEVEL + FOOTER
    canvas = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    title = fitted(draw, scene.title, size[0] - 2 * MARGIN, 18)
    write(draw, (MARGIN, HEADER / 2 + 2), title, size=18)
    column = Box(MARGIN, HEADER, LEVEL, TITLE + LEVEL)
    if scene.level is not None:
        outlined = " (outlined: what the agent sees)" if scene.level.seen else ""
        covered = paint(canvas, scene.level, _titled(draw, f"Level{outlined}", column))
        if scene.ending:
            left, top, right, bottom = covered.corners
            corners = (left - 4, top - 4, right + 4, bottom + 4)
            draw.rectangle(corners, None, ending_colour(scene.ending), 4)
        column = column._replace(left=column.left + LEVEL + MARGIN)
    _agent_column(canvas, scene, column._replace(width=SIDE))
    if scene.parts is not None:
        _memory_column(
            canvas, scene.parts, Box(size[0] - MARGIN - MEMORY, HEADER, MEMORY, TITLE + LEVEL)
        )
    _footer(canvas, scene)
    return np.asarray(canvas)


def tile(scene: Scene) -> np.ndarray:
    """A small picture for a grid: the level, return, step, and how the episode ended."""
    canvas = Image.new("RGB", (TILE + 8, TILE + 8 + LINE), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    if scene.level is not None:
        paint(canvas, scene.level, Box(4, 4, TILE, TILE))
    values = [scene.caption[name] for name in ("return", "step")]
    write(draw, (6, TILE + 4 + LINE / 2), f"return {values[0]}  step {values[1]}", LABEL)
    if scene.ending:
        colour = ending_colour(scene.ending)
        draw.rectangle((1, 1, TILE + 6, TILE + 6), None, colour, 3)
        _ending(draw, Box(TILE // 2 + 30, TILE + 4, TILE // 2 - 24, LINE), scene.ending, 14)
    return np.asarray(canvas)


def in_grid(pictures: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Pictures of one size in rows; missing ones are background."""
    height, width = pictures[0].shape[:2]
    lines = -(-len(pictures) // columns)
    size = lines * height + lines * height % 2, columns * width + columns * width % 2, 3
    grid = np.full(size, BACKGROUND, np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        grid[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return grid


def ending_colour(ending: str) -> Colour:
    """Of the three kinds of endings: solved, out of time, and any other."""
    return {"solved": GREEN, "time is up": LABEL}.get(ending, ORANGE)


def _titled(draw: ImageDraw.ImageDraw, title: str, box: Box) -> Box:
    """Write the title of a panel; returns the rest of its box."""
    write(draw, (box.left, box.top + TITLE / 2), fitted(draw, title, box.width, 14), LABEL)
    return box.below(TITLE)


def _agent_column(canvas: Image.Image, scene: Scene, box: Box) -> None:
    draw = ImageDraw.Draw(canvas)
    if scene.view is not None:
        body = _titled(draw, "What the agent sees", box)
        side = 130 if scene.level is not None else SIDE
        box = box.below(TITLE + paint(canvas, scene.view, Box(*body[:2], side, side)).height + 8)
    for name, value in scene.caption.items():
        _caption_line(draw, box, name, value)
        box = box.below(LINE)
    if scene.probabilities is not None:
        _bars(draw, _titled(draw, "Probabilities of actions", box), scene)
        box = box.below(TITLE + 20 * min(MOST_BARS, len(scene.probabilities)) + 8)
    elif scene.action is not None:
        _caption_line(draw, box, "action", scene.action)
        box = box.below(LINE)
    if scene.values is not None:
        now = f": {scene.values[-1]:.2f}" if scene.values else ""
        _curve(draw, _titled(draw, f"Value, as the agent expects{now}", box), scene.values)


def _caption_line(draw: ImageDraw.ImageDraw, box: Box, name: str, value: str | Swatch) -> None:
    middle, value_left = box.top + LINE / 2, box.left + 84
    write(draw, (box.left, middle), fitted(draw, name, 80, 14), LABEL)
    if isinstance(value, str):
        write(draw, (value_left, middle), fitted(draw, value, box.width - 84, 15), size=15)
        return
    draw.rectangle((value_left, middle - 10, value_left + 44, middle + 9), value.colour, TEXT)
    symbol_colour = ink(np.array(value.colour))
    write(draw, (value_left + 22, middle), value.symbol, symbol_colour, size=16, anchor="mm")


def _bars(draw: ImageDraw.ImageDraw, box: Box, scene: Scene) -> None:
    """A bar for each action, the chosen one marked; of many actions, the likeliest."""
    probabilities = scene.probabilities or {}
    shown = sorted(probabilities, key=lambda name: -probabilities[name])[:MOST_BARS]
    for line, name in enumerate(name for name in probabilities if name in shown):
        top, chosen = box.top + 20 * line, name == scene.action
        colour = TEXT if chosen else LABEL
        label = fitted(draw, ("> " if chosen else "") + name, 80, 13)
        write(draw, (box.left, top + 10), label, colour, size=13)
        left, width = box.left + 84, box.width - 84 - 36
        draw.rectangle((left, top + 3, left + width, top + 16), PANEL)
        filled = round(width * probabilities[name])
        draw.rectangle((left, top + 3, left + filled, top + 16), ORANGE if chosen else BLUE)
        text = f"{probabilities[name]:.2f}"
        write(draw, (left + width + 6, top + 10), text, colour, size=13)


def _curve(draw: ImageDraw.ImageDraw, box: Box, values: Sequence[float]) -> None:
    """A line over the steps of the episode, with its range."""
    if not values or box.height < CURVE // 2:
        return
    left, width = box.left + 44, box.width - 44
    height = min(box.height - 18, 2 * CURVE)
    draw.rectangle((left, box.top, left + width - 1, box.top + height), PANEL)
    low, high = min(0.0, *values), max(0.0, *values)
    span = (high - low) or 1.0
    steps = max(len(values) - 1, 20)
    points = [
        (left + t / steps * (width - 1), box.top + height - (value - low) / span * height)
        for t, value in enumerate(values)
    ]
    zero = box.top + height + low / span * height
    draw.line((left, zero, left + width - 1, zero), LABEL)
    draw.line([*points, points[-1]], ORANGE, 2)
    x, y = points[-1]
    draw.ellipse((x - 3, y - 3, x + 3, y + 3), ORANGE)
    write(draw, (left - 6, box.top + 6), f"{high:.3g}", LABEL, size=12, anchor="rm")
    write(draw, (left - 6, box.top + height - 5), f"{low:.3g}", LABEL, size=12, anchor="rm")
    below = box.top + height + 9
    write(draw, (left, below), "0", LABEL, size=12)
    write(draw, (left + width - 1, below), f"step {steps}", LABEL, size=12, anchor="rm")


def _memory_column(canvas: Image.Image, parts: Sequence[Part], box: Box) -> None:
    draw = ImageDraw.Draw(canvas)
    body = _titled(draw, "Memory (dark 0, orange up to 1, blue below 0)", box)
    columns = 2 if len(parts) <= 8 else 3
    width = (body.width + MARGIN) // columns - MARGIN
    stacks: list[list[Part]] = [[] for _ in range(columns)]
    for part in parts:
        min(stacks, key=lambda stack: sum(map(usual_height, stack))).append(part)
    for index, stack in enumerate(stacks):
        left = body.left + index * (width + MARGIN)
        _paint_stack(canvas, stack, body._replace(left=left, width=width))


def _paint_stack(canvas: Image.Image, stack: Sequence[Part], box: Box) -> None:
    """Parts one below the other; matrices share the height that rows over time leave."""
    heights = [usual_height(part) for part in stack]
    matrices = sum(h for h, part in zip(heights, stack, strict=True) if not is_few(part.values))
    rest = box.height - 8 * len(stack) - (sum(heights) - matrices)
    for height, part in zip(heights, stack, strict=True):
        if not is_few(part.values):
            height = int(height * min(2.0, rest / matrices))
        paint_part(canvas, part, box._replace(height=height))
        box = box.below(height + 8)


def _footer(canvas: Image.Image, scene: Scene) -> None:
    draw, top = ImageDraw.Draw(canvas), canvas.height - FOOTER
    if scene.ending is None:
        text = fitted(draw, scene.note, canvas.width - 2 * MARGIN, 14)
        write(draw, (MARGIN, top + FOOTER / 2), text, LABEL)
        return
    _ending(draw, Box(MARGIN, top, canvas.width - 2 * MARGIN, FOOTER), scene.ending, 18, scene.note)


def _ending(draw: ImageDraw.ImageDraw, box: Box, ending: str, size: int, note: str = "") -> None:
    """How an episode ended, with a shape for each kind: a tick, a clock, a cross."""
    colour, r = ending_colour(ending), size * 0.5
    x, y = box.left + r, box.top + box.height / 2
    if colour == GREEN:
        draw.line([(x - r, y), (x - r / 3, y + r * 0.7), (x + r, y - r * 0.7)], colour, 3)
    elif colour == LABEL:
        draw.ellipse((x - r, y - r, x + r, y + r), None, colour, 2)
        draw.line([(x, y - r * 0.6), (x, y), (x + r * 0.5, y)], colour, 2)
    else:
        draw.line((x - r, y - r, x + r, y + r), colour, 3)
        draw.line((x - r, y + r, x + r, y - r), colour, 3)
    left = x + r + 8
    text = fitted(draw, f"{ending}: {note}" if note else ending, box.left + box.width - left, size)
    draw.text((left, y), text, colour, font(size), anchor="lm")
