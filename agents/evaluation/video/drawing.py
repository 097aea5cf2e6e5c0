"""Pillow's drawing with the fonts and colours of all panels."""

import functools
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
BACKGROUND: Colour = (24, 24, 27)
PANEL: Colour = (38, 38, 43)
LABEL: Colour = (166, 166, 176)
TEXT: Colour = (240, 240, 240)
BLUE: Colour = (86, 180, 233)
ORANGE: Colour = (230, 159, 0)
GREEN: Colour = (0, 200, 150)
WHITE: Colour = (255, 255, 255)
"""Blue, orange and green are told apart by the colour-blind (Okabe and Ito, 2008)."""
SHADES = 12
"""Steps from 0 to 1 of the colours of numbers: few, so that files are small."""


class Box(NamedTuple):
    """A rectangle of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom, the last two inclusive."""
        return self.left, self.top, self.left + self.width - 1, self.top + self.height - 1

    def below(self, height: int) -> "Box":
        """The rest under the first `height` pixels."""
        return Box(self.left, self.top + height, self.width, max(0, self.height - height))


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font."""
    return ImageFont.load_default(size)


def fitted(draw: ImageDraw.ImageDraw, text: str, width: float | int, size: int) -> str:
    """The text, or its beginning and three dots where it is too long."""
    if draw.textlength(text, font(size)) <= width:
        return text
    while text and draw.textlength(f"{text}...", font(size)) > width:
        text = text[:-1]
    return f"{text}..." if text else ""


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float | int, float | int],
    text: str,
    colour: Colour = TEXT,
    *,
    size: int = 14,
    anchor: str = "lm",
) -> None:
    """Write one line; `anchor` is Pillow's."""
    draw.text(place, text, colour, font(size), anchor=anchor)


def shade(numbers: np.ndarray | np.floating, scale: float) -> np.ndarray:
    """Colours uint8 `[..., 3]`: dark at 0, to orange and white at `scale`, to blue at `-scale`."""
    parts = np.clip(np.asarray(numbers, float) / scale, -1, 1)
    parts = np.round(np.nan_to_num(parts) * SHADES) / SHADES
    stops = [-1.0, 0.0, 0.7, 1.0]
    colours = np.array([BLUE, PANEL, ORANGE, (255, 244, 214)], float)
    channels = [np.interp(parts, stops, colours[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def ink(colour: np.ndarray) -> Colour:
    """Black or white, whichever is more legible on a colour."""
    red, green, blue = (float(channel) for channel in colour)
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else WHITE


def paste(canvas: Image.Image, pixels: np.ndarray, box: Box) -> None:
    """Fill a box with an RGB image, sharp where it is enlarged and averaged where it is reduced."""
    grows = box.width >= pixels.shape[1] and box.height >= pixels.shape[0]
    how = Image.Resampling.NEAREST if grows else Image.Resampling.BOX
    image = Image.fromarray(np.ascontiguousarray(pixels))
    canvas.paste(image.resize((box.width, box.height), how), (box.left, box.top))
