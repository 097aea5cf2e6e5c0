"""Answers to questions, worked out from the text of the facts alone."""

import re
from collections.abc import Callable, Sequence

from tests.memory.supervised.babi_generator.read_events import Reader, place_before

COUNTS = ("none", "one", "two", "three")


def where(facts: Sequence[str], question: str) -> str:
    """Where is Mary? Where is the milk?"""
    who = words(r"Where is (?:the )?(\w+)\? ", question)[0]
    return Reader(facts).ways[who][-1]


def where_before(facts: Sequence[str], question: str) -> str:
    """Where was the milk before the office?"""
    thing, place = words(r"Where was the (\w+) before the (\w+)\? ", question)
    return place_before(Reader(facts).ways[thing], place)


def who_gave(facts: Sequence[str], question: str) -> str:
    """The last gift that fits has the answer."""
    forms = {
        r"What did (?P<giver>\w+) give to (?P<receiver>\w+)\? ": "thing",
        r"Who gave the (?P<thing>\w+)\? ": "giver",
        r"Who gave the (?P<thing>\w+) to (?P<receiver>\w+)\? ": "giver",
        r"Who received the (?P<thing>\w+)\? ": "receiver",
        r"Who did (?P<giver>\w+) give the (?P<thing>\w+) to\? ": "receiver",
    }
    for form, wanted in forms.items():
        if match := re.fullmatch(form, question):
            given = match.groupdict().items()
            return [g for g in Reader(facts).gifts if given <= g.items()][-1][wanted]
    raise AssertionError(f"no such question: {question!r}")


def is_there(facts: Sequence[str], question: str) -> str:
    """Is Mary in the office?"""
    who, place = words(r"Is (\w+) in the (\w+)\? ", question)
    return "yes" if Reader(facts).ways[who][-1] == place else "no"


def how_many(facts: Sequence[str], question: str) -> str:
    """How many objects is Mary carrying?"""
    who = words(r"How many objects is (\w+) carrying\? ", question)[0]
    return COUNTS[len(Reader(facts).carried[who])]


def what(facts: Sequence[str], question: str) -> str:
    """What is Mary carrying? In the order in which she first took the things."""
    who = words(r"What is (\w+) carrying\? ", question)[0]
    own = Reader(fact for fact in facts if fact.startswith(who))
    return ",".join(sorted(own.carried[who], key=own.taken.index)) or "nothing"


def words(form: str, sentence: str) -> tuple[str, ...]:
    """The words that a sentence of this form has in the places left open."""
    match = re.fullmatch(form, sentence)
    assert match, f"not {form!r}: {sentence!r}"
    return match.groups()


SOLVERS: dict[int, Callable[[Sequence[str], str], str]] = {
    1: where,
    2: where,
    3: where_before,
    5: who_gave,
    6: is_there,
    7: how_many,
    8: what,
}
