"""Answers about what lies where, is how large or of what kind, worked out from the text alone."""

import re
from collections.abc import Sequence

from tests.memory.supervised.tasks.babi.generator.lines import words

STEPS = {
    **{"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)},
    **{"above": (0, 1), "below": (0, -1), "right": (1, 0), "left": (-1, 0)},
}
PLURALS = {"mice": "mouse", "sheep": "sheep", "wolves": "wolf", "cats": "cat"}
TOLD_OF_SIZES = (r"The (.+) fits inside the (.+)\.", r"The (.+) is bigger than the (.+)\.")
ASKED_OF_SIZES = (r"Does the (.+) fit in the (.+)\?", r"Is the (.+) bigger than the (.+)\?")

Place = tuple[int, int]


def what_lies(facts: Sequence[str], question: str) -> str:
    """What is north of the office? What is the office north of?"""
    if match := re.fullmatch(r"What is (\w+) of the (\w+)\?", question):
        side, place = match.groups()
    else:
        place, side = words(r"What is the (\w+) (\w+) of\?", question)
        side = {"north": "south", "south": "north", "east": "west", "west": "east"}[side]
    return neighbours(facts)[place][STEPS[side]]


def path(facts: Sequence[str], question: str) -> str:
    """How do you go from the office to the garden? The first of the shortest ways."""
    start, end = words(r"How do you go from the (\w+) to the (\w+)\?", question)
    near = neighbours(facts)
    letters = {step: name[0] for name, step in reversed(STEPS.items())}
    ways: dict[str, list[str]] = {start: []}
    reached = [start]
    for place in reached:  # grows meanwhile
        for step, other in near[place].items():
            if other not in ways:
                ways[other] = [*ways[place], letters[step]]
                reached.append(other)
    return ",".join(ways[end])


def neighbours(facts: Sequence[str]) -> dict[str, dict[Place, str]]:
    """What lies one step off everything, as far as told."""
    near: dict[str, dict[Place, str]] = {}
    for fact in facts:
        one, side, other = words(r"The (.+?) is (?:to the )?(\w+)(?: of)? the (.+)\.", fact)
        x, y = STEPS[side]
        near.setdefault(other, {})[x, y] = one
        near.setdefault(one, {})[-x, -y] = other
    return near


def is_side(facts: Sequence[str], question: str) -> str:
    """Is the triangle above the red sphere? By coordinates."""
    one, side, other = words(r"Is the (.+?) (?:to the )?(\w+)(?: of)? the (.+)\?", question)
    near = neighbours(facts)
    at: dict[str, Place] = {other: (0, 0)}
    for _ in facts:
        for thing, (x, y) in list(at.items()):
            at |= {b: (x + dx, y + dy) for (dx, dy), b in near[thing].items() if b not in at}
    (x, y), (dx, dy) = at[one], STEPS[side]
    return "yes" if x * dx + y * dy > 0 else "no"


def is_larger(facts: Sequence[str], question: str) -> str:
    """Is the chest bigger than the box? Does the box fit in the chest?"""
    large, small = said_of_sizes(ASKED_OF_SIZES, question)
    told = [said_of_sizes(TOLD_OF_SIZES, fact) for fact in facts]

    def below(thing: str) -> set[str]:
        return {s for a, b in told if a == thing for s in (b, *below(b))}

    assert (small in below(large)) != (large in below(small))
    return "yes" if small in below(large) else "no"


def said_of_sizes(forms: tuple[str, str], sentence: str) -> tuple[str, str]:
    """The thing said to be larger, and the one said to be smaller."""
    fits, bigger = forms
    if match := re.fullmatch(fits, sentence):
        return match[2], match[1]
    large, small = words(bigger, sentence)
    return large, small


def afraid_of(facts: Sequence[str], question: str) -> str:
    """What is Gertrude afraid of?"""
    who = words(r"What is (\w+) afraid of\?", question)[0]
    kinds = {name.lower(): kind for name, kind in pairs_of(r"(\w+) is a (\w+)\.", facts)}
    fears = dict(pairs_of(r"(\w+) are afraid of (\w+)\.", facts))
    return next(PLURALS[f] for s, f in fears.items() if PLURALS[s.lower()] == kinds[who])


def colour(facts: Sequence[str], question: str) -> str:
    """What color is Lily? That of the other of her kind who was introduced last."""
    who = words(r"What color is (\w+)\?", question)[0]
    kinds = dict(pairs_of(r"(\w+) is a (\w+)\.", facts))
    colours = dict(pairs_of(r"(\w+) is (?!a )(\w+)\.", facts))
    return [colours[name] for name, kind in kinds.items() if kind == kinds[who] and name != who][-1]


def pairs_of(form: str, facts: Sequence[str]) -> list[tuple[str, str]]:
    """The two words left open, in every fact of this form."""
    return [(one, other) for one, other in all_of(form, facts)]


def all_of(form: str, facts: Sequence[str]) -> list[tuple[str, ...]]:
    """The words left open, in every fact of this form."""
    return [match.groups() for fact in facts if (match := re.fullmatch(form, fact))]
