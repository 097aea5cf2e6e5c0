"""Panels of a memory: the colours and figures are the numbers."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from agents.evaluation.video import part as part_module
from agents.evaluation.video.drawing import BACKGROUND, SHADES, Box, shade
from agents.evaluation.video.part import (
    Part,
    blocks_of,
    number,
    paint_matrix,
    paint_part,
    rows_of,
)

rng = np.random.default_rng(0)


def canvas(width=300, height=300):
    return Image.new("RGB", (width, height), BACKGROUND)


def value_of(colour):
    """The number in [-1, 1] that a colour stands for, to the nearest shade."""
    numbers = np.arange(-SHADES, SHADES + 1) / SHADES
    distances = np.abs(shade(numbers, 1.0).astype(int) - np.array(colour, int)).sum(-1)
    return numbers[distances.argmin()]


def test_every_cell_of_a_matrix_has_the_colour_of_its_number():
    weights = rng.uniform(-1, 1, (4, 5))
    picture = canvas()
    paint_matrix(picture, weights, 1.0, Box(10, 20, 5 * 12, 4 * 12))
    pixels = np.asarray(picture)
    for row, column in np.ndindex(4, 5):
        shown = value_of(pixels[20 + 12 * row + 1, 10 + 12 * column + 1])
        assert abs(shown - weights[row, column]) <= 0.5 / SHADES + 1e-9


def test_large_cells_carry_their_figures(monkeypatch):
    written = []
    monkeypatch.setattr(
        part_module, "write", lambda draw, place, text, *_, **__: written.append(text)
    )
    weights = rng.dirichlet(np.ones(5), 4)
    paint_matrix(canvas(), weights, 1.0, Box(0, 0, 5 * 40, 4 * 20))
    assert [float(text) for text in written] == [round(w, 2) for w in weights.flat]


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, ".25"), (-0.3, "-.30"), (1.0, "1"), (0.0, "0"), (0.999, "1")]
)
def test_figures_are_short(value, text):
    assert number(value) == text


def test_a_number_beyond_one_sets_the_scale_of_its_part():
    assert Part("gate", np.array([0.2, 0.9])).scale == 1
    assert Part("memory", np.array([0.2, -3.5])).scale == 3.5


@pytest.mark.parametrize(
    ("shape", "blocks"),
    [
        ((5,), (1, 1, 5)),
        ((256,), (1, 16, 16)),
        ((3, 256), (3, 16, 16)),
        ((2, 10), (1, 2, 10)),
        ((100, 100), (1, 100, 100)),
        ((2, 4, 5), (2, 4, 5)),
        ((3, 4, 5, 6), (12, 5, 6)),
    ],
)
def test_any_shape_becomes_matrices_with_every_number_once(shape, blocks):
    values = rng.normal(size=shape)
    found = blocks_of(values)
    assert found.shape == blocks
    assert sorted(found[~np.isnan(found)]) == sorted(values.flat)


def test_few_numbers_are_shown_one_by_one_over_time_and_many_by_the_means_of_rows():
    few, gates = rng.normal(size=(4, 1)), rng.normal(size=(3, 64))
    assert rows_of(few).tolist() == few.ravel().tolist()
    assert np.allclose(rows_of(gates), gates.mean(1))
    assert not rows_of(rng.normal(size=64)).size


def test_rows_over_time_end_with_the_present_step():
    history = rng.uniform(0, 1, (7, 2))
    part = Part("gate", history[-1], {"slot": ("a", "b")}, history)
    picture = canvas()
    paint_part(picture, part, Box(0, 0, 300, 100))
    pixels = np.asarray(picture)
    colours = [tuple(c) for c in shade(history[:, 0], 1.0)]
    line = [tuple(int(c) for c in pixel) for pixel in pixels[part_module.TITLE + 3]]
    starts = [i for i in range(300) if line[i : i + 28] == [c for c in colours for _ in range(4)]]
    assert len(starts) == 1


@pytest.mark.parametrize("shape", [(1,), (7,), (300,), (2, 3), (3, 256), (4, 4, 5), (2, 64, 9, 9)])
def test_a_part_of_any_shape_stays_in_its_box(shape):
    values = rng.normal(size=shape)
    part = Part("a part with quite a long name", values, {}, np.stack([rows_of(values)] * 50))
    box = Box(40, 60, 170, 130)
    picture = canvas()
    paint_part(picture, part, box)
    outside = np.asarray(picture).copy()
    outside[box.top : box.top + box.height + 1, box.left : box.left + box.width + 1] = BACKGROUND
    assert (outside == BACKGROUND).all()
    assert (np.asarray(picture) != BACKGROUND).any()


def test_labels_of_axes_are_written_where_there_are_some(monkeypatch):
    written = []
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, xy, text, *_, **__: written.append(text)
    )
    values = rng.dirichlet(np.ones(3), (2, 2))
    axes = {"head": (), "query": ("1", "2"), "key": ("1", "2", "in")}
    paint_part(canvas(), Part("weights", values, axes, np.zeros((1, 0))), Box(0, 0, 300, 200))
    assert "weights: query x key" in written
    assert {"head 1", "head 2", "in"} <= set(written)
