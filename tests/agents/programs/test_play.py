"""A game is played with keys: each key one step, shown as it is."""

import subprocess
import sys

import numpy as np
import pytest

from agents.programs import play
from agents.programs.play import Table
from envs import ENVS, BoxWorldConfig
from envs.boxworld import BoxWorld
from envs.config import Key
from envs.game_config import GameConfig
from envs.single import GameEnv

GAMES = {name: config for name, config in ENVS.items() if isinstance(config, GameConfig)}
BOXWORLD = BoxWorldConfig(max_steps=3)


@pytest.fixture
def table():
    return Table(BOXWORLD, "full", seed=0)


def place(table):
    room = table.env.game.rooms[0]
    return int(room["row"]), int(room["column"])


@pytest.mark.parametrize(
    ("key", "move"), [("up", (-1, 0)), ("down", (1, 0)), ("left", (0, -1)), ("right", (0, 1))]
)
def test_the_arrow_keys_go_where_they_point(key, move):
    table = Table(BoxWorldConfig(solution_length=(1,), num_distractors=(0,)), "full", seed=1)
    row, column = place(table)
    table.press(key)
    assert place(table) == (row + move[0], column + move[1])


@pytest.mark.parametrize("env", GAMES.values(), ids=GAMES)
def test_every_action_has_a_key(env):
    actions = sorted(key.action for key in env.keys.values())
    assert actions == list(range(int(env.make().action_space.n)))


@pytest.mark.parametrize("keys", [("w", "up"), ("a", "left"), ("s", "down"), ("d", "right")])
def test_letters_do_what_the_arrows_do(keys):
    places = []
    for key in keys:
        table = Table(BOXWORLD, "full", seed=1)
        table.press(key)
        places.append(place(table))
    assert places[0] == places[1]


def test_other_keys_do_nothing(table):
    before = table.picture()
    table.press("x")
    table.press("space")
    assert table.step == 0
    assert np.array_equal(table.picture(), before)


def test_an_episode_that_has_ended_waits_for_a_key(table):
    for _ in range(3):
        table.press("up")
    assert table.ended
    over = table.picture()
    table.press("left")
    assert (table.ended, table.step, table.episode_return) == (False, 0, 0.0)
    assert not np.array_equal(table.picture(), over)


def test_a_new_level_is_begun_on_demand(table):
    table.press("up")
    level = table.env.game.cells.copy()
    table.press(play.NEW)
    assert table.step == 0
    assert not np.array_equal(table.env.game.cells, level)


def test_the_agents_view_shows_only_what_the_agent_sees():
    full, agent = (Table(BOXWORLD, view, seed=0) for view in ("full", "agent"))
    assert agent.picture().shape[1] < full.picture().shape[1]
    row, column = place(agent)
    assert isinstance(agent.env, GameEnv) and isinstance(agent.env.game, BoxWorld)
    agent.env.game.cells[0, (row + 5) % 14, (column + 5) % 14] += 1  # out of sight
    changed = Table(BOXWORLD, "agent", seed=0).picture()
    assert np.array_equal(agent.picture(), changed)


@pytest.fixture
def pygame(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    return pytest.importorskip("pygame")


def presses(pygame, monkeypatch, *names):
    """Let these keys be pressed, and then the window be closed."""
    events = [pygame.event.Event(pygame.KEYDOWN, key=pygame.key.key_code(name)) for name in names]
    waiting = iter([*events, pygame.event.Event(pygame.QUIT)])
    monkeypatch.setattr(pygame.event, "wait", lambda: next(waiting))


@pytest.mark.parametrize("view", ["full", "agent"])
@pytest.mark.parametrize("env", GAMES)
def test_a_window_shows_the_game_until_it_is_closed(pygame, monkeypatch, env, view):
    pygame.display.init()
    presses(pygame, monkeypatch, "up", "left", "n", "d")
    shown = []
    show = play._Window.show
    monkeypatch.setattr(
        play._Window,
        "show",
        lambda self, picture: (
            show(self, picture),
            shown.append(pygame.surfarray.array3d(pygame.display.get_surface())),
            np.testing.assert_array_equal(shown[-1].swapaxes(0, 1), picture),
        ),
    )
    assert play.main(["--env", env, "--view", view, "--seed", "1"]) == 0
    assert len(shown) == 5
    assert not pygame.display.get_init()


def test_q_ends_the_game(pygame, monkeypatch):
    pygame.display.init()
    presses(pygame, monkeypatch, "q", "up")
    assert play.main(["--env", "boxworld"]) == 0
    assert pygame.event.wait().type == pygame.KEYDOWN  # the last key was never asked for


def test_without_pygame_the_package_to_install_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(SystemExit) as left:
        play.main(["--env", "boxworld"])
    assert left.value.code == 2
    assert "pip install pygame-ce" in capsys.readouterr().err


def test_without_a_display_it_is_said_that_no_window_opens(pygame, monkeypatch, capsys):
    monkeypatch.setenv("SDL_VIDEODRIVER", "nothing")
    pygame.display.quit()
    with pytest.raises(SystemExit) as left:
        play.main(["--env", "boxworld"])
    assert left.value.code == 2
    assert "no window can be opened" in capsys.readouterr().err


def test_where_nobody_sees_the_window_it_is_not_opened(pygame, monkeypatch, capsys):
    pygame.display.quit()
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr(pygame.display, "init", lambda: None)
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    with pytest.raises(SystemExit) as left:
        play.main(["--env", "boxworld"])
    assert left.value.code == 2
    assert "no display is found" in capsys.readouterr().err


def test_the_keys_and_the_end_stand_on_the_screen(monkeypatch, table):
    scenes = []
    compose = play.compose
    monkeypatch.setattr(play, "compose", lambda scene: (scenes.append(scene), compose(scene))[1])
    table.picture()
    for _ in range(3):
        table.press("up")
    table.picture()
    assert scenes[0].note == play.describe_keys(BOXWORLD)
    assert scenes[1][-2:] == ("time is up", "press a key for a new level")


def test_a_game_without_keys_is_refused(capsys):
    with pytest.raises(SystemExit) as left:
        play.main(["--env", "gymnasium"])
    assert left.value.code == 2
    assert "GymnasiumConfig does not inherit" in capsys.readouterr().err


def test_a_game_that_lacks_a_key_is_refused_with_the_class_and_the_action(monkeypatch, capsys):
    monkeypatch.setattr(BoxWorldConfig, "keys", {"up": Key(0, "up"), "down": Key(1, "down")})
    with pytest.raises(SystemExit) as left:
        play.main(["--env", "boxworld"])
    assert left.value.code == 2
    assert "BoxWorldConfig.keys has no key for the actions [2, 3]" in capsys.readouterr().err


def test_the_title_names_the_keys():
    assert play.describe_keys(ENVS["minipacman"]).startswith("space: stay, right, up, left, down")


def test_playing_needs_no_torch():
    code = "import sys; import agents.programs.play; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
