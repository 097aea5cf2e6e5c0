"""Films are whole, readable, of the episodes that an evaluation plays, and disturb nothing."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from moviepy import VideoFileClip
from PIL import Image, ImageSequence

from agents.evaluation.evaluate import evaluate
from agents.evaluation.player import PolicyPlayer
from agents.evaluation.video import encoder
from agents.evaluation.video import film as film_module
from agents.evaluation.video.encoder import VideoError
from agents.evaluation.video.film import film, film_grid, film_progress, film_together
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from envs import BoxWorldConfig, GymnasiumConfig, MiniPacmanConfig
from memory import LSTMConfig, RMCConfig
from tests.present import present

BOXWORLD = BoxWorldConfig(grid_size=8, solution_length=(1, 2), num_distractors=(0,), max_steps=12)
PACMAN = MiniPacmanConfig(frame_cap=6)
FPS = 8


def policy_for(env):
    policy = build_policy(ImpalaConfig(env=env, core=LSTMConfig(hidden=8)))
    with torch.no_grad():  # what it sees and remembers must matter
        for weights in (*policy.core.parameters(), policy.policy_head.weight):
            weights.mul_(10)
    return policy


def oracle(env, seed):
    return BOXWORLD.players["oracle"](env, seed)


def frames_of_gif(path):
    with Image.open(path) as gif:
        for frame in ImageSequence.Iterator(gif):
            yield np.asarray(frame.convert("RGB"))


@pytest.fixture(scope="module", autouse=True)
def small_pictures():
    """Encoding takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.evaluation.video.picture.LEVEL", 200)
        yield


@pytest.fixture(scope="module")
def mp4(tmp_path_factory, small_pictures):
    """A film of one episode, and the episode."""
    out = tmp_path_factory.mktemp("films") / "agent.mp4"
    (episode,) = film(oracle, BOXWORLD, episodes=1, seed=2, greedy=False, out=out)
    return out, episode


def test_an_mp4_shows_every_step_and_then_a_second_of_rest(mp4):
    out, episode = mp4
    with VideoFileClip(str(out), audio=False) as clip:
        assert clip.n_frames == episode.length + 1 + FPS
        assert clip.fps == FPS
        assert clip.size[0] % 2 == clip.size[1] % 2 == 0
        last = clip.get_frame(clip.duration - 0.01)
    assert present(last).max() > 100


def test_an_mp4_has_the_pixel_format_that_every_player_knows(mp4):
    with VideoFileClip(str(mp4[0]), audio=False) as clip:
        assert present(clip.reader).infos["video_profile"] == "(High)"  # others are not of 4:2:0


def pictures_of(monkeypatch):
    """The pictures that are drawn from now on."""
    drawn = []
    compose = film_module.compose
    monkeypatch.setattr(
        film_module, "compose", lambda scene: (drawn.append(compose(scene)), drawn[-1])[1]
    )
    return drawn


def test_a_gif_holds_the_pictures_drawn(tmp_path, monkeypatch):
    drawn = pictures_of(monkeypatch)
    out = tmp_path / "agent.gif"
    played = film(oracle, BOXWORLD, episodes=2, seed=0, greedy=False, out=out)
    lengths = [episode.length for episode in played]
    assert len(drawn) == sum(lengths) + 2
    shown = list(frames_of_gif(out))
    assert len(shown) == len(drawn) + 2 * FPS
    first_end = lengths[0]
    for mine, theirs in ((0, 0), (5, 5), (first_end, first_end), (-1, -1)):
        differences = np.abs(drawn[mine].astype(int) - shown[theirs]).max(-1)
        assert (differences > 8).mean() < 1e-3  # the edges of letters have many shades
    assert all(np.array_equal(shown[first_end], shown[first_end + i]) for i in range(FPS + 1))
    assert not [path for path in tmp_path.iterdir() if path != out]


@pytest.mark.parametrize("greedy", [False, True])
def test_the_film_is_of_the_episodes_that_an_evaluation_plays(tmp_path, greedy, monkeypatch):
    actions: list[int] = []
    act = PolicyPlayer.act
    monkeypatch.setattr(
        PolicyPlayer, "act", lambda self: (chosen := act(self), actions.append(int(chosen[0])))[0]
    )
    monkeypatch.setattr("agents.evaluation.evaluate.MOST_GAMES", 1)
    policy = policy_for(BOXWORLD)
    out = tmp_path / "agent.gif"
    played = film(policy, BOXWORLD, episodes=3, seed=7, greedy=greedy, out=out)
    filmed = actions.copy()
    actions.clear()
    evaluated = evaluate(policy, BOXWORLD, episodes=3, seed=7, greedy=greedy).episodes
    assert filmed == actions
    assert len(set(actions)) > 1
    assert [e[:3] for e in played] == [e[:3] for e in evaluated]


@pytest.mark.parametrize("env", [PACMAN, MiniPacmanConfig(view="full", frame_cap=4)])
def test_mini_pacman_is_filmed(tmp_path, env):
    out = tmp_path / "deep" / "agent.gif"
    (episode,) = film(policy_for(env), env, episodes=1, seed=0, greedy=False, out=out)
    assert len(list(frames_of_gif(out))) == episode.length + 1 + FPS


def test_any_environment_that_can_draw_itself_is_filmed(tmp_path):
    env = GymnasiumConfig(id="FrozenLake-v1", kwargs={"is_slippery": False})
    out = tmp_path / "lake.mp4"
    player = env.players["random"]
    (episode,) = film(player, env, episodes=1, seed=0, greedy=False, out=out)
    with VideoFileClip(str(out), audio=False) as clip:
        assert clip.n_frames == episode.length + 1 + int(clip.fps)


@pytest.mark.filterwarnings("ignore:.*render_mode")
def test_an_environment_that_cannot_draw_itself_is_refused(tmp_path):
    env = GymnasiumConfig(id="Counter-v0")
    with pytest.raises(VideoError, match="cannot be rendered"):
        film(policy_for(env), env, episodes=1, seed=0, greedy=False, out=tmp_path / "x.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["agent.avi", "agent", "agent.mp4.part"])
def test_another_suffix_is_refused_before_anything_is_played(tmp_path, name):
    with pytest.raises(VideoError, match=r"ends in \.mp4 or \.gif"):
        film(oracle, BOXWORLD, episodes=1, seed=0, greedy=False, out=tmp_path / name)


def test_a_film_without_episodes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        film(oracle, BOXWORLD, episodes=0, seed=0, greedy=False, out=tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_nothing_half_written_stays_and_the_old_film_does(tmp_path, suffix):
    class Quits:
        steps = 0

        def act(self):
            self.steps += 1
            if self.steps == 4:
                raise RuntimeError("enough")
            return np.zeros(1, np.int64)

    out = tmp_path / f"agent{suffix}"
    out.write_bytes(b"the film before")
    with pytest.raises(RuntimeError, match="enough"):
        film(lambda env, seed: Quits(), BOXWORLD, episodes=1, seed=0, greedy=False, out=out)
    assert list(tmp_path.iterdir()) == [out]
    assert out.read_bytes() == b"the film before"


def test_a_failure_to_write_is_told_with_the_name_of_the_file(tmp_path):
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "agent.mp4"
    with pytest.raises(VideoError, match=r"agent\.mp4 cannot be written"):
        film(oracle, BOXWORLD, episodes=1, seed=0, greedy=False, out=out)


def test_an_encoder_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(encoder.ENCODINGS, ".mp4", ("no such codec", []))
    with pytest.raises(VideoError, match=r"(?s)agent\.mp4 cannot be written.*no such codec"):
        film(oracle, BOXWORLD, episodes=1, seed=0, greedy=False, out=tmp_path / "agent.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("error")
def test_filming_leaves_modes_random_states_and_weights_alone(tmp_path):
    policy = policy_for(BOXWORLD).train()
    policy.core.eval()
    modes = [module.training for module in policy.modules()]
    weights = [w.clone() for w in policy.parameters()]
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    film(policy, BOXWORLD, episodes=1, seed=0, greedy=False, out=tmp_path / "agent.gif")
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert str(np.random.get_state()) == str(numpy_state)
    assert [module.training for module in policy.modules()] == modes
    assert all(torch.equal(a, b) for a, b in zip(weights, policy.parameters(), strict=True))
    assert all(w.grad is None for w in policy.parameters())


@pytest.mark.parametrize("level", [0, 3])
def test_a_level_by_its_number_is_that_of_an_evaluation(tmp_path, level, monkeypatch):
    monkeypatch.setattr("agents.evaluation.evaluate.MOST_GAMES", 4)
    evaluated = evaluate(oracle, BOXWORLD, episodes=4, seed=5).episodes
    (filmed,) = film(
        oracle, BOXWORLD, episodes=1, seed=5, greedy=False, out=tmp_path / "a.gif", level=level
    )
    assert filmed == evaluated[level]


@pytest.mark.parametrize("pick", ["best", "worst", "first-failure"])
def test_a_chosen_level_is_played_as_in_the_evaluation(tmp_path, pick, monkeypatch):
    monkeypatch.setattr(film_module, "LEVELS", 6)
    policy = policy_for(BOXWORLD)
    evaluated = evaluate(policy, BOXWORLD, episodes=6, seed=1).episodes
    (filmed,) = film(
        policy, BOXWORLD, episodes=1, seed=1, greedy=False, out=tmp_path / "a.gif", level=pick
    )
    assert filmed == evaluated[filmed.actor]
    returns = [episode.episode_return for episode in evaluated]
    if pick == "best":
        assert filmed.episode_return == max(returns)
    elif pick == "worst":
        assert filmed.episode_return == min(returns)
    else:
        assert not filmed.info["solved"]


def test_a_grid_shows_the_first_levels_all_at_once(tmp_path):
    out = tmp_path / "grid.mp4"
    filmed = film_grid(oracle, BOXWORLD, games=5, seed=0, greedy=False, out=out)
    assert [e.actor for e in filmed] == list(range(5))
    assert filmed == evaluate(oracle, BOXWORLD, episodes=5, seed=0).episodes
    with VideoFileClip(str(out), audio=False) as clip:
        assert clip.n_frames == max(e.length for e in filmed) + 1 + FPS


def test_agents_side_by_side_play_the_same_levels_and_wait_for_one_another(tmp_path, monkeypatch):
    drawn = pictures_of(monkeypatch)
    out = tmp_path / "two.mp4"
    idle = BOXWORLD.players["random"]
    pairs = [("one", oracle), ("two", idle)]
    (_, one), (_, two) = film_together(pairs, BOXWORLD, episodes=2, seed=2, greedy=False, out=out)
    assert np.array_equal(drawn[0][70:], drawn[1][70:])
    assert [e.info["solution_length"] for e in one] == [e.info["solution_length"] for e in two]
    longest = [max(a.length, b.length) for a, b in zip(one, two, strict=True)]
    with VideoFileClip(str(out), audio=False) as clip:
        assert clip.n_frames == sum(longest) + 2 + 2 * FPS
        assert clip.size[0] == 2 * drawn[0].shape[1]


def test_progress_shows_one_agent_after_the_other_on_the_same_level(tmp_path, monkeypatch):
    drawn = pictures_of(monkeypatch)
    out = tmp_path / "progress.mp4"
    agents = [("early", BOXWORLD.players["random"]), ("late", oracle)]
    filmed = film_progress(agents, BOXWORLD, episodes=1, seed=2, greedy=False, out=out)
    assert [title for title, _ in filmed] == ["early", "late"]
    (first,), (second,) = (part for _, part in filmed)
    assert second.episode_return > first.episode_return
    assert np.array_equal(drawn[0][70:], drawn[first.length + 1][70:])


def test_an_environment_without_a_limit_is_shown_up_to_one(tmp_path):
    out = tmp_path / "cut.mp4"
    env = GymnasiumConfig(id="Pendulum-v1", kwargs={"max_episode_steps": -1})
    played = film(
        env.players["random"], env, episodes=1, seed=0, greedy=False, out=out, max_steps=4
    )
    assert [episode.length for episode in played] == [4]
    with VideoFileClip(str(out), audio=False) as clip:
        assert clip.n_frames == 4 + 1 + 30


@pytest.mark.parametrize(
    ("given", "fps"),
    [(0, 8), (None, 8), (-3, 8), ("fast", 8), (float("nan"), 8), (12.5, 12.5), (0.1, 1), (900, 50)],
)
def test_any_rate_of_an_environment_becomes_one_that_can_be_played(given, fps):
    env = BOXWORLD.make_vector(1)
    env.metadata = {"render_fps": given}
    assert film_module._fps(env) == fps


class Refuses(gymnasium.Env):
    """Takes no render mode, and draws floats all the same."""

    observation_space, action_space = spaces.Box(0, 1, (2,)), spaces.Discrete(2)
    metadata = {"render_modes": [], "render_fps": 12.5}  # noqa: RUF012

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.zeros(2, np.float32), 1.0, self.steps == 3, False, {}

    def render(self):
        return np.full((20, 30, 3), 0.5)


@pytest.mark.filterwarnings("ignore")
def test_an_environment_that_takes_no_render_mode_is_drawn_if_it_can_be(tmp_path):
    gymnasium.register("Refuses-v0", lambda: Refuses())  # type: ignore[reportArgumentType]
    try:
        env = GymnasiumConfig(id="Refuses-v0")
        out = tmp_path / "a.mp4"
        (episode,) = film(policy_for(env), env, episodes=1, seed=0, greedy=False, out=out)
    finally:
        del gymnasium.registry["Refuses-v0"]
    with VideoFileClip(str(out), audio=False) as clip:
        assert (episode.length, clip.n_frames, clip.fps) == (3, 4 + 12, 12.5)


@pytest.mark.slow
def test_a_gif_of_three_episodes_of_a_solver_is_below_two_megabytes(tmp_path):
    env = BoxWorldConfig(solution_length=(2,), num_distractors=(1,), max_steps=40)
    policy = build_policy(ImpalaConfig(env=env, core=RMCConfig()))
    out = tmp_path / "agent.gif"
    film(policy, env, episodes=3, seed=0, greedy=False, out=out)
    assert out.stat().st_size < 2_000_000
