"""Task 14: earlier places, with moves in another order than in time.

The first move of each actor is yesterday; the next are this morning, this afternoon, this evening.
"""

from collections.abc import Sequence
from typing import NamedTuple

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.hints import FRIENDS, TOWN
from memory.supervised.tasks.babi.generator.rounds import QUESTIONS, WINDOW
from memory.supervised.tasks.babi.generator.story import Question, Story, cycled, pick
from memory.supervised.tasks.babi.generator.wording import MOVES

TIMES = ("yesterday", "this morning", "this afternoon", "this evening")


class Visit(NamedTuple):
    """An actor came to a place at one of the times."""

    actor: str
    time: int
    place: str


def time_reasoning(random: Generator) -> Story:
    """Where was Mary before the office?"""
    story = Story()
    visits: list[Visit] = []
    lines: dict[Visit, int] = {}
    while story.questions < QUESTIONS:
        visits += [_next(random, visits)]
        visits += [_next(random, visits)]
        last = [_last_there(about, visits) for about in visits[-WINDOW:]]
        later = [visit for visit in last if visit.time > 0]
        if not later:
            continue
        for visit in cycled(random, visits[len(lines) :]):
            lines[visit] = story.add(_sentence(random, visit))
        here = pick(random, later)
        before = next(v for v in visits if (v.actor, v.time) == (here.actor, here.time - 1))
        words = f"Where was {here.actor} before the {here.place}? "
        story.ask(Question(words, before.place, (lines[here], lines[before])))
    return story


def _next(random: Generator, visits: Sequence[Visit]) -> Visit:
    """The next move of a random actor, to another place."""
    ways = {actor: [v.place for v in visits if v.actor == actor] for actor in FRIENDS}
    actor = pick(random, [actor for actor, way in ways.items() if len(way) < len(TIMES)])
    way = ways[actor]
    return Visit(actor, len(way), pick(random, [place for place in TOWN if place not in way[-1:]]))


def _last_there(about: Visit, visits: Sequence[Visit]) -> Visit:
    """The last visit of this actor to this place, which a question refers to."""
    return [v for v in visits if (v.actor, v.place) == (about.actor, about.place)][-1]


def _sentence(random: Generator, visit: Visit) -> str:
    move, time = f"{visit.actor} {pick(random, MOVES)} to the {visit.place}", TIMES[visit.time]
    if random.random() < 0.5:
        return f"{move} {time}."
    return f"{time.capitalize()} {move}."
