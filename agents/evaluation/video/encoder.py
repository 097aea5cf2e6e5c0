"""Video files, written picture by picture."""

# pyright: standard

import subprocess
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from agents.runs.atomic import atomic_path

ENCODINGS = {
    ".mp4": ("libx264", ["-vf", "format=yuv420p", "-movflags", "+faststart"]),
    # Lossless, and then one palette for all pictures: what does not change takes no space.
    ".gif": ("libx264rgb", ["-qp", "0", "-f", "matroska"]),
}
"""Codec and settings of each file format; a gif is made from a lossless video."""

LARGEST_GIF = 2_000_000
"""Bytes; a larger gif is written again with less."""
SMALLER_GIFS = ((32, 900), (16, 600), (8, 480))
"""Colours and width in pixels of such attempts, in this order."""


class VideoError(RuntimeError):
    """A video cannot be made; the message says which and why."""


def check_suffix(out: Path) -> None:
    """Refuse file formats that cannot be written."""
    if out.suffix not in ENCODINGS:
        raise VideoError(f"{out}: expected a file name that ends in {' or '.join(ENCODINGS)}.")


@contextmanager
def writing(out: Path, fps: float) -> Generator[Callable[[np.ndarray], None], None, None]:
    """Write pictures to a file, atomically.

    Raises:
        VideoError: the file cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(out) as unfinished, closing(Encoder(unfinished, fps)) as encoder:
            unfinished.touch()  # a clearer error than the encoder's if the folder is read-only
            yield encoder.write
            encoder.finish()
    except OSError as error:
        raise VideoError(f"{out} cannot be written: {error}") from error


class Encoder:
    """Writes a file picture by picture; the first sets the size."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self.lossless = path.with_name(f"{path.name}.mkv") if path.suffix == ".gif" else None
        self._writer: Any = None

    def write(self, picture: np.ndarray) -> None:
        """Add a picture."""
        if self._writer is None:
            # Slow to import, and most runs record no video.
            from moviepy.video.io.ffmpeg_writer import FFMPEG_VideoWriter

            codec, settings = ENCODINGS[self.path.suffix]
            self._writer = FFMPEG_VideoWriter(
                str(self.lossless or self.path),
                (picture.shape[1], picture.shape[0]),
                self.fps,
                codec=codec,
                ffmpeg_params=settings,
            )
        self._writer.write_frame(picture)

    def finish(self) -> None:
        """Complete the file, and raise an error if the encoder failed, which MoviePy does not."""
        process = self._writer.proc
        _, complaint = process.communicate()
        if process.returncode:
            raise OSError((complaint or b"").decode(errors="replace").strip() or "ffmpeg failed")
        if self.lossless:
            to_gif(self.lossless, self.path)
            for colours, width in SMALLER_GIFS:
                if self.path.stat().st_size <= LARGEST_GIF:
                    break
                to_gif(self.lossless, self.path, width, colours)
                print(f"The gif was too large: it has {colours} colours and {width} pixels a row.")

    def close(self) -> None:
        """Close the file, finished or not."""
        if self._writer is not None:
            self._writer.close()
        if self.lossless:
            self.lossless.unlink(missing_ok=True)


def to_gif(video: Path, out: Path, width: int | None = None, colours: int = 256) -> None:
    """Convert a video to a gif with one palette, at most `width` pixels wide.

    Raises:
        OSError: the encoder failed.
    """
    from imageio_ffmpeg import get_ffmpeg_exe  # comes with MoviePy

    scale = f"scale='min({width},iw)':-1:flags=area" if width else "null"
    palette = out.with_name(f"{out.name}.png")
    source = [get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", str(video)]
    used = f"{scale}[x];[x][1:v]paletteuse=dither=none"
    try:
        for command in (
            [
                *source,
                "-vf",
                f"{scale},palettegen=max_colors={colours}:reserve_transparent=1",
                str(palette),
            ],
            [*source, "-i", str(palette), "-lavfi", used, "-f", "gif", str(out)],
        ):
            done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
            if done.returncode:
                raise OSError(done.stderr.decode(errors="replace").strip() or "ffmpeg failed")
    finally:
        palette.unlink(missing_ok=True)
