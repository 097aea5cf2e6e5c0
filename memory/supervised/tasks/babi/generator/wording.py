"""How events are told. Every wording of an event is alike likely."""

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.story import pick
from memory.supervised.tasks.babi.generator.world import Event

MOVES = ("journeyed", "moved", "travelled", "went", "went back")
TAKES = ("got", "grabbed", "picked up", "took")
DROPS = ("discarded", "dropped", "left", "put down")
GIVES = ("gave", "handed", "passed")

SOMETIMES = 0.2
"""How often "there" is added, where it is neither always nor never."""


def move_to(random: Generator, who: str, place: str) -> str:
    """Somebody, or several, go to a place."""
    return f"{who} {pick(random, MOVES)} to the {place}."


def take(random: Generator, who: str, thing: str, there: float = 1.0) -> str:
    """Somebody takes a thing.

    Args:
        there: how often it is said that it lay there.
    """
    return f"{who} {pick(random, TAKES)} the {thing}{_there(random, there)}."


def tell(random: Generator, event: Event, take_there: float = 1.0) -> str:
    """Any event."""
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
