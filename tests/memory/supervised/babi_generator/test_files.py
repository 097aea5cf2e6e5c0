import numpy as np
import pytest

from memory.supervised.babi_generator import TASKS, files, generate
from memory.supervised.babi_generator.files import write_babi
from memory.supervised.babi_stories import read_stories

tasks = pytest.mark.parametrize("task", TASKS)


def lines_of(task, questions=50, seed=3):
    return generate(task, questions, np.random.default_rng(seed))


@tasks
def test_the_last_line_is_the_last_of_as_many_questions_as_were_wanted(task):
    for questions in (1, 7, 50):
        lines = lines_of(task, questions)
        assert sum("\t" in line for line in lines) == questions
        assert "\t" in lines[-1]


@tasks
def test_numbers_run_from_one_in_every_story(task):
    last = 0
    for line in lines_of(task):
        number = int(line.split(" ")[0])
        assert number == last + 1 or (number == 1 and last)
        last = number


@tasks
def test_the_same_seed_draws_the_same_lines_and_another_seed_others(task):
    assert lines_of(task) == lines_of(task)
    assert lines_of(task) != lines_of(task, seed=4)


def test_files_are_read_like_the_published(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "TESTED", 15)
    write_babi(tmp_path / "deep" / "en", 40, seed=1)
    names = {f"qa{t}_{genre.name}_{p}.txt" for t, genre in TASKS.items() for p in files.PARTS}
    assert {file.name for file in (tmp_path / "deep" / "en").iterdir()} == names
    for name in names:
        questions = read_stories(tmp_path / "deep" / "en" / name)
        assert len(questions) == (15 if name.endswith("_test.txt") else 40)
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["en"]


def test_a_file_depends_on_its_task_part_and_seed_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "TESTED", 30)
    write_babi(tmp_path / "a", 30, seed=1, tasks=(1, 2))
    write_babi(tmp_path / "b", 30, seed=1, tasks=(2,))
    write_babi(tmp_path / "c", 30, seed=2, tasks=(2,))
    train, test = (f"qa2_two-supporting-facts_{part}.txt" for part in files.PARTS)
    assert (tmp_path / "a" / train).read_text() == (tmp_path / "b" / train).read_text()
    assert (tmp_path / "b" / train).read_text() != (tmp_path / "b" / test).read_text()
    assert (tmp_path / "b" / train).read_text() != (tmp_path / "c" / train).read_text()


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    told = []

    def fail(task, questions, random):
        told.append(task)
        if len(told) == 3:
            raise KeyboardInterrupt
        return lines_of(task, 2)

    monkeypatch.setattr(files, "generate", fail)
    with pytest.raises(KeyboardInterrupt):
        write_babi(tmp_path / "en", 10, seed=1, tasks=(1, 2))
    assert told == [1, 1, 2] and list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_left_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not an empty folder"):
        write_babi(tmp_path, 10, seed=1)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("task", "questions", "words"),
    [(0, 5, "task=0: must be one of 1, 2"), (1, 0, "questions=0: must be at least 1")],
)
def test_what_cannot_be_made_is_refused(task, questions, words):
    with pytest.raises(ValueError, match=words):
        lines_of(task, questions)
