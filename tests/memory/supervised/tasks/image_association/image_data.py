"""Small files in the formats of CIFAR-10, MNIST and Omniglot, for tests that have no data."""

import gzip
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from PIL import Image


def write_cifar10_and_mnist(folder: Path, each: int = 4) -> Path:
    """Both, below a folder, which is returned."""
    write_cifar10(folder / "cifar10", each)
    write_mnist(folder / "mnist", each)
    return folder


def write_cifar10(folder: Path, each: int = 4) -> Path:
    """So many images of each class, in every file. Returns the folder."""
    random = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.tile(np.arange(10, dtype=np.uint8), each)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        pixels = random.integers(0, 256, (len(labels), 3072), dtype=np.uint8)
        pixels[:, 0] = labels
        (folder / f"{name}.bin").write_bytes(np.column_stack([labels, pixels]).tobytes())
    return folder


def write_mnist(folder: Path, each: int = 4) -> Path:
    """So many images of each digit, in both files. Returns the folder."""
    random = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.tile(np.arange(10, dtype=np.uint8), each)
    for name in ("train", "t10k"):
        digits = random.integers(0, 256, (len(labels), 28, 28), dtype=np.uint8)
        digits[:, 0, 0] = labels
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", digits)
        write_idx(folder / f"{name}-labels-idx1-ubyte.gz", labels)
    return folder


def write_idx(file: Path, array: np.ndarray) -> None:
    """Bytes after their shape, compressed."""
    head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, dtype=">u4").tobytes()
    file.write_bytes(gzip.compress(head + array.tobytes()))


def write_omniglot(folder: Path, characters: int = 11, without: Sequence[str] = ()) -> Path:
    """Two alphabets of bars; which one, tells the character. Returns the folder.

    Args:
        without: drawings to leave out, "Latin/character01/0000_04.png".
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ZipFile(folder / "images_background.zip", "w") as archive:
        for a, alphabet in enumerate(("Futurama", "Latin")):
            for character in range(characters):
                for drawer in range(20):
                    pixels = np.ones((105, 105), dtype=bool)
                    at = 10 + 8 * character
                    pixels[(slice(at, at + 6), slice(20, 85))[:: 1 if a else -1]] = False
                    file = BytesIO()
                    Image.fromarray(pixels).save(file, "png")
                    name = (
                        f"{alphabet}/character{character + 1:02}/{character:04}_{drawer + 1:02}.png"
                    )
                    if name not in without:
                        archive.writestr(f"images_background/{name}", file.getvalue())
    return folder
