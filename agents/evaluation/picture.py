"""A picture of a game: the full frame, the agent's view, and a line of text."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs.config import Caption

HEIGHT = 480
"""Largest height in pixels to which a picture is enlarged, by an integer factor."""
MARGIN, LINE = 16, 40
"""Pixels around the pictures, and height of the text line."""
SHORTEST = 400
"""Width in pixels that the text needs."""
BACKGROUND, LABEL, TEXT = (24, 24, 27), (150, 150, 160), (240, 240, 240)


def caption(of_game: Caption, episode_return: float, step: int) -> Caption:
    """The line of text: return, step, then the game's own values.

    Args:
        of_game: from `EnvConfig.caption`.
        episode_return: undiscounted rewards so far.
        step: of the episode; 0 before the first.
    """
    return {"return": f"{episode_return:.4g}", "step": str(step), **of_game}


def compose(frame: np.ndarray, view: np.ndarray | None, text: Caption) -> np.ndarray:
    """One picture, uint8 `[rows, columns, 3]` of even size.

    Args:
        frame: of the full game.
        view: of the agent; omitted if it equals the frame.
        text: the line of text.
    """
    parts = [_enlarge(frame, HEIGHT)]
    if view is not None and view.shape != frame.shape:
        parts.append(_enlarge(view, len(parts[0])))
    height = max(len(part) for part in parts)
    width = sum(part.shape[1] for part in parts) + MARGIN * (len(parts) + 1)
    width = max(width, SHORTEST)
    canvas = Image.new("RGB", (width + width % 2, height + height % 2 + MARGIN + LINE), BACKGROUND)
    left = MARGIN
    for part in parts:
        canvas.paste(Image.fromarray(part), (left, MARGIN))
        left += part.shape[1] + MARGIN
    _write(canvas, text)
    return np.asarray(canvas)


def _enlarge(picture: np.ndarray, height: int) -> np.ndarray:
    """Enlarge as far as the height allows, without blurring cells."""
    factor = max(1, height // len(picture))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _write(canvas: Image.Image, text: Caption) -> None:
    """Write the line of text at the bottom."""
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(20)
    left, middle = float(MARGIN), canvas.height - LINE / 2
    for name, value in text.items():
        draw.text((left, middle), name, LABEL, font, anchor="lm")
        left += draw.textlength(f"{name} ", font)
        if isinstance(value, str):
            draw.text((left, middle), value, TEXT, font, anchor="lm")
            left += max(draw.textlength(value, font), draw.textlength("0000", font))
        else:
            draw.rectangle((left, middle - 9, left + 36, middle + 9), value, TEXT)
            left += draw.textlength("0000", font)
        left += MARGIN
