"""The trained agents that come with Engram: found by name, whole, and described as they are."""

import json
import shutil
from pathlib import Path

import pytest

from agents.benchmark.model_card import model_card
from agents.benchmark.zoo_entry import CURVE, MAX_BYTES
from agents.evaluation.evaluate import evaluate
from agents.evaluation.saved import load_agent
from agents.evaluation.summary import summary
from agents.impala.evaluations import TEST
from agents.impala.program import IMPALA
from agents.runs import zoo
from agents.runs.checkpoint import CheckpointError
from agents.runs.run import Run, RunError

MOST_OF_ALL = 30_000_000
NAMES = zoo.zoo_names()


@pytest.fixture
def own_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of one agent as the only one, in an empty working folder."""
    folder = tmp_path / "zoo"
    shutil.copytree(zoo.ZOO / NAMES[0], folder / "only-one")
    monkeypatch.setattr(zoo, "ZOO", folder)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def test_an_agent_is_found_by_its_name(own_zoo: Path) -> None:
    assert Run.open(Path("only-one"), IMPALA).folder == own_zoo / "only-one"


def test_a_run_folder_of_the_same_name_comes_first(own_zoo: Path) -> None:
    here = Path("only-one")
    here.mkdir()
    assert zoo.find_run(here) == own_zoo / "only-one"  # not a run folder
    shutil.copy(own_zoo / "only-one" / "config.yaml", here)
    assert zoo.find_run(here) == here


def test_the_results_of_an_agent_go_to_the_folder_of_runs(own_zoo: Path) -> None:
    assert zoo.output_folder(Path("only-one")) == Path("runs/only-one")
    assert zoo.output_folder(own_zoo / "only-one") == own_zoo / "only-one"


def test_a_misspelt_name_gets_the_nearest(own_zoo: Path) -> None:
    with pytest.raises(RunError, match=r"only-oen .* does not exist\. Did you mean only-one\?"):
        Run.open(Path("only-oen"), IMPALA)


@pytest.mark.parametrize("damaged", ["config.yaml", "checkpoints/*/weights.safetensors"])
def test_a_file_with_another_checksum_is_refused(own_zoo: Path, damaged: str) -> None:
    (file,) = own_zoo.glob(f"only-one/{damaged}")
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)
    with pytest.raises((CheckpointError, RunError), match=r"damaged|cannot be read"):
        load_agent(Path("only-one"))


@pytest.mark.parametrize("name", NAMES)
def test_an_agent_is_small_and_its_card_is_that_of_its_files(name: str) -> None:
    folder = zoo.ZOO / name
    (weights,) = folder.glob("checkpoints/*/weights.safetensors")
    assert weights.stat().st_size <= MAX_BYTES
    assert (folder / "README.md").read_text() == model_card(folder, name)
    assert (folder / CURVE).read_text().startswith("run,frame,")
    assert json.loads((folder / "results.json").read_text())["test"]["levels"] >= 1000
    home = str(Path.home()).encode()
    assert not [p for p in folder.rglob("*") if p.is_file() and home + b"/" in p.read_bytes()]


def test_all_agents_together_are_small() -> None:
    assert NAMES
    files = (path for path in zoo.ZOO.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files) <= MOST_OF_ALL


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_agent_scores_what_its_results_say(name: str) -> None:
    config, policy, _ = load_agent(Path(name))
    results = json.loads((zoo.ZOO / name / "results.json").read_text())["test"]
    measured = summary(evaluate(policy, config.env, episodes=results["levels"], seed=TEST))
    # Another CPU rounds in another way, so a few episodes may differ.
    assert measured["return"] == pytest.approx(results["return"], rel=0.01)
    assert measured["length"] == pytest.approx(results["length"], rel=0.03)
