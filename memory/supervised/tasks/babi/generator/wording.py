"""Sentences for events. All wordings of an event are equally likely."""

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.story import pick
from memory.supervised.tasks.babi.generator.world import Event

MOVES = ("journeyed", "moved", "travelled", "went", "went back")
TAKES = ("got", "grabbed", "picked up", "took")
DROPS = ("discarded", "dropped", "left", "put down")
GIVES = ("gave", "handed", "passed")

SOMETIMES = 0.2
"""Probability of "there" where it is neither always nor never added."""


def move_to(random: Generator, who: str, place: str) -> str:
    """One or several actors go to a place."""
    return f"{who} {pick(random, MOVES)} to the {place}."


def take(random: Generator, who: str, thing: str, there: float = 1.0) -> str:
    """An actor takes a thing.

    Args:
        there: probability that the sentence ends with "there".
    """
    return f"{who} {pick(random, TAKES)} the {thing}{_there(random, there)}."


def describe(random: Generator, event: Event, take_there: float = 1.0) -> str:
    """The sentence for an event."""
    who, what = event.actor, event.what
    match event.kind:
        case "move":
            return move_to(random, who, what)
        case "take":
            return take(random, who, what, take_there)
        case "drop":
            return f"{who} {pick(random, DROPS)} the {what}{_there(random, SOMETIMES)}."
        case "give":
            return f"{who} {pick(random, GIVES)} the {what} to {event.receiver}."


def _there(random: Generator, chance: float) -> str:
    return " there" if random.random() < chance else ""
