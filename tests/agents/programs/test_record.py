"""The videos that can be asked for, and what is answered to what cannot be."""

from dataclasses import replace

import pytest
import torch
from moviepy import VideoFileClip

from agents.cli.program import Names
from agents.evaluation.video import film as film_module
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.programs.evaluate import main as evaluate
from agents.programs.record import main as record
from agents.runs.checkpoint import save
from agents.runs.run import Run
from envs import BoxWorldConfig, GymnasiumConfig
from memory import LSTMConfig

ENV = BoxWorldConfig(grid_size=8, solution_length=(1, 2), num_distractors=(0,), max_steps=5)


def make_run(folder, name="boxworld", **changes):
    config = replace(ImpalaConfig(env=ENV, core=LSTMConfig(hidden=8), run_dir=folder), **changes)
    run = Run.create(config, Names(name, "lstm"), IMPALA)
    save(
        run.checkpoints,
        frame=1000,
        weights=build_policy(config).state_dict(),
        state={},
        config=run.config_file.read_bytes(),
    )
    return run


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(film_module, "LEVELS", 4)
    return make_run(tmp_path / "run", frames=1000)


def frames(path):
    with VideoFileClip(str(path), audio=False) as clip:
        return clip.n_frames


def refusal(capsys, *argv, main=record):
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in argv])
    assert left.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ((), "000000001000"),
        (("--level", "3"), "000000001000-3"),
        (("--best-level", "--no-memory"), "000000001000-best"),
        (("--worst",), "000000001000-worst"),
        (("--first-failure",), "000000001000-first-failure"),
        (("--grid", "3"), "000000001000-grid"),
    ],
)
def test_each_kind_of_video_has_a_file_of_its_own(run, flags, name, capsys):
    assert record([str(run.folder), *flags]) == 0
    assert frames(run.videos / f"{name}.mp4") <= 5 + 1 + 8
    assert f"{name}.mp4: returns" in capsys.readouterr().out


def test_several_runs_stand_side_by_side(run, tmp_path, capsys):
    other = make_run(tmp_path / "other", frames=1000, seed=1)
    assert record([str(run.folder), str(other.folder)]) == 0
    assert (run.videos / "000000001000-beside-other.mp4").is_file()
    out = capsys.readouterr().out
    assert "run: frame 1,000 (100 % of the run): returns" in out
    assert "other: frame 1,000 (100 % of the run): returns" in out


def test_runs_of_other_environments_are_not_compared(run, tmp_path, capsys):
    other = make_run(tmp_path / "other", env=replace(ENV, max_steps=6))
    assert "another environment than" in refusal(capsys, run.folder, other.folder)


def test_progress_shows_the_weights_of_early_on(run, capsys):
    for frame in (10, 100):
        policy = build_policy(run.config)
        with torch.no_grad():
            policy.value_head.bias.fill_(frame)
        run.start_saving_milestone(lambda _: None, frame, policy.state_dict())
        run.writer.wait()
    assert record([str(run.folder), "--progress"]) == 0
    out = capsys.readouterr().out
    assert [line.split(": ")[1].split(" (")[0] for line in out.splitlines()] == [
        "frame 10", "frame 100", "frame 1,000",
    ]  # fmt: skip
    assert frames(run.videos / "000000001000-progress.mp4") == 3 * (5 + 1 + 8)


def test_a_run_without_early_weights_is_a_sentence(run, capsys):
    assert "no weights of 1 % or 10 %" in refusal(capsys, run.folder, "--progress")


def test_a_run_without_checkpoints_is_a_sentence(tmp_path, capsys):
    config = ImpalaConfig(env=ENV, core=LSTMConfig(hidden=8), run_dir=tmp_path / "new")
    Run.create(config, Names("boxworld", "lstm"), IMPALA)
    assert "no checkpoint to load" in refusal(capsys, tmp_path / "new")


def test_an_episode_that_does_not_end_is_a_sentence(tmp_path, capsys):
    env = GymnasiumConfig(id="FrozenLake-v1", kwargs={"max_episode_steps": -1, "map_name": "8x8"})
    run = make_run(tmp_path / "endless", "gymnasium", env=env)
    assert record([str(run.folder), "--max-steps", "2"]) == 0
    assert "1 of 1 episodes did not end within 2 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--grid", "3", "--worst"), "--grid 3 and --worst do not go together"),
        (("--progress", "--best-level"), "--progress and --best-level do not go together"),
        (("--grid", "3", "--level", "2"), "leave out --level"),
        (("--worst", "--episodes", "2"), "--worst chooses one level"),
        (("--worst", "--level", "2"), "not allowed with"),
    ],
)
def test_options_that_do_not_go_together_are_named(run, flags, message, capsys):
    assert message in refusal(capsys, run.folder, *flags)


@pytest.mark.parametrize("main", [record, evaluate])
def test_a_supervised_run_has_no_agent(tmp_path, main, capsys):
    (tmp_path / "config.yaml").write_text("task:\n  name: logic\n  bits: 3\ncore:\n  name: lstm\n")
    error = refusal(capsys, tmp_path, main=main)
    assert "is of a run of supervised.py" in error
    assert "results.json" in error
