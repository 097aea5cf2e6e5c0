"""A small version of every data set that tasks read."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from memory.supervised import TaskConfig
from tests.memory.supervised.tasks.babi.babi_files import write_babi
from tests.memory.supervised.tasks.image_association.image_data import (
    write_cifar10,
    write_mnist,
    write_omniglot,
)
from tests.memory.supervised.tasks.language_model.corpus_texts import write_wikitext
from tests.memory.supervised.tasks.nlvr.nlvr_data import write_nlvr
from tests.memory.supervised.tasks.pos_tagging.ud_files import write_ud
from tests.memory.supervised.tasks.sentence_files import write_pairs

Maker = Callable[[Path], Path]
"""Writes a data set to the folder of its name."""

MAKERS: dict[str, Maker] = {
    "babi": write_babi,
    "cifar10": write_cifar10,
    "mnist": write_mnist,
    "nlvr": partial(write_nlvr, sentences=3),
    "omniglot": write_omniglot,
    "tatoeba_eng_spa": write_pairs,
    "ud_english_ewt": write_ud,
    "wikitext-2": write_wikitext,
    "wikitext-103": write_wikitext,
}


def write_data(folder: Path, config: TaskConfig, makers: Mapping[str, Maker] = MAKERS) -> Path:
    """Write what a task reads; returns the folder, a value for ENGRAM_DATA.

    Raises:
        LookupError: a data set that no maker is known for.
    """
    for name in config.data_sets:
        if name not in makers:
            raise LookupError(
                f"{type(config).__name__} reads the data set {name!r}, which the tests cannot "
                f"make: add a function that writes a small one to MAKERS of {__name__}"
            )
        makers[name](folder / name)
    return folder
