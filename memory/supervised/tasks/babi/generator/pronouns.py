"""Tasks 11, 12 and 13: people named together, or not named again."""

from collections.abc import Sequence
from typing import NamedTuple

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.rounds import QUESTIONS, ask_about_recent
from memory.supervised.tasks.babi.generator.story import Question, Story, pick, pick_other, shuffled
from memory.supervised.tasks.babi.generator.wording import move_to
from memory.supervised.tasks.babi.generator.world import ACTORS, PLACES

PRONOUNS = {"Daniel": "he", "John": "he", "Mary": "she", "Sandra": "she"}
ADVERBS = ("After that", "Afterwards", "Following that", "Then")


class Arrival(NamedTuple):
    """An actor came to a place; the last line states it, the others name the actor."""

    actor: str
    place: str
    lines: tuple[int, ...]


def basic_coreference(random: Generator) -> Story:
    """Mary went to the office. Then she went to the garden."""
    return _tell(random, together=1, again=True)


def conjunction(random: Generator) -> Story:
    """Mary and John went to the office."""
    return _tell(random, together=2, again=False)


def compound_coreference(random: Generator) -> Story:
    """Mary and John went to the office. Then they went to the garden."""
    return _tell(random, together=2, again=True)


def _tell(random: Generator, together: int, again: bool) -> Story:
    """Rounds of two sentences about `together` people each; with `again`, about the same people."""
    story = Story()
    where = {actor: pick(random, PLACES) for actor in ACTORS}
    history: list[Arrival] = []

    def arrive(actors: Sequence[str], place: str, lines: tuple[int, ...]) -> None:
        where.update(dict.fromkeys(actors, place))
        history.extend(Arrival(actor, place, lines) for actor in actors)

    while story.questions < QUESTIONS:
        for _ in range(1 if again else 2):
            actors, place = _leave(random, where, together)
            line = story.add(move_to(random, " and ".join(actors), place))
            arrive(actors, place, (line,))
            if again:
                place = pick_other(random, PLACES, place)
                pronoun = "they" if together > 1 else PRONOUNS[actors[0]]
                sentence = move_to(random, f"{pick(random, ADVERBS)} {pronoun}", place)
                arrive(actors, place, (line, story.add(sentence)))
        ask_about_recent(random, story, history, _where)
    return story


def _leave(random: Generator, where: dict[str, str], together: int) -> tuple[tuple[str, ...], str]:
    """A group of `together` people, and a place where none of them is."""
    while True:
        actors, place = tuple(shuffled(random, ACTORS)[:together]), pick(random, PLACES)
        if all(where[actor] != place for actor in actors):
            return actors, place


def _where(random: Generator, about: Arrival, history: Sequence[Arrival]) -> Question:
    last = next(arrival for arrival in reversed(history) if arrival.actor == about.actor)
    return Question(f"Where is {about.actor}? ", last.place, last.lines)
