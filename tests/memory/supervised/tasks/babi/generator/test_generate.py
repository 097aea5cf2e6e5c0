import numpy as np
import pytest

from memory.supervised.tasks.babi.generator import TASKS, generate
from memory.supervised.tasks.babi.stories import questions_of

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


@tasks
def test_they_are_read_like_lines_of_the_published_files(task):
    assert len(questions_of("lines", lines_of(task, 40))) == 40


@pytest.mark.parametrize(
    ("task", "questions", "words"),
    [(0, 5, "task=0: must be one of 1, 2"), (1, 0, "questions=0: must be at least 1")],
)
def test_what_cannot_be_made_is_refused(task, questions, words):
    with pytest.raises(ValueError, match=words):
        lines_of(task, questions)
