"""Small files in the format of NLVR, for tests that have no data."""

import json
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from PIL import Image

COLOURS = {"Yellow": (255, 255, 0), "Black": (0, 0, 0), "#0099ff": (0, 153, 255)}
WORDS = {"Yellow": "yellow", "Black": "black", "#0099ff": "blue"}


def write_nlvr(folder: Path, sentences: int = 12) -> Path:
    """Four examples of each sentence "there is a <colour> block". Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    for split in ("train", "dev", "test", "hidden"):
        lines = []
        with ZipFile(folder / f"images_{split}.zip", "w") as archive:
            for n in range(sentences):
                asked = list(COLOURS)[random.integers(3)]
                for m in range(4):
                    boxes = [_box(random) for _ in range(3)]
                    true = any(thing["color"] == asked for box in boxes for thing in box)
                    identifier = f"{n}-{m}"
                    fields = {"identifier": identifier, "label": str(true).lower()}
                    sentence = f"There is a {WORDS[asked]} block."
                    lines.append(fields | {"sentence": sentence, "structured_rep": boxes})
                    name = f"{split}/images/{n}/{split}-{identifier}-0.png"
                    archive.writestr(name, png(boxes))
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{split}.json").write_text(text)
    return folder


def _box(random: np.random.Generator) -> list[dict]:
    colours = list(COLOURS)
    return [
        {
            "x_loc": 5 + 45 * i,
            "y_loc": int(random.integers(80)),
            "type": "square",
            "size": 20,
            "color": colours[random.integers(3)],
        }
        for i in range(random.integers(1, 3))
    ]


def png(boxes: list[list[dict]], width: int = 400) -> bytes:
    """A picture of squares."""
    pixels = np.full((100, width, 3), 211, dtype=np.uint8)
    for box, left in zip(boxes, (0, 150, 300), strict=False):
        for thing in box:
            y, x, size = thing["y_loc"], left + thing["x_loc"], thing["size"]
            pixels[y : y + size, x : x + size] = COLOURS[thing["color"]]
    file = BytesIO()
    Image.fromarray(pixels).convert("RGBA").save(file, "png")
    return file.getvalue()
