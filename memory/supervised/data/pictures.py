"""Pictures of data sets, whose sizes are checked before they are unpacked."""

# pyright: reportUnknownMemberType=false

import lzma
import zlib
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from PIL import Image

from memory.regular_file import open_regular
from memory.supervised.data.text_file import MalformedData, read_data

LARGEST = 1 << 20
"""Bytes of the file of one picture."""
_DAMAGED = (
    OSError,
    BadZipFile,
    EOFError,
    KeyError,
    NotImplementedError,  # an unknown method
    RuntimeError,  # encrypted
    SyntaxError,
    ValueError,
    Image.DecompressionBombError,
    lzma.LZMAError,
    zlib.error,
)


def open_zip(file: Path) -> ZipFile:
    """Open an archive.

    Raises:
        MalformedData: it is none, or not whole.
    """
    try:
        open_regular(file).close()
        return ZipFile(file)
    except _DAMAGED as error:
        raise MalformedData(f"{file} is not a whole archive: {error}") from None


def picture_in(archive: ZipFile, name: str, size: tuple[int, int]) -> Image.Image:
    """A picture of an archive.

    Args:
        size: expected width and height, pixels.

    Raises:
        MalformedData: it cannot be read, or has another size.
    """
    place = f"{archive.filename}: {name}"
    try:
        found = archive.getinfo(name).file_size
        if found > LARGEST:
            raise ValueError(f"{found:,} bytes, expected at most {LARGEST:,}")
        return _picture(place, archive.read(name), size)
    except MalformedData:
        raise
    except _DAMAGED as error:
        raise MalformedData(f"{place} cannot be read: {error}") from None


def read_picture(file: Path, size: tuple[int, int]) -> Image.Image:
    """A picture of a file; see `picture_in`."""
    return _picture(str(file), read_data(file, LARGEST), size)


def _picture(place: str, data: bytes, size: tuple[int, int]) -> Image.Image:
    try:
        picture = Image.open(BytesIO(data), formats=["PNG"])
        if picture.size == size:
            picture.load()
    except _DAMAGED as error:
        raise MalformedData(f"{place} cannot be read: {error}") from None
    if picture.size != size:
        expected, found = (f"{width} x {height}" for width, height in (size, picture.size))
        raise MalformedData(f"{place}: expected {expected} pixels, found {found}.")
    return picture
