"""Where the stories of the bAbI tasks come from: the published files, or a generator of our own."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from memory.supervised.babi_stories import MalformedData, Question, read_stories
from memory.supervised.data_folder import MissingData, find_data

Size = Literal["1k", "10k"]
Source = Literal["published", "completed", "generated"]
Part = Literal["train", "test"]

FOLDERS: dict[Size, str] = {"1k": "en", "10k": "en-10k"}


@dataclass
class Stories:
    """The questions of some tasks, and what has to be said of where they come from."""

    train: dict[int, list[Question]] = field(default_factory=dict)
    test: dict[int, list[Question]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def published(tasks: tuple[int, ...], size: Size, data: Path | None) -> Stories:
    """The published files.

    Raises:
        MissingData: they are not there.
        MalformedData: one of them is missing, or is not what it should be.
    """
    try:
        folder = find_data("babi", data, FOLDERS[size]) / FOLDERS[size]
    except MissingData as error:
        raise MissingData(
            f"{error} Or ask for stories of our own generator: --task.source generated."
        ) from None
    stories = Stories()
    for task in tasks:
        stories.train[task] = read_stories(_file(folder, task, "train"))
        stories.test[task] = read_stories(_file(folder, task, "test"))
    return stories


def _file(folder: Path, task: int, part: Part) -> Path:
    found = sorted(folder.glob(f"qa{task}_*_{part}.txt"))
    if len(found) != 1:
        raise MalformedData(
            f"{folder}: expected one file qa{task}_*_{part}.txt, found {len(found)}"
        )
    return found[0]
