"""Readers of files refuse what is damaged or hostile in one sentence, in time and in memory.

Every reader gets its good files with changes drawn from a seed, and contents that cost much to
read. It either reads the file or raises an error of those that programs print in one line.
"""

import os
import random
import shutil
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from agents.benchmark.curves import curve_of
from agents.benchmark.plan import read_plan
from agents.benchmark.sweep_plan import read_sweep
from agents.cli.command import CommandError
from agents.cli.presets import read_preset, to_yaml
from agents.cli.program import Names
from agents.impala.program import IMPALA
from agents.runs.checkpoint import CheckpointError, load
from agents.runs.run import Run, RunError
from memory.supervised.tasks.babi.babi import BabiConfig
from memory.supervised.tasks.image_association.image_association import ImageAssociationConfig
from memory.supervised.tasks.language_model.language_model import LanguageModelConfig
from memory.supervised.tasks.nlvr.nlvr import NlvrConfig
from memory.supervised.tasks.pos_tagging.pos_tagging import PosTaggingConfig
from memory.supervised.tasks.sentences import SentencesConfig
from tests.fuzzed_files import damaged, hostile
from tests.memory.supervised.tasks.babi.babi_files import write_babi
from tests.memory.supervised.tasks.image_association.image_data import (
    write_cifar10_and_mnist,
    write_omniglot,
)
from tests.memory.supervised.tasks.language_model.corpus_texts import write_wikitext
from tests.memory.supervised.tasks.nlvr.nlvr_data import write_nlvr
from tests.memory.supervised.tasks.pos_tagging.ud_files import write_ud
from tests.memory.supervised.tasks.sentence_files import write_pairs

EXPECTED = (ValueError, CommandError, RunError, CheckpointError)
"""What programs print in one line."""
SECONDS = 5.0
MOST_MEMORY = 400_000_000
ROUNDS = 12
"""Damaged copies of each reader's files; ENGRAM_FUZZ asks for more."""


class Reader(NamedTuple):
    """Good files, and what reads them."""

    make: Callable[[Path], object]
    """Writes good files to a folder."""
    pattern: str
    """The files to damage, below the folder."""
    read: Callable[[Path], object]


def write_books(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input.txt").write_text("Some words,\nand others.\n\n" * 40)


def write_vectors(folder: Path) -> None:
    write_ud(folder)
    (folder / "vectors.txt").write_text("the 0.1 0.2\ndog 0.3 0.4\n. 1 2\n")


def write_run(folder: Path) -> None:
    config = IMPALA.defaults(Names("boxworld", "lstm"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(to_yaml(IMPALA, config))
    run = Run.open(folder, IMPALA)
    for frame in (10, 20):
        run.log({"episodes/return": 0.5, "speed/seconds": float(frame)}, frame)
    run.save(frame=20, weights={"w": torch.ones(3)}, state={"n": [1, (2.0, torch.ones(2))]})
    run.close()


def read_run(folder: Path) -> None:
    run = Run.open(folder, IMPALA)
    try:
        run.load()
    except CheckpointError:
        load(run.checkpoints)
    curve_of(folder)
    run.resume(15)


def write_plan(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.yaml").write_text(
        "seeds: [1]\ntasks:\n  recall: {task: delayed_recall}\ncores:\n  gru: {core: gru}\n"
    )


def write_sweep(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.yaml").write_text(
        "program: supervised\nsettings: {task: delayed_recall, core: gru}\n"
        "search:\n  core.hidden: {choices: [4, 8]}\nmeasure: validation/accuracy\n"
    )


READERS = {
    "babi": Reader(write_babi, "en-10k/qa1_*", lambda d: BabiConfig(data=d).build(1)),
    "language model": Reader(
        write_wikitext, "*.txt", lambda d: LanguageModelConfig(data=d).build(1)
    ),
    "book": Reader(write_books, "*.txt", lambda d: LanguageModelConfig(data=d).build(1)),
    "sentences": Reader(
        write_pairs, "spa.txt", lambda d: SentencesConfig(data=d, sentences=60).build(1)
    ),
    "treebank": Reader(write_ud, "*.conllu", lambda d: PosTaggingConfig(data=d).build(1)),
    "vectors": Reader(
        write_vectors,
        "vectors.txt",
        lambda d: PosTaggingConfig(data=d, glove=d / "vectors.txt").build(1),
    ),
    "things": Reader(
        lambda d: write_nlvr(d, 3), "*.json", lambda d: NlvrConfig(data=d, given="things").build(1)
    ),
    "pictures": Reader(lambda d: write_nlvr(d, 2), "*.zip", lambda d: NlvrConfig(data=d).build(1)),
    "drawings": Reader(
        write_omniglot,
        "*.zip",
        lambda d: ImageAssociationConfig(images="omniglot", data=d).build(1),
    ),
    "digits": Reader(
        write_cifar10_and_mnist, "*/*", lambda d: ImageAssociationConfig(data=d).build(1)
    ),
    "preset": Reader(write_run, "config.yaml", lambda d: read_preset(IMPALA, d / "config.yaml")),
    "run": Reader(write_run, "**/*.*", read_run),
    "plan": Reader(write_plan, "plan.yaml", lambda d: read_plan(d / "plan.yaml", d)),
    "sweep": Reader(write_sweep, "sweep.yaml", lambda d: read_sweep(d / "sweep.yaml")),
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))


def files_of(reader: Reader, folder: Path) -> list[Path]:
    reader.make(folder)
    found = sorted(p for p in folder.glob(reader.pattern) if p.is_file() and "events" not in p.name)
    assert found, f"{folder} has no {reader.pattern}"
    return found


def check(reader: Reader, folder: Path, what: str) -> bool:
    """Read a folder; returns whether it was read."""
    started = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(folder)
        return True
    except EXPECTED as error:
        assert len(str(error).splitlines()) <= 3, f"{what}: {error}"
        return False
    except SystemExit as stop:  # after a message
        assert stop.code == 2, what
        return False
    finally:
        assert time.monotonic() - started < SECONDS, what


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    reader, draw = READERS[name], random.Random(f"{name} 1")
    files_of(reader, tmp_path / "good")
    assert check(reader, tmp_path / "good", name)
    shutil.rmtree(tmp_path / "good")  # which resuming a run has changed
    files = files_of(reader, tmp_path / "good")
    refused = 0
    for number in range(int(os.environ.get("ENGRAM_FUZZ", ROUNDS))):
        folder = tmp_path / "bad"
        shutil.copytree(tmp_path / "good", folder)
        file = folder / draw.choice(files).relative_to(tmp_path / "good")
        file.write_bytes(damaged(file.read_bytes(), draw))
        refused += not check(reader, folder, f"{name}, {file.name}, damage {number}")
        shutil.rmtree(folder)
    assert refused


@pytest.mark.parametrize("name", READERS)
def test_a_hostile_file_is_refused(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    files = files_of(reader, tmp_path / "good")
    for what, content in hostile().items():
        for good in {files[0], files[-1]}:
            folder = tmp_path / "bad"
            shutil.copytree(tmp_path / "good", folder)
            (folder / good.relative_to(tmp_path / "good")).write_bytes(content)
            tracemalloc.start()
            check(reader, folder, f"{name}, {good.name}, {what}")
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < MOST_MEMORY, f"{name}, {good.name}, {what}: {peak:,} bytes"
            shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_refused(name: str, kind: str, tmp_path: Path) -> None:
    reader = READERS[name]
    for good in files_of(reader, tmp_path / "good"):
        folder = tmp_path / "bad"
        shutil.copytree(tmp_path / "good", folder)
        file = folder / good.relative_to(tmp_path / "good")
        file.unlink()
        if kind == "pipe":
            os.mkfifo(file)
        elif kind == "device":
            file.symlink_to("/dev/zero")
        else:
            file.mkdir()
        check(reader, folder, f"{name}, {good.name}, {kind}")
        shutil.rmtree(folder)
