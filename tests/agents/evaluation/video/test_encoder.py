"""Gifs that stay small."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents.evaluation.video import encoder


def test_a_gif_that_is_too_large_has_fewer_colours_and_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 100, 1000, 3), dtype=np.uint8)

    def write(name: str) -> Path:
        with encoder.writing(tmp_path / name, 10.0) as add:
            for picture in pictures:
                add(picture)
        return tmp_path / name

    usual = write("usual.gif")
    assert "too large" not in capsys.readouterr().out
    monkeypatch.setattr(encoder, "LARGEST_GIF", usual.stat().st_size - 1)
    smaller = write("smaller.gif")
    assert smaller.stat().st_size < usual.stat().st_size
    assert Image.open(usual).width == 1000 and Image.open(smaller).width == 900
    assert "32 colours" in capsys.readouterr().out
