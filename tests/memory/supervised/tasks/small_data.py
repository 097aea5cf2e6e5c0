"""A small one of every data set that tasks read from files."""

from collections.abc import Iterable
from pathlib import Path

from tests.memory.supervised.tasks.babi.babi_files import write_babi
from tests.memory.supervised.tasks.language_model.corpus_texts import write_wikitext
from tests.memory.supervised.tasks.nlvr.nlvr_data import write_nlvr
from tests.memory.supervised.tasks.pos_tagging.ud_files import write_ud
from tests.memory.supervised.tasks.sentence_files import write_pairs


def write_data(folder: Path, babi_tasks: Iterable[int] = (1, 2)) -> Path:
    """What ENGRAM_DATA may name. Returns the folder."""
    write_babi(folder / "babi", tasks=babi_tasks)
    write_nlvr(folder / "nlvr", sentences=3)
    write_ud(folder / "ud_english_ewt")
    write_pairs(folder / "tatoeba_eng_spa")
    for corpus in ("wikitext-2", "wikitext-103"):
        write_wikitext(folder / corpus)
    return folder
