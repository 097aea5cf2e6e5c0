"""Tasks 1 and 6: the place of an actor, by name or as yes and no."""

from collections.abc import Sequence

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.rounds import tell_in_rounds
from memory.supervised.tasks.babi.generator.story import Question, Story, pick_other
from memory.supervised.tasks.babi.generator.world import ACTORS, PLACES, Event


def single_supporting_fact(random: Generator) -> Story:
    """Where is Mary?"""
    return tell_in_rounds(random, ACTORS, ("move",), _where)


def yes_no_questions(random: Generator) -> Story:
    """Is Mary in the office?"""
    return tell_in_rounds(random, ACTORS, ("move", "take", "drop"), _whether)


def _where(random: Generator, about: Event, history: Sequence[Event]) -> Question | None:
    move = _last_move(about, history)
    return Question(f"Where is {about.actor}? ", move.what, (move.line,))


def _whether(random: Generator, about: Event, history: Sequence[Event]) -> Question | None:
    if about.kind != "move":
        return None
    move = _last_move(about, history)
    truth = random.random() < 0.5
    place = move.what if truth else pick_other(random, PLACES, move.what)
    return Question(f"Is {about.actor} in the {place}? ", "yes" if truth else "no", (move.line,))


def _last_move(about: Event, history: Sequence[Event]) -> Event:
    return next(e for e in reversed(history) if e.kind == "move" and e.actor == about.actor)
