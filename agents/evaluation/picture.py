"""A moment of a game as one picture: all of it, what the agent sees of it, and a line of text."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs.boxworld.cells import KEY, PALETTE

Colour = tuple[int, int, int]
Facts = dict[str, str | Colour]
"""What the text line tells, in its order; a colour is shown as a patch."""

HEIGHT = 480
"""Pixels that a picture is enlarged to, or a little less: by whole factors only."""
MARGIN, LINE = 16, 40
"""Pixels around the pictures, and of the text line."""
SHORTEST = 400
"""Pixels of width that the text needs."""
BACKGROUND, LABEL, TEXT = (24, 24, 27), (150, 150, 160), (240, 240, 240)


def facts(info: Mapping[str, Any], episode_return: float, step: int) -> Facts:
    """What to tell of a moment.

    Args:
        info: of one game, as its environment gives it.
        episode_return: undiscounted rewards so far.
        step: of the episode; 0 before the first.
    """
    told: Facts = {"return": f"{episode_return:.4g}", "step": str(step)}
    if "held_key" in info:
        held = int(info["held_key"])
        red, green, blue = PALETTE[KEY + max(held, 0)].tolist()
        told["key"] = (red, green, blue) if held >= 0 else "none"
    for name in ("level", "power"):
        if name in info:
            told[name] = str(int(info[name]))
    return told


def compose(frame: np.ndarray, view: np.ndarray | None, told: Facts) -> np.ndarray:
    """One picture, uint8 `[rows, columns, 3]` of even size.

    Args:
        frame: the whole game.
        view: what the agent sees; not shown where it is the whole game.
        told: the text line.
    """
    parts = [_enlarged(frame, HEIGHT)]
    if view is not None and view.shape != frame.shape:
        parts.append(_enlarged(view, len(parts[0])))
    height = max(len(part) for part in parts)
    width = sum(part.shape[1] for part in parts) + MARGIN * (len(parts) + 1)
    width = max(width, SHORTEST)
    canvas = Image.new("RGB", (width + width % 2, height + height % 2 + MARGIN + LINE), BACKGROUND)
    left = MARGIN
    for part in parts:
        canvas.paste(Image.fromarray(part), (left, MARGIN))
        left += part.shape[1] + MARGIN
    _write(canvas, told)
    return np.asarray(canvas)


def _enlarged(picture: np.ndarray, height: int) -> np.ndarray:
    """Enlarged as far as the height allows, without blurring cells."""
    factor = max(1, height // len(picture))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _write(canvas: Image.Image, told: Facts) -> None:
    """The text line, at the bottom."""
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(20)
    left, middle = float(MARGIN), canvas.height - LINE / 2
    for name, value in told.items():
        draw.text((left, middle), name, LABEL, font, anchor="lm")
        left += draw.textlength(f"{name} ", font)
        if isinstance(value, str):
            draw.text((left, middle), value, TEXT, font, anchor="lm")
            left += max(draw.textlength(value, font), draw.textlength("0000", font))
        else:
            draw.rectangle((left, middle - 9, left + 36, middle + 9), value, TEXT)
            left += draw.textlength("0000", font)
        left += MARGIN
