"""Where the stories of the bAbI tasks come from: the published files, or a generator of our own."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from numpy.random import SeedSequence, default_rng

from memory.supervised.data.data_folder import MissingData, find_data
from memory.supervised.data.text_file import MalformedData
from memory.supervised.tasks.babi.generator import generate
from memory.supervised.tasks.babi.stories import Question, questions_of, read_stories

Size = Literal["1k", "10k"]
Source = Literal["published", "completed", "generated"]
Part = Literal["train", "test"]

PARTS = get_args(Part)
FOLDERS: dict[Size, str] = {"1k": "en", "10k": "en-10k"}
QUESTIONS: dict[Size, int] = {"1k": 1000, "10k": 10_000}
TESTED = 1000
"""Questions of a test, for both sizes."""


@dataclass
class Stories:
    """The questions of some tasks, and remarks on their source."""

    train: dict[int, list[Question]] = field(default_factory=dict)
    test: dict[int, list[Question]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def find_stories(tasks: tuple[int, ...], size: Size, source: Source, data: Path | None) -> Stories:
    """The stories of some tasks.

    Raises:
        MissingData: there are no published files, and `source` needs them.
        MalformedData: one of them is missing or invalid.
    """
    if source != "generated":
        return _published(tasks, size, data, complete=source == "completed")
    train = {task: _generated(task, "train", QUESTIONS[size]) for task in tasks}
    test = {task: _generated(task, "test", TESTED) for task in tasks}
    remark = "The stories, those of the test too, are of our own generator, not the published ones."
    return Stories(train, test, [remark])


def _published(tasks: tuple[int, ...], size: Size, data: Path | None, complete: bool) -> Stories:
    """The published files; with `complete`, generated stories for missing ones."""
    try:
        folder = find_data("babi", data, FOLDERS[size]) / FOLDERS[size]
    except MissingData as error:
        raise MissingData(
            f"{error} Or ask for stories of our own generator: --task.source generated."
        ) from None
    stories = Stories()
    for task in tasks:
        if complete and not _files(folder, task, "train"):
            stories.train[task] = _generated(task, "train", QUESTIONS[size])
            stories.remarks.append(
                f"The training stories of task {task} are of our own generator: there is no "
                f"published file of them in {FOLDERS[size]}. Its test is the published one."
            )
        else:
            file = _file(folder, task, "train")
            stories.train[task] = read_stories(file)
            if len(stories.train[task]) < 2:
                raise MalformedData(f"{file} has one question, expected two at least.")
            stories.remarks += _shortfall(task, "train", stories.train[task], QUESTIONS[size])
        stories.test[task] = read_stories(_file(folder, task, "test"))
        stories.remarks += _shortfall(task, "test", stories.test[task], TESTED)
    return stories


def _shortfall(task: int, part: Part, questions: list[Question], published: int) -> list[str]:
    """A remark if a file is not the published one."""
    if len(questions) == published:
        return []
    return [f"Task {task} has {len(questions):,} questions to {part}, {published:,} as published."]


def _generated(task: int, part: Part, questions: int) -> list[Question]:
    """Generated stories; the same for every run."""
    random = default_rng(SeedSequence([task, PARTS.index(part)]))
    return questions_of(f"generated task {task}", generate(task, questions, random))


def _file(folder: Path, task: int, part: Part) -> Path:
    found = _files(folder, task, part)
    if len(found) != 1:
        hint = " --task.source completed generates its stories." if part == "train" else ""
        raise MalformedData(
            f"{folder}: expected one file qa{task}_*_{part}.txt, found {len(found)}.{hint}"
        )
    return found[0]


def _files(folder: Path, task: int, part: Part) -> list[Path]:
    return sorted(folder.glob(f"qa{task}_*_{part}.txt"))
