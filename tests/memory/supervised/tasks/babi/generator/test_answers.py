import numpy as np
import pytest

from memory.supervised.tasks.babi.generator import TASKS, generate
from tests.memory.supervised.tasks.babi.generator.lines import asked, stories_of
from tests.memory.supervised.tasks.babi.generator.published import published
from tests.memory.supervised.tasks.babi.generator.solvers import SOLVERS

QUESTIONS = 200
tasks = pytest.mark.parametrize("task", TASKS)


@pytest.fixture(scope="module")
def stories():
    random = np.random.default_rng(5)
    return {task: stories_of(generate(task, QUESTIONS, random)) for task in TASKS}


def test_every_task_has_a_solver():
    assert set(SOLVERS) == set(TASKS)


@tasks
def test_answers_follow_from_the_facts(stories, task):
    for story in stories[task]:
        for facts, question in asked(story):
            told = [fact.text for fact in facts]
            assert SOLVERS[task](told, question.text) == question.answer, [*told, question]


@tasks
def test_answers_follow_from_the_supporting_facts_alone(stories, task):
    for story in stories[task]:
        for facts, question in asked(story):
            told = [fact.text for fact in facts if fact.number in question.supports]
            assert SOLVERS[task](told, question.text) == question.answer, [*told, question]


@tasks
def test_supporting_facts_are_facts_told_before_the_question(stories, task):
    for story in stories[task]:
        for facts, question in asked(story):
            numbers = question.supports
            assert set(numbers) <= {fact.number for fact in facts}
            assert len(set(numbers)) == len(numbers) > 0


@tasks
def test_the_solvers_agree_with_the_published_answers(task):
    wrong = total = 0
    for story in stories_of(published(task))[:500]:
        for facts, question in asked(story):
            told = [fact.text for fact in facts]
            wrong += SOLVERS[task](told, question.text) != question.answer
            total += 1
    assert wrong <= 0.005 * total
