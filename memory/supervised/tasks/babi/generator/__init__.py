"""Generator of the bAbI tasks: any number of questions, in the format of the published files.

Source: Weston et al., "Towards AI-complete question answering" (2015), section 3. Names, wordings,
rules and probabilities were estimated from the published files (version 1.2), so that stories,
questions, answers and supporting facts have the same distribution. (The program that was published
later, facebookarchive/bAbI-tasks, is a rewrite and has other rules.)

Differs from the published files: no question of task 5 has two answers ("What did Fred give to
Jeff?", who was given two things), and no "either" of task 10 names the same place twice.
"""

from collections.abc import Callable
from typing import NamedTuple

from numpy.random import Generator

from memory.options import positive
from memory.supervised.tasks.babi.generator import (
    animals,
    belongings,
    hints,
    motives,
    pronouns,
    relations,
    sizes,
    times,
    whereabouts,
)
from memory.supervised.tasks.babi.generator.story import Story


class Genre(NamedTuple):
    """One task: its published name, and a function that generates a story."""

    name: str
    generate: Callable[[Generator], Story]


TASKS: dict[int, Genre] = {
    1: Genre("single-supporting-fact", whereabouts.single_supporting_fact),
    2: Genre("two-supporting-facts", belongings.two_supporting_facts),
    3: Genre("three-supporting-facts", belongings.three_supporting_facts),
    4: Genre("two-arg-relations", relations.two_argument_relations),
    5: Genre("three-arg-relations", belongings.three_argument_relations),
    6: Genre("yes-no-questions", whereabouts.yes_no_questions),
    7: Genre("counting", belongings.counting),
    8: Genre("lists-sets", belongings.lists),
    9: Genre("simple-negation", hints.simple_negation),
    10: Genre("indefinite-knowledge", hints.indefinite_knowledge),
    11: Genre("basic-coreference", pronouns.basic_coreference),
    12: Genre("conjunction", pronouns.conjunction),
    13: Genre("compound-coreference", pronouns.compound_coreference),
    14: Genre("time-reasoning", times.time_reasoning),
    15: Genre("basic-deduction", animals.basic_deduction),
    16: Genre("basic-induction", animals.basic_induction),
    17: Genre("positional-reasoning", relations.positional_reasoning),
    18: Genre("size-reasoning", sizes.size_reasoning),
    19: Genre("path-finding", relations.path_finding),
    20: Genre("agents-motivations", motives.agents_motivations),
}
"""Tasks by number."""


def generate(task: int, questions: int, random: Generator) -> list[str]:
    """The lines of a file with this many questions; its last story ends with the last of them.

    Raises:
        ValueError: the task does not exist, or the number of questions is not positive.
    """
    if task not in TASKS:
        raise ValueError(f"task={task}: must be one of {', '.join(map(str, TASKS))}")
    positive(questions=questions)
    lines: list[str] = []
    while questions:
        for line in TASKS[task].generate(random).lines:
            lines.append(line)
            questions -= "\t" in line
            if not questions:
                break
    return lines
