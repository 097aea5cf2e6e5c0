"""The small commands do what they say, and say plainly what they cannot do."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from agents.cli.program import Names
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.programs.evaluate import main as evaluate_main
from agents.programs.play import main as play_main
from agents.programs.players import main as players_main
from agents.programs.record import main as record_main
from agents.runs.checkpoint import save
from agents.runs.process import prepare
from agents.runs.run import Run
from envs import BoxWorldConfig
from memory import LSTMConfig

ROOT = Path(__file__).parents[3]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
EASY = ["--env.grid-size", "8", "--env.solution-length", "1", "--env.num-distractors", "0"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run with one checkpoint."""
    env = BoxWorldConfig(grid_size=8, solution_length=(1, 2), num_distractors=(0,), max_steps=10)
    folder = tmp_path_factory.mktemp("runs") / "run"
    config = ImpalaConfig(env=env, core=LSTMConfig(hidden=8), run_dir=folder)
    run = Run.create(config, Names("boxworld", "lstm"), IMPALA)
    save(run.checkpoints, frame=1234, weights=build_policy(config).state_dict(), state={})
    return folder


def refusal(main, *argv, capsys):
    """What is said on stderr by a command that leaves with status 2."""
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in argv])
    assert left.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("flags", [(), ("--greedy",), ("--seed", "4")])
def test_evaluate_prints_a_table_and_writes_json(run, tmp_path, capsys, flags):
    file = tmp_path / "scores.json"
    assert evaluate_main([str(run), "--episodes", "7", "--json", str(file), *flags]) == 0
    out = capsys.readouterr().out
    assert "frame 1,234" in out
    assert "solution length 2" in out
    told = json.loads(file.read_text())
    assert told["episodes"] == len(told["results"]) == 7
    assert told["frame"] == 1234
    assert told["env"]["grid_size"] == 8
    assert told["greedy"] == ("--greedy" in flags)
    assert told["seed"] == (4 if "--seed" in flags else 0)
    assert list(tmp_path.iterdir()) == [file]


def test_record_writes_into_the_run_unless_told_where(run, tmp_path, capsys):
    assert record_main([str(run)]) == 0
    assert (run / "videos" / "000000001234.mp4").stat().st_size > 1000
    out = tmp_path / "agent.gif"
    assert record_main([str(run), "--episodes", "2", "--out", str(out), "--greedy"]) == 0
    assert out.read_bytes().startswith(b"GIF89a")
    assert f"{out}: returns 0, 0" in capsys.readouterr().out


def test_players_measures_one_or_compares_all(tmp_path, capsys):
    file = tmp_path / "scores.json"
    assert players_main(["--episodes", "5", *EASY]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("random", "greedy", "explorer", "oracle"))
    oracle = ["--player", "oracle", "--episodes", "5", "--json", str(file), *EASY]
    assert players_main(oracle) == 0
    assert "oracle on boxworld" in capsys.readouterr().out
    told = json.loads(file.read_text())
    assert told["env"]["grid_size"] == 8
    assert told["players"]["oracle"]["solved"]["rate"] == 1.0


@pytest.mark.parametrize("main", [players_main, play_main])
def test_an_unknown_environment_is_answered_with_the_nearest(main, capsys):
    error = refusal(main, "--env", "boxwrld", capsys=capsys)
    assert "--env boxwrld: no such environment. Did you mean boxworld?" in error


@pytest.mark.parametrize("main", [players_main, play_main])
def test_an_unknown_option_of_an_environment_is_answered_with_the_nearest(main, capsys):
    assert "--env.view-size" in refusal(main, "--env.view-sze", "7", capsys=capsys)


def test_an_unknown_player_is_answered_with_the_nearest(capsys):
    error = refusal(players_main, "--player", "orcle", capsys=capsys)
    assert "--player orcle: boxworld has no such player. Did you mean oracle?" in error


def test_a_gymnasium_id_that_does_not_exist_is_told(capsys):
    gymnasium = ["--env", "gymnasium", "--env.id", "CartPol-v1"]
    assert "CartPol" in refusal(players_main, *gymnasium, capsys=capsys)
    gymnasium = ["--env", "gymnasium", "--env.id", "nowhere_at_all:X-v1"]
    assert "nowhere_at_all" in refusal(players_main, *gymnasium, capsys=capsys)


@pytest.mark.parametrize("main", [evaluate_main, record_main])
def test_a_folder_that_is_no_run_is_told(main, tmp_path, capsys):
    assert "is not a run folder" in refusal(main, tmp_path, capsys=capsys)


@pytest.mark.parametrize("main", [evaluate_main, record_main])
def test_a_run_without_a_best_checkpoint_is_told(main, run, capsys):
    assert "no best checkpoint" in refusal(main, run, "--best", capsys=capsys)


def test_a_film_of_an_unknown_kind_is_refused(run, capsys):
    error = refusal(record_main, run, "--out", "agent.avi", capsys=capsys)
    assert "agent.avi: expected a file name that ends in .mp4 or .gif" in error


@pytest.mark.parametrize("episodes", ["0", "-1", "many", "1.5"])
def test_a_number_of_episodes_that_is_none_is_refused(run, episodes, capsys):
    error = refusal(evaluate_main, run, f"--episodes={episodes}", capsys=capsys)
    assert f"{episodes} is not an integer of at least 1" in error


def test_json_that_has_no_place_to_go_is_refused_before_the_work(run, tmp_path, capsys):
    file = tmp_path / "nowhere" / "scores.json"
    assert "there is no folder" in refusal(evaluate_main, run, "--json", file, capsys=capsys)
    assert "is a folder" in refusal(players_main, "--json", tmp_path, capsys=capsys)


def test_ctrl_c_leaves_without_a_word(run, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("agents.programs.evaluate.evaluate", interrupted)
    with pytest.raises(SystemExit) as left:
        evaluate_main([str(run)])
    assert left.value.code == 130
    assert capsys.readouterr().err == ""


def test_idle_threads_sleep_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    prepare()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    prepare()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


FAULTS = """
import ctypes, resource
{first}
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = ctypes.c_void_p(libc.malloc(1 << 26))
    ctypes.memset(block, 1, 1 << 26)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc")
def test_memory_that_was_freed_is_not_cleared_anew_unless_the_user_says_otherwise():
    prepared = FAULTS.format(first="from agents.runs.process import prepare; prepare()")

    def faults(code, **environment):
        environment = os.environ | environment
        return int(subprocess.check_output([sys.executable, "-c", code], env=environment))

    assert faults(prepared) < 100
    assert faults(FAULTS.format(first="")) > 100
    assert faults(prepared, MALLOC_MMAP_THRESHOLD_="131072") > 100


def test_preparing_a_process_imports_no_torch():
    code = "import sys; import agents.runs.process; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_prepares_its_process_before_it_imports_anything_else_of_ours(script):
    lines = script.read_text().splitlines()
    ours = [line for line in lines if line.startswith(("from agents", "from envs", "from memory"))]
    assert ours[0] == "from agents.runs.process import prepare, run"
    assert lines.index("prepare()") < lines.index(ours[1])
