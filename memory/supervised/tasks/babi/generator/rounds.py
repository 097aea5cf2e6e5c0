"""Stories in rounds: two facts, then a question about one of the last five, if possible."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.story import Question, Story, shuffled
from memory.supervised.tasks.babi.generator.wording import describe
from memory.supervised.tasks.babi.generator.world import Event, Kind, World

QUESTIONS = 5
"""Questions of a story."""
WINDOW = 5
"""Number of last facts that a question may be about."""

Fact = TypeVar("Fact")
Ask = Callable[[Generator, Fact, Sequence[Fact]], Question | None]
"""Makes a question about a fact, given all facts so far; None if there is none."""


def ask_about_recent(
    random: Generator, story: Story, history: Sequence[Fact], ask: Ask[Fact]
) -> None:
    """Ask about a random one of the last facts that allow a question; ask nothing if none does.

    Actors of many recent facts are therefore in more questions.
    """
    for fact in shuffled(random, history[-WINDOW:]):
        question = ask(random, fact, history)
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
    """A story of events in a world.

    Args:
        kinds: kinds of events; one that is listed twice is tried twice as often.
        take_there: probability that a sentence about taking a thing ends with "there".
    """
    story, world = Story(), World(random, actors)
    history: list[Event] = []
    while story.questions < QUESTIONS:
        for _ in range(2):
            event = world.happen(kinds)
            history.append(event._replace(line=story.add(describe(random, event, take_there))))
        ask_about_recent(random, story, history, ask)
    return story
