"""Files of generated questions, named like the published ones."""

from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from numpy.random import SeedSequence, default_rng

from memory.supervised.babi_generator import TASKS, generate

TESTED = 1000
"""Questions of a test file."""
PARTS = ("train", "test")


def write_babi(
    folder: Path, questions: int, seed: int, tasks: Collection[int] = tuple(TASKS)
) -> None:
    """Write `qa<task>_<name>_train.txt` and `..._test.txt` of every task into a new folder.

    The folder comes to be with all its files or, whatever fails, not at all. Train and test are
    drawn apart; the same story may be drawn for both where few are possible, as in task 4.

    Args:
        folder: must not be there yet, or be empty.
        questions: of each train file; test files have 1000.
        seed: of all files; a file depends on it and on its task, not on the other tasks wanted.

    Raises:
        ValueError: there is no such task, or no questions are wanted.
        FileExistsError: the folder is there and has something in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not an empty folder: name one that is not there yet")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        made = Path(beside) / folder.name
        made.mkdir()
        for task in tasks:
            for number, part in enumerate(PARTS):
                random = default_rng(SeedSequence([seed, task, number]))
                lines = generate(task, TESTED if part == "test" else questions, random)
                text = "".join(f"{line}\n" for line in lines)
                (made / f"qa{task}_{TASKS[task].name}_{part}.txt").write_text(text, "utf-8")
        made.rename(folder)
