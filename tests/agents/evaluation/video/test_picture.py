"""Pictures are of even size, show every panel once, and say how an episode ended."""

import numpy as np
import pytest

from agents.evaluation.video import picture as picture_module
from agents.evaluation.video.drawing import BACKGROUND, BLUE, GREEN, LABEL, ORANGE
from agents.evaluation.video.level import Drawing
from agents.evaluation.video.part import Part
from agents.evaluation.video.picture import (
    FOOTER,
    LEVEL,
    Scene,
    caption,
    compose,
    ending_colour,
    in_grid,
    tile,
)
from envs import BoxWorldConfig, MiniPacmanConfig
from envs.boxworld.cells import KEY, PALETTE
from envs.drawing import Swatch

RED, DARK = (200, 10, 10), (10, 60, 10)
LEVEL_PICTURE = Drawing(np.full((14, 14, 3), RED, np.uint8), True)
VIEW = Drawing(np.full((5, 5, 3), DARK, np.uint8), True)
PART = Part("memory", np.linspace(-1, 1, 25).reshape(5, 5), {}, np.zeros((1, 5)))
FULL = Scene(
    "a run",
    {"return": "2", "step": "17"},
    LEVEL_PICTURE,
    VIEW,
    {"up": 0.75, "down": 0.25},
    "up",
    (0.5, 1.0),
    [PART],
)


def count(picture, colour):
    return int((picture == np.array(colour)).all(-1).sum())


def texts(monkeypatch, scene, draw=compose):
    """All that is written in a picture of a scene."""
    written = []
    text = picture_module.ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        picture_module.ImageDraw.ImageDraw,
        "text",
        lambda self, xy, text_, *args, **kwargs: (
            written.append(text_),
            text(self, xy, text_, *args, **kwargs),
        ),
    )
    draw(scene)
    return written


@pytest.mark.parametrize("without", [(), ("view",), ("parts",), ("level", "parts")])
@pytest.mark.parametrize("rows", [(14, 14), (15, 19), (481, 333), (3, 900)])
def test_the_size_is_even_and_depends_on_the_panels_alone(without, rows):
    scene = FULL._replace(**dict.fromkeys(without))
    size = compose(scene).shape
    assert size[0] % 2 == size[1] % 2 == 0
    if scene.level:
        other = Drawing(np.zeros((*rows, 3), np.uint8))
        assert compose(scene._replace(level=other)).shape == size


def test_level_and_view_are_enlarged_with_sharp_edges():
    picture = compose(FULL)
    assert count(picture, RED) == (14 * (LEVEL // 14)) ** 2
    assert count(picture, DARK) == (5 * 26) ** 2


def test_the_probabilities_are_the_lengths_of_the_bars():
    picture = compose(FULL._replace(values=None, parts=None))
    chosen, other = count(picture, ORANGE), count(picture, BLUE)
    assert chosen / other == pytest.approx(3, rel=0.03)


def test_of_many_actions_the_likeliest_are_shown(monkeypatch):
    many = {str(action): (action + 1) / 171 for action in range(18)}
    scene = Scene("", {}, probabilities=many, action="17")
    written = texts(monkeypatch, scene)
    assert [text for text in written if text.removeprefix("> ") in many] == [
        "12", "13", "14", "15", "16", "> 17",
    ]  # fmt: skip


def test_every_panel_has_a_title(monkeypatch):
    written = texts(monkeypatch, FULL)
    assert {"a run", "Level", "What the agent sees", "Probabilities of actions"} <= set(written)
    assert "Value, as the agent expects: 1.00" in written
    assert "memory" in written
    assert any(text.startswith("Memory") for text in written)


def test_no_text_is_cut_at_the_edge_of_the_picture(monkeypatch):
    long = FULL._replace(
        title="a run with a very long name " * 20,
        caption={
            "return": "-1234567",
            "step": "1234567",
            "a long name of a value": "and a long value of it " * 3,
        },
        ending="time is up",
        note="n" * 500,
    )
    beyond = []
    text = picture_module.ImageDraw.ImageDraw.text

    def check(self, xy, text_, fill, font, anchor="la", **kwargs):
        box = self.textbbox(xy, text_, font, anchor=anchor)
        if box[0] < 0 or box[1] < 0 or box[2] > self.im.size[0] or box[3] > self.im.size[1]:
            beyond.append((text_, box))
        text(self, xy, text_, fill, font, anchor=anchor, **kwargs)

    monkeypatch.setattr(picture_module.ImageDraw.ImageDraw, "text", check)
    for scene in (FULL, long):
        compose(scene)
        tile(scene)
    assert not beyond


def test_endings_are_told_apart_by_colour_and_shape():
    assert [ending_colour(e) for e in ("solved", "time is up", "wrong box", "caught")] == [
        GREEN, LABEL, ORANGE, ORANGE,
    ]  # fmt: skip
    footers = [
        compose(FULL._replace(ending=ending))[-FOOTER:, :40].max(-1) > 60
        for ending in ("solved", "time is up", "wrong box")
    ]
    assert not any(np.array_equal(a, b) for a in footers for b in footers if a is not b)


def test_the_end_of_an_episode_is_marked(monkeypatch):
    ended = FULL._replace(ending="solved", note="return 2 in 17 steps")
    assert "solved: return 2 in 17 steps" in texts(monkeypatch, ended)
    assert count(compose(ended), GREEN) > 4 * LEVEL
    assert not count(compose(FULL), GREEN)
    assert count(tile(ended), GREEN) > 400


def test_the_text_changes_and_nothing_else():
    one, two = (compose(FULL._replace(caption={"return": value})) for value in ("1", "8"))
    assert 0 < (one != two).any(-1).sum() < 400


def test_the_held_key_is_a_labelled_swatch(monkeypatch):
    config = BoxWorldConfig(solution_length=(1,), num_distractors=(0,))
    _, info = config.make().reset(seed=0)
    assert config.caption(info) == {"held key": "none"}
    held = caption(config.caption(info | {"held_key": 3}), 2.0, 17)
    colour = tuple(PALETTE[KEY + 3].tolist())
    assert held == {"return": "2", "step": "17", "held key": Swatch(colour, "d")}
    scene = Scene("", held)
    assert count(compose(scene), colour) > 400
    assert {"held key", "d"} <= set(texts(monkeypatch, scene))


def test_mini_pacman_shows_level_and_power():
    of_game = MiniPacmanConfig().caption({"level": np.int32(2), "power": np.int32(7)})
    assert caption(of_game, 12.5, 3) == {"return": "12.5", "step": "3", "level": "2", "power": "7"}


def test_a_grid_holds_every_picture_in_its_place():
    pictures = [np.full((6, 10, 3), i + 1, np.uint8) for i in range(5)]
    grid = in_grid(pictures, 3)
    assert grid.shape == (12, 30, 3)
    assert (grid[:6, 10:20] == 2).all()
    assert (grid[6:, :10] == 4).all()
    assert (grid[6:, 20:] == BACKGROUND).all()
