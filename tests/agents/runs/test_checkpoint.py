"""Checkpoints: what is saved comes back, and what is damaged is noticed."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from agents.runs import checkpoint
from agents.runs.checkpoint import Checkpoint, CheckpointError, load, load_newest, save

ROOT = Path(__file__).parents[3]
FILES = ("weights.safetensors", "state.safetensors", "state.json", "manifest.json")


def put(folder: Path, frame: int, **options: Any) -> Path:
    """A small checkpoint whose content tells its frame."""
    weights = {"w": torch.full((3, 2), float(frame))}
    return save(folder, frame=frame, weights=weights, state={"n": frame}, **options)


def good(found: Checkpoint) -> bool:
    """Whether a checkpoint of `put` came back whole."""
    return found.state == {"n": found.frame} and bool((found.weights["w"] == found.frame).all())


def frames(folder: Path) -> list[int]:
    """Checkpoints in a folder, and no other entry."""
    return sorted(int(path.name) for path in folder.iterdir() if path.name != "best")


def test_weights_and_state_come_back_exactly(tmp_path: Path) -> None:
    flat = torch.randn(6, requires_grad=True)
    weights = {"a": flat[:4].view(2, 2), "b": flat[2:], "half": torch.randn(3).bfloat16()}
    state = {
        "number": 0.1,
        "words": ["x", None, True, 2**70],
        "pair": (0.9, 0.999),
        "by_number": {0: torch.tensor([float("nan")]), 1: {}},
        "stream": torch.get_rng_state(),
    }
    save(tmp_path, frame=12, weights=weights, state=state)
    found = load(tmp_path)
    assert found.frame == 12 and found.path == tmp_path / "000000000012" and not found.warnings
    assert found.weights.keys() == weights.keys()
    assert all(torch.equal(found.weights[name], x) for name, x in weights.items())
    assert found.weights["half"].dtype == torch.bfloat16
    for key in ("number", "words", "pair"):
        assert found.state[key] == state[key] and type(found.state[key]) is type(state[key])
    assert found.state["by_number"][0].isnan().all() and found.state["by_number"][1] == {}
    assert torch.equal(found.state["stream"], state["stream"])


@pytest.mark.parametrize("kind", ["uint64", "int8", "bool", "float16", "complex128", ">i4"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3)])
def test_arrays_keep_their_type_and_shape(
    kind: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    largest = np.full(shape, np.iinfo("uint64").max if kind == "uint64" else 1, dtype=kind)
    save(tmp_path, frame=1, weights={}, state={"array": largest})
    found = load(tmp_path).state["array"]
    assert found.dtype == largest.dtype and found.shape == largest.shape
    assert (found == largest).all()
    found[...] = 0  # and can be written to, like any array


def test_a_random_stream_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    stream = np.random.default_rng(3)
    save(tmp_path, frame=1, weights={}, state={"stream": stream.bit_generator.state})
    other = np.random.default_rng(0)
    other.bit_generator.state = load(tmp_path).state["stream"]
    assert other.random() == stream.random()


@pytest.mark.parametrize("value", [object(), namedtuple("P", "x")(1), {1.5: 0}, np.array([None])])
def test_what_would_need_unpickling_is_refused_by_name(value: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"state\['deep'\]\[0\]"):
        save(tmp_path, frame=1, weights={}, state={"deep": [value]})
    assert not list(tmp_path.iterdir())


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    for frame in (8, 9, 10, 100, 1000):
        put(tmp_path, frame, keep=2, best=frame == 9)
    assert frames(tmp_path) == [9, 100, 1000]
    assert load(tmp_path).frame == 1000 and load(tmp_path, best=True).frame == 9
    put(tmp_path, 2000, keep=2, best=True)
    put(tmp_path, 10**12 - 1, keep=2)
    put(tmp_path, 10**12, keep=2)
    assert load(tmp_path).frame == 10**12
    assert (
        frames(tmp_path) == [2000, 10**12 - 1, 10**12] and load(tmp_path, best=True).frame == 2000
    )


def test_a_checkpoint_of_the_same_frame_stays_unless_it_is_damaged(tmp_path: Path) -> None:
    path = put(tmp_path, 5)
    before = path.stat().st_ino
    put(tmp_path, 5)
    assert path.stat().st_ino == before
    (path / "state.json").write_bytes(b"")
    put(tmp_path, 5)
    assert good(load(tmp_path))


def test_a_damaged_future_is_cleared_by_the_run_that_went_back(tmp_path: Path) -> None:
    put(tmp_path, 1)
    put(tmp_path, 9)
    (tmp_path / "000000000009" / "state.json").unlink()
    put(tmp_path, 3)
    assert frames(tmp_path) == [1, 3] and not load(tmp_path).warnings


def test_each_flipped_bit_is_noticed(tmp_path: Path) -> None:
    put(tmp_path, 1)
    newest = put(tmp_path, 2)
    draw = random.Random(0)
    for _ in range(150):
        file = newest / draw.choice(FILES)
        whole = file.read_bytes()
        bit = draw.randrange(8 * len(whole))
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        found = load(tmp_path)
        assert found.frame == 1 and good(found)
        assert len(found.warnings) == 1 and str(newest) in found.warnings[0]
        file.write_bytes(whole)
    assert load(tmp_path).frame == 2


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_or_missing_file_is_noticed(name: str, tmp_path: Path) -> None:
    put(tmp_path, 1)
    file = put(tmp_path, 2) / name
    os.truncate(file, file.stat().st_size - 1)
    (warning,) = load(tmp_path).warnings
    assert str(file) in warning
    file.unlink()
    found = load(tmp_path)
    assert found.frame == 1 and found.warnings == (f"{file} is missing.",)


def test_a_checkpoint_under_another_frame_is_noticed(tmp_path: Path) -> None:
    put(tmp_path, 1).rename(tmp_path / "000000000002")
    with pytest.raises(CheckpointError, match="is of frame 1"):
        load(tmp_path)


def test_it_is_an_error_if_none_is_good(tmp_path: Path) -> None:
    for frame in (1, 2):
        (put(tmp_path, frame) / "state.json").write_bytes(b"x")
    with pytest.raises(CheckpointError) as error:
        load(tmp_path)
    assert "000000000001" in str(error.value) and "000000000002" in str(error.value)


@pytest.mark.parametrize("best", [False, True])
def test_it_is_an_error_if_there_is_none(best: bool, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is none"):
        load(tmp_path / "nowhere", best=best)


def test_a_future_schema_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for schema in (3, [], None):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "SCHEMA", schema)
            put(tmp_path, 1)
        with pytest.raises(
            CheckpointError, match=rf"schema {re.escape(str(schema))}, this program"
        ):
            load(tmp_path)


def test_of_an_earlier_schema_the_weights_alone_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SCHEMA", 1)
        path = put(tmp_path, 4)
    (path / "state.json").rename(path / "state.pt")
    found = load(tmp_path)
    assert found.frame == 4 and (found.weights["w"] == 4).all() and not found.warnings
    with pytest.raises(CheckpointError, match="was written by an earlier version of Engram"):
        found.state["learner"]


def test_a_configuration_in_which_a_bit_was_flipped_is_noticed(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_bytes(b"frames: 1000\nseed: 3\n")
    save(tmp_path / "x", frame=1, weights={}, state={}, config=config.read_bytes())
    assert load(tmp_path / "x", config=config).frame == 1
    whole = config.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        config.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"config\.yaml is damaged or was edited"):
            load(tmp_path / "x", config=config)
    checkpoint.accept_config(tmp_path / "x", config.read_bytes())
    assert load(tmp_path / "x", config=config).frame == 1
    config.write_bytes(whole)
    assert load(tmp_path / "x", config=config).frame == 1


def test_a_missing_field_is_damage(tmp_path: Path) -> None:
    found = load(put(tmp_path, 1).parent)
    with pytest.raises(CheckpointError, match=r"state\.json is damaged: it has no field 'learner'"):
        found.state["learner"]
    manifest = tmp_path / "000000000001" / "manifest.json"
    content = json.loads(manifest.read_text())["content"]
    del content["files"]["state.json"]
    manifest.write_bytes(checkpoint._sealed(content))
    with pytest.raises(CheckpointError, match=r"does not list weights\.safetensors, state\.saf"):
        load(tmp_path)


def forged(folder: Path, text: str, tensors: dict[str, torch.Tensor] | None = None) -> Path:
    """A checkpoint with another state, and a manifest that matches it."""
    files = {
        "weights.safetensors": safetensors.torch.save({}),
        "state.safetensors": safetensors.torch.save(tensors or {}),
        "state.json": text.encode(),
    }
    files["manifest.json"] = checkpoint._manifest_bytes(1, files, b"")
    path = folder / "000000000001"
    path.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"dict": [["a", {"tensor": "0"}], ["b", {"tensor": "0"}]]}', "or it occurs twice"),
        ('{"dict": [["a", {"tensor": "9"}]]}', "there is no tensor '9'"),
        ('{"array": "0", "dtype": "O", "shape": [1]}', "cannot create an OBJECT array"),
        ('{"array": "0", "dtype": "u1", "shape": [1099511627776]}', "cannot reshape"),
        ('{"array": "0", "dtype": "nonsense", "shape": [1]}', "nonsense"),
        ('{"dict": [[[1], 2]]}', "is no key"),
        ('{"dict": [1]}', "cannot be read"),
        ('{"other": 1}', "is no encoded value"),
        ('{"tuple": [], "more": 1}', "is no encoded value"),
        ("[1]", "it holds no fields"),
        ("[" * 100_000, "recursion"),
        ("{", "cannot be read"),
    ],
)
def test_a_forged_state_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    forged(tmp_path, text, {"0": torch.zeros(3, dtype=torch.uint8)})
    with pytest.raises(CheckpointError, match=rf"state\.json .*{reason}"):
        load(tmp_path)


def test_files_too_large_to_hold_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = forged(tmp_path, '{"dict": []}')
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_LARGEST_TEXT", 11)
        with pytest.raises(CheckpointError, match=r"manifest\.json .*bytes, expected at most 11"):
            load(tmp_path)
    content = json.loads((path / "manifest.json").read_text())["content"]
    os.truncate(path / "weights.safetensors", 1 << 43)  # a sparse file
    content["files"]["weights.safetensors"]["size"] = 1 << 43
    (path / "manifest.json").write_bytes(checkpoint._sealed(content))
    with pytest.raises(CheckpointError, match=r"weights\.safetensors .*bytes, expected at most"):
        load(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(name: str, tmp_path: Path) -> None:
    path = put(tmp_path, 1)
    (path / name).unlink()
    os.mkfifo(path / name)
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load(tmp_path)


def test_a_state_too_large_to_load_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "_LARGEST_TEXT", 3)
    with pytest.raises(CheckpointError, match="The state has 20 bytes, at most 3 fit"):
        put(tmp_path, 1)


def test_links_among_the_checkpoints_do_not_stop_later_saves(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    put(elsewhere, 1)
    folder = tmp_path / "run"
    folder.mkdir()
    for name in (".unfinished-1", "000000000001"):
        (folder / name).symlink_to(elsewhere / "000000000001")
    for name in ("000000000002", "000000000003", "note"):
        (folder / name).symlink_to("nowhere")
    for frame in range(2, 7):
        put(folder, frame)
    assert frames(folder) == [4, 5, 6] and frames(elsewhere) == [1]
    assert load(elsewhere).frame == 1


def test_a_manifest_that_is_json_but_no_manifest_is_noticed(tmp_path: Path) -> None:
    for text in ("[]", "{}", '{"content": 1}', json.dumps({"content": {}, "sha256": "x"})):
        (put(tmp_path, 1) / "manifest.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"manifest\.json"):
            load(tmp_path)


def test_a_full_disk_leaves_the_old_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for frame in (1, 2, 3):
        put(tmp_path, frame)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        with pytest.raises(CheckpointError, match=r"0\.0 MB are free"):
            put(tmp_path, 4)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(CheckpointError, match="No space left"):
            put(tmp_path, 4)
    assert frames(tmp_path) == [1, 2, 3] and good(load(tmp_path))
    put(tmp_path, 4)
    assert load(tmp_path).frame == 4


KILL_WHILE_SAVING = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from agents.runs.checkpoint import save

def save_for_ever(folder, done):
    for frame in range(1, 10**9):
        weights = {"w": torch.full((200_000,), float(frame))}
        save(folder, frame=frame, weights=weights, state={"n": frame})
        done.write_text(str(frame))

draw = random.Random(1)
for trial in range(int(sys.argv[2])):
    folder = Path(sys.argv[1]) / str(trial)
    done = folder.with_suffix(".txt")
    child = os.fork()
    if not child:
        save_for_ever(folder, done)
    while not done.exists():
        time.sleep(0.001)
    time.sleep(draw.uniform(0.0, 0.1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def test_a_run_killed_before_its_first_checkpoint_was_complete_has_none(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-1-000000000001").mkdir()
    assert load_newest(tmp_path) is None
    put(tmp_path, 1)
    found = load_newest(tmp_path)
    assert found and found.frame == 1


def test_a_kill_at_any_moment_leaves_the_newest_whole_checkpoint(tmp_path: Path) -> None:
    trials = 10
    command = [sys.executable, "-c", KILL_WHILE_SAVING, str(tmp_path), str(trials)]
    subprocess.run(command, cwd=ROOT, check=True)
    for trial in range(trials):
        folder = tmp_path / str(trial)
        found = load(folder)
        assert good(found) and not found.warnings
        finished = folder.with_suffix(".txt").read_text()
        assert found.frame >= int(finished or 1)
        put(folder, found.frame + 1)
        assert all(path.name.isdecimal() for path in folder.iterdir())
