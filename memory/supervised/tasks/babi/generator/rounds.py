"""Stories told in rounds: two facts, then a question about one of the last five, if it can be."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.story import Question, Story, shuffled
from memory.supervised.tasks.babi.generator.wording import tell
from memory.supervised.tasks.babi.generator.world import Event, Kind, World

QUESTIONS = 5
"""Of a story."""
WINDOW = 5
"""Facts that a question may be about: the last ones."""

Fact = TypeVar("Fact")
Ask = Callable[[Generator, Fact, Sequence[Fact]], Question | None]
"""Makes a question about a fact, given all that was told; None where none is to be made of it."""


def ask_about_recent(random: Generator, story: Story, told: Sequence[Fact], ask: Ask[Fact]) -> None:
    """Ask about one of the last facts, any of those that make a question; nothing if none does.

    Whoever was spoken of often of late is therefore asked about often.
    """
    for fact in shuffled(random, told[-WINDOW:]):
        question = ask(random, fact, told)
        if question is not None:
            story.ask(question)
            return


def tell_in_rounds(
    random: Generator,
    actors: Sequence[str],
    kinds: Sequence[Kind],
    ask: Ask[Event],
    take_there: float = 1.0,
) -> Story:
    """A story of what happens in the world.

    Args:
        kinds: of events; one that stands here twice is tried twice as often.
        take_there: how often "there" ends a sentence in which a thing is taken.
    """
    story, world = Story(), World(random, actors)
    told: list[Event] = []
    while story.questions < QUESTIONS:
        for _ in range(2):
            event = world.happen(kinds)
            told.append(event._replace(line=story.tell(tell(random, event, take_there))))
        ask_about_recent(random, story, told, ask)
    return story
