"""Task 20: reasons for actions."""

from typing import NamedTuple

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.story import Question, Story, pick
from memory.supervised.tasks.babi.generator.wording import move_to, take

NAMES = ("Antoine", "Jason", "Sumit", "Yann")


class Cure(NamedTuple):
    """The place to go to, and the thing to take."""

    place: str
    thing: str


CURES = {
    "bored": Cure("garden", "football"),
    "hungry": Cure("kitchen", "apple"),
    "thirsty": Cure("kitchen", "milk"),
    "tired": Cure("bedroom", "pajamas"),
}


def agents_motivations(random: Generator) -> Story:
    """Where will Jason go? Why did he go there? Why did he get the milk?

    Each actor has a feeling, goes to the place for it and takes the thing for it, unless another
    actor was there before. The story ends when no action is left.
    """
    story = Story()
    moods = {name: pick(random, tuple(CURES)) for name in NAMES}
    said: dict[str, int] = {}
    gone: set[str] = set()
    taken: set[str] = set()
    while active := [name for name in NAMES if name not in gone or moods[name] not in taken]:
        name = pick(random, active)
        mood, who = moods[name], name.lower()
        place, thing = CURES[mood]
        if name not in said:
            said[name] = story.add(f"{name} is {mood}.")
            words, answer = f"Where will {who} go?", place
        elif name not in gone:
            gone.add(name)
            story.add(move_to(random, name, place))
            words, answer = f"Why did {who} go to the {place}?", mood
        else:
            taken.add(mood)
            story.add(take(random, name, thing))
            words, answer = f"Why did {who} get the {thing}?", mood
        story.ask(Question(words, answer, (said[name],)))
    return story
