"""The bAbI tasks made anew: as many questions as wanted, in the format of the published files.

Source: Weston et al., "Towards AI-complete question answering" (2015), section 3. Names, wordings
and rules are those of the published files (version 1.2), found from the files themselves, so that
stories, questions, answers and supporting facts have the same distribution: two facts are told,
then one of the last five is asked about if that can be answered, and so on for five questions.

Differs from the published files: where a question would have two answers ("What did Fred give to
Jeff?", who was given two things) it is not asked.
"""

from collections.abc import Callable
from typing import NamedTuple

from numpy.random import Generator

from memory.options import positive
from memory.supervised.babi_generator import (
    belongings,
    whereabouts,
)
from memory.supervised.babi_generator.story import Story


class Genre(NamedTuple):
    """Stories of one task: its published name, and what tells one."""

    name: str
    tell: Callable[[Generator], Story]


TASKS: dict[int, Genre] = {
    1: Genre("single-supporting-fact", whereabouts.single_supporting_fact),
    2: Genre("two-supporting-facts", belongings.two_supporting_facts),
    3: Genre("three-supporting-facts", belongings.three_supporting_facts),
    5: Genre("three-arg-relations", belongings.three_argument_relations),
    6: Genre("yes-no-questions", whereabouts.yes_no_questions),
    7: Genre("counting", belongings.counting),
    8: Genre("lists-sets", belongings.lists),
}
"""By number."""


def generate(task: int, questions: int, random: Generator) -> list[str]:
    """The lines of a file with this many questions; its last story ends with the last of them.

    Raises:
        ValueError: there is no such task, or no questions are wanted.
    """
    if task not in TASKS:
        raise ValueError(f"task={task}: must be one of {', '.join(map(str, TASKS))}")
    positive(questions=questions)
    lines: list[str] = []
    while questions:
        for line in TASKS[task].tell(random).lines:
            lines.append(line)
            questions -= "\t" in line
            if not questions:
                break
    return lines
