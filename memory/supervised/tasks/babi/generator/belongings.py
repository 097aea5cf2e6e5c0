"""Tasks 2, 3, 5, 7 and 8: who has what, and where it is.

A question is about the thing, the carrier or the giver of an event in which a thing changes hands.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.rounds import tell_in_rounds
from memory.supervised.tasks.babi.generator.story import Question, Story, pick
from memory.supervised.tasks.babi.generator.wording import SOMETIMES
from memory.supervised.tasks.babi.generator.world import ACTORS, Event, Kind

GIVERS = ("Mary", "Fred", "Bill", "Jeff")
ALONE: tuple[Kind, ...] = ("move", "take", "drop")
TOGETHER: tuple[Kind, ...] = (*ALONE, "give")
LATER = 1.25
"""Ratio of the probabilities of a question about a stop and about the stop before."""
COUNTS = ("none", "one", "two", "three")


def two_supporting_facts(random: Generator) -> Story:
    """Where is the milk? Dropped there, or carried there."""
    return tell_in_rounds(random, ACTORS, ALONE, _where_is)


def three_supporting_facts(random: Generator) -> Story:
    """Where was the milk before the office? Carried there, then here."""
    return tell_in_rounds(random, ACTORS, ALONE, _where_was, take_there=SOMETIMES)


def three_argument_relations(random: Generator) -> Story:
    """Who gave what to whom?"""
    return tell_in_rounds(random, GIVERS, TOGETHER, _who_gave)


def counting(random: Generator) -> Story:
    """How many objects is Mary carrying?"""
    return tell_in_rounds(random, ACTORS, TOGETHER, _how_many)


def lists(random: Generator) -> Story:
    """What is Mary carrying?"""
    return tell_in_rounds(random, ACTORS, ALONE, _what)


def _where_is(random: Generator, about: Event, history: Sequence[Event]) -> Question | None:
    if about.kind == "move":
        return None
    last = next(_of_thing(about.what, history))
    moves = _moves(last.actor, history)
    wanted = (e for e in moves if (e.line > last.line) == (last.kind == "take"))
    move = next(wanted, None)
    if move is None:
        return None
    return Question(f"Where is the {about.what}? ", move.what, (last.line, move.line))


def _where_was(random: Generator, about: Event, history: Sequence[Event]) -> Question | None:
    if about.kind == "move":
        return None
    changes = _of_thing(about.what, history)
    last = next(changes)
    taken = next(changes) if last.kind == "drop" else last
    since = takewhile(lambda event: event is not taken, reversed(history))
    end = last.line if last.kind == "drop" else history[-1].line + 1
    way = [e for e in since if e.kind == "move" and e.actor == taken.actor and e.line < end][::-1]
    if len(way) < 2:
        return None
    stop = _stop(random, [e.what for e in way])
    here, before = way[stop], way[stop - 1]
    words = f"Where was the {about.what} before the {here.what}? "
    return Question(words, before.what, (last.line, here.line, before.line))


def _stop(random: Generator, places: Sequence[str]) -> int:
    """Last index of a random stop other than the first; later stops are more probable."""
    last = {place: stop for stop, place in enumerate(places)}
    stops = [last[place] for place in places]
    weights = [LATER**i if stop else 0.0 for i, stop in enumerate(stops)]
    left = random.random() * sum(weights)
    for stop, weight in zip(stops, weights, strict=True):
        left -= weight
        if left < 0:
            return stop
    return stops[-1]


def _who_gave(random: Generator, about: Event, history: Sequence[Event]) -> Question | None:
    if about.kind != "give":
        return None
    last = next(e for e in _of_thing(about.what, history) if e.kind == "give")
    giver, thing, receiver = last.actor, last.what, last.receiver
    again = (
        e for e in history if e.line > last.line and (e.actor, e.receiver) == (giver, receiver)
    )
    if next(again, None):  # "What did he give to her?" would have two answers
        return None
    words, answer = pick(
        random,
        (
            (f"What did {giver} give to {receiver}? ", thing),
            (f"What did {giver} give to {receiver}? ", thing),
            (f"Who gave the {thing}? ", giver),
            (f"Who gave the {thing} to {receiver}? ", giver),
            (f"Who received the {thing}? ", receiver),
            (f"Who did {giver} give the {thing} to? ", receiver),
        ),
    )
    return Question(words, answer, (last.line,))


def _how_many(random: Generator, about: Event, history: Sequence[Event]) -> Question | None:
    if about.kind == "move":
        return None
    who = about.actor
    count, supports = 0, list[int]()
    for event in history:
        if event.kind == "move" or who not in (event.actor, event.receiver):
            continue
        count += 1 if event.kind == "take" or event.receiver == who else -1
        supports.append(event.line)
    return Question(f"How many objects is {who} carrying? ", COUNTS[count], tuple(supports))


def _what(random: Generator, about: Event, history: Sequence[Event]) -> Question | None:
    if about.kind == "move":
        return None
    things: dict[str, list[Event]] = {}
    for event in history:
        if event.actor == about.actor and event.kind != "move":
            things.setdefault(event.what, []).append(event)
    carried = [thing for thing, events in things.items() if events[-1].kind == "take"]
    supports = tuple(event.line for events in things.values() for event in events)
    words = f"What is {about.actor} carrying? "
    return Question(words, ",".join(carried) or "nothing", supports)


def _of_thing(thing: str, history: Sequence[Event]) -> Iterator[Event]:
    """Events in which a thing changed hands, the last first."""
    return (e for e in reversed(history) if e.what == thing)


def _moves(actor: str, history: Sequence[Event]) -> Iterator[Event]:
    """Moves of an actor, the last first."""
    return (e for e in reversed(history) if e.kind == "move" and e.actor == actor)
