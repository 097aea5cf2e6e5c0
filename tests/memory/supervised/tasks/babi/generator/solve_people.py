"""Answers about people who move and handle things, worked out from the text alone."""

import re
from collections.abc import Sequence

from tests.memory.supervised.tasks.babi.generator.lines import words
from tests.memory.supervised.tasks.babi.generator.read_events import Reader, place_before

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


def is_there_perhaps(facts: Sequence[str], question: str) -> str:
    """Is Mary in the office? By the last that was said of her."""
    who, place = words(r"Is (\w+) in the (\w+)\? ", question)
    last = [fact for fact in facts if fact.split()[0] == who][-1]
    if match := re.fullmatch(r"\w+ is either in the (\w+) or the (\w+)\.", last):
        return "maybe" if place in match.groups() else "no"
    if match := re.fullmatch(r"\w+ is (?:not|no longer) in the (\w+)\.", last):
        return "no" if place == match[1] else "maybe"
    if match := re.fullmatch(r"\w+ is in the (\w+)\.", last):
        return "yes" if place == match[1] else "no"
    return is_there([last], question)


def where_before_in_time(facts: Sequence[str], question: str) -> str:
    """Where was Mary before the office?"""
    who, place = words(r"Where was (\w+) before the (\w+)\? ", question)
    times = ("yesterday", "this morning", "this afternoon", "this evening")
    told = rf"(?:({'|'.join(times)}) )?{who} .* to the (\w+)(?: ({'|'.join(times)}))?\."
    at: dict[int, str] = {}
    for fact in facts:
        if match := re.fullmatch(told, fact, re.IGNORECASE):
            at[times.index((match[1] or match[3]).lower())] = match[2]
    return place_before([at[time] for time in sorted(at)], place)


MOODS = {"bored": "garden", "hungry": "kitchen", "thirsty": "kitchen", "tired": "bedroom"}


def why(facts: Sequence[str], question: str) -> str:
    """Where will Jason go? Why did he go there, or get that?"""
    form = r"(Where|Why) (?:will|did) (\w+) (?:go|go to the \w+|get the \w+)\?"
    asked, who = words(form, question)
    said = [match for fact in facts if (match := re.fullmatch(r"(\w+) is (\w+)\.", fact))]
    mood = {match[1].lower(): match[2] for match in said}[who]
    return MOODS[mood] if asked == "Where" else mood
