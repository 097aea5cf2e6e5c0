"""Tasks 4, 17 and 19: relative positions on a plane."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.story import Question, Story, pick, pick_other, shuffled
from memory.supervised.tasks.babi.generator.world import PLACES

COMPASS = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}
SIDES = {
    "above": (0, 1),
    "below": (0, -1),
    "to the right of": (1, 0),
    "to the left of": (-1, 0),
}
OPPOSITES = {
    **{"north": "south", "south": "north", "east": "west", "west": "east"},
    **{"above": "below", "below": "above"},
    **{"to the right of": "to the left of", "to the left of": "to the right of"},
}
SHAPES = (
    "blue square",
    "pink rectangle",
    "red sphere",
    "red square",
    "triangle",
    "yellow square",
)
ASKED = 8
"""Questions of a story about shapes."""


class Relation(NamedTuple):
    """`one` is `side` of `other`."""

    one: str
    side: str
    other: str

    def turned(self) -> "Relation":
        """The same relation from the other side."""
        return Relation(self.other, OPPOSITES[self.side], self.one)


def two_argument_relations(random: Generator) -> Story:
    """What is north of the office? Three places in a line."""
    story = Story()
    first, middle, last = shuffled(random, PLACES)[:3]
    side = pick(random, tuple(COMPASS))
    facts = in_any_order(random, [Relation(first, side, middle), Relation(middle, side, last)])
    for fact in facts:
        story.add(f"The {fact.one} is {fact.side} of the {fact.other}.")
    number = int(random.random() * 2)
    one, side, other = facts[number]
    if random.random() < 0.5:
        words = f"What is {side} of the {other}?"
    else:
        words = f"What is the {other} {OPPOSITES[side]} of?"
    story.ask(Question(words, one, (number + 1,)))
    return story


def positional_reasoning(random: Generator) -> Story:
    """Is the triangle above the red sphere? The question is about two shapes that touch a third."""
    story = Story()
    one, middle, other = shuffled(random, SHAPES)[:3]
    side = pick(random, tuple(SIDES))
    beyond = pick_other(random, tuple(SIDES), side)
    facts = [
        fact.turned()  # usually about the middle one, unlike relations of places
        for fact in in_any_order(
            random, [Relation(one, side, middle), Relation(other, beyond, middle)]
        )
    ]
    for fact in facts:
        story.add(f"The {fact.one} is {fact.side} the {fact.other}.")
    (x, y), (u, v) = SIDES[side], SIDES[beyond]
    for _ in range(ASKED):
        a, b, dx, dy = (one, other, x - u, y - v)
        if random.random() < 0.5:
            a, b, dx, dy = b, a, -dx, -dy
        truth = random.random() < 0.5
        sides = [s for s, (p, q) in SIDES.items() if (p * dx + q * dy > 0) == truth]
        words = f"Is the {a} {pick(random, sides)} the {b}?"
        supports = (1, 2) if a in (facts[0].one, facts[0].other) else (2, 1)
        story.ask(Question(words, "yes" if truth else "no", supports))
    return story


def path_finding(random: Generator) -> Story:
    """How do you go from the office to the garden? By way of a third place; there are three more.

    Two of those may have the same position, as in the published files.
    """
    story = Story()
    start, middle, end, *others = shuffled(random, PLACES)
    first = pick(random, tuple(COMPASS))
    second = pick_other(random, tuple(COMPASS), OPPOSITES[first])
    relations = [Relation(middle, first, start), Relation(end, second, middle)]
    taken = {(r.other, r.side) for r in (*relations, *(r.turned() for r in relations))}
    free = [spot for spot in product((start, middle, end), COMPASS) if spot not in taken]
    for other, (place, side) in zip(others, shuffled(random, free), strict=False):
        relations.append(Relation(other, side, place))
    lines: dict[frozenset[str], int] = {}
    for fact in in_any_order(random, relations):
        sentence = f"The {fact.one} is {fact.side} of the {fact.other}."
        lines[frozenset((fact.one, fact.other))] = story.add(sentence)
    words = f"How do you go from the {start} to the {end}?"
    supports = (lines[frozenset((start, middle))], lines[frozenset((middle, end))])
    story.ask(Question(words, f"{first[0]},{second[0]}", supports))
    return story


def in_any_order(random: Generator, relations: Iterable[Relation]) -> Sequence[Relation]:
    """Each relation once, about either of the two things.

    Repeatedly picks a thing and one of its neighbours, and states their relation unless it was
    stated before: things at the rim are more likely to come, and to come early.
    """
    of: dict[str, list[Relation]] = {}
    for relation in relations:
        of.setdefault(relation.one, []).append(relation)
        of.setdefault(relation.other, []).append(relation.turned())
    things = tuple(of)
    said: list[Relation] = []
    while 2 * len(said) < sum(map(len, of.values())):
        relation = pick(random, of[pick(random, things)])
        if relation not in said and relation.turned() not in said:
            said.append(relation)
    return said
