"""Tasks 9 and 10: where somebody is not, or may be.

Actors move from place to place. Half of the sentences state the move, the others state where the
actor now is, is no longer, or may be.

Differs from the published files: one "either" in six names the same place twice there.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.rounds import QUESTIONS, Ask, ask_about_recent
from memory.supervised.tasks.babi.generator.story import Question, Story, pick, pick_other
from memory.supervised.tasks.babi.generator.wording import move_to
from memory.supervised.tasks.babi.generator.world import ACTORS, PLACES

FRIENDS = ("Bill", "Fred", "Julie", "Mary")
TOWN = ("bedroom", "cinema", "kitchen", "office", "park", "school")


class Hint(NamedTuple):
    """Information about an actor: at one of these places, or not at this one."""

    actor: str
    places: tuple[str, ...]
    there: bool
    line: int = 0


def simple_negation(random: Generator) -> Story:
    """Is Mary in the office? She is no longer there."""
    return _tell(random, ACTORS, PLACES, _negation, _whether_not)


def indefinite_knowledge(random: Generator) -> Story:
    """Is Mary in the office? She is either there or in the park."""
    return _tell(random, FRIENDS, TOWN, _alternative, _whether_maybe)


def _tell(
    random: Generator,
    actors: Sequence[str],
    places: Sequence[str],
    other: Callable[[Generator, str, str, str], tuple[Hint, str]],
    ask: Ask[Hint],
) -> Story:
    """Rounds of two moves and a question; a quarter of the moves is worded by `other`."""
    story = Story()
    where = {actor: pick(random, places) for actor in actors}
    history: list[Hint] = []
    while story.questions < QUESTIONS:
        for _ in range(2):
            actor = pick(random, actors)
            before, now = where[actor], pick_other(random, places, where[actor])
            where[actor] = now
            hint = Hint(actor, (now,), True)
            if random.random() < 0.5:
                sentence = move_to(random, actor, now)
            elif random.random() < 0.5:
                sentence = f"{actor} is in the {now}."
            else:
                hint, sentence = other(random, actor, before, now)
            history.append(hint._replace(line=story.add(sentence)))
        ask_about_recent(random, story, history, ask)
    return story


def _negation(random: Generator, actor: str, before: str, now: str) -> tuple[Hint, str]:
    no = pick(random, ("no longer", "not"))
    return Hint(actor, (before,), False), f"{actor} is {no} in the {before}."


def _alternative(random: Generator, actor: str, before: str, now: str) -> tuple[Hint, str]:
    places = (now, pick_other(random, TOWN, now))
    one, other = places if random.random() < 0.5 else places[::-1]
    return Hint(actor, places, True), f"{actor} is either in the {one} or the {other}."


def _whether_not(random: Generator, about: Hint, history: Sequence[Hint]) -> Question:
    hint = _last(about.actor, history)
    place = hint.places[0]
    truth = hint.there
    if truth and random.random() < 0.5:
        place, truth = pick_other(random, PLACES, place), False
    return Question(f"Is {about.actor} in the {place}? ", "yes" if truth else "no", (hint.line,))


def _whether_maybe(random: Generator, about: Hint, history: Sequence[Hint]) -> Question:
    hint = _last(about.actor, history)
    place = hint.places[0]
    if random.random() < 0.5:
        place = pick_other(random, TOWN, place)
    known = "yes" if len(hint.places) == 1 else "maybe"
    answer = known if place in hint.places else "no"
    return Question(f"Is {about.actor} in the {place}? ", answer, (hint.line,))


def _last(actor: str, history: Sequence[Hint]) -> Hint:
    return next(hint for hint in reversed(history) if hint.actor == actor)
