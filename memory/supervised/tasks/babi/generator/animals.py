"""Tasks 15 and 16: properties of an animal that follow from its kind.

Facts come in any order, but an animal is introduced before other facts mention it.
"""

from typing import NamedTuple

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.story import Question, Story, pick, pick_other

PLURALS = {"cat": "cats", "mouse": "mice", "sheep": "sheep", "wolf": "wolves"}
NAMES = ("Emily", "Gertrude", "Jessica", "Winona")
ASKED = 4
"""Questions of a story about fears."""

SPECIES = ("frog", "lion", "rhino", "swan")
COLOURS = ("gray", "green", "white", "yellow")
CALLED = ("Bernhard", "Brian", "Greg", "Julius", "Lily")


def basic_deduction(random: Generator) -> Story:
    """What is Gertrude afraid of? She is a cat, and cats are afraid of wolves."""
    story = Story()
    species = tuple(PLURALS)
    fears: dict[str, tuple[str, int]] = {}
    kinds: dict[str, tuple[str, int]] = {}
    while len(fears) + len(kinds) < len(species) + len(NAMES):
        about = pick(random, (*species, *NAMES))
        if about in species and about not in fears:
            feared = pick_other(random, species, about)
            sentence = f"{PLURALS[about].capitalize()} are afraid of {PLURALS[feared]}."
            fears[about] = feared, story.add(sentence)
        elif about in NAMES and about not in kinds:
            kind = pick(random, species)
            if kind in fears:
                kinds[about] = kind, story.add(f"{about} is a {kind}.")
    for _ in range(ASKED):
        name = pick(random, NAMES)
        kind, introduced = kinds[name]
        feared, history = fears[kind]
        words = f"What is {name.lower()} afraid of?"
        story.ask(Question(words, feared, (introduced, history)))
    return story


class Animal(NamedTuple):
    """An animal that has a name."""

    name: str
    kind: str
    line: int


def basic_induction(random: Generator) -> Story:
    """What color is Lily? She is a swan, and so is Bernhard, who is white.

    If there are several others of its kind, the one that was introduced last gives the answer: the
    first two of three may have other colours, as in the published files.
    """
    while True:
        story, animals, colours = _zoo(random)
        asked = next(animal for animal in animals if animal.name not in colours)
        others = [a for a in animals if a.kind == asked.kind and a is not asked]
        if len(others) in (1, 3, 4):
            break
    colour, line = colours[others[-1].name]
    words = f"What color is {asked.name}?"
    story.ask(Question(words, colour, (asked.line, others[-1].line, line)))
    return story


def _zoo(random: Generator) -> tuple[Story, list[Animal], dict[str, tuple[str, int]]]:
    """All animals in the order of introduction, and the colours of all but one, with their lines.

    Animals of a kind have the same colour until another animal of the kind is introduced.
    """
    story = Story()
    animals: dict[str, Animal] = {}
    colours: dict[str, tuple[str, int]] = {}
    usual: dict[str, str] = {}
    nameless, colourless = list(CALLED), list[str]()
    while nameless or len(colourless) > 1:
        chosen = int(random.random() * (len(nameless) + len(colourless)))
        if chosen < len(nameless):
            name, kind = nameless.pop(chosen), pick(random, SPECIES)
            animals[name] = Animal(name, kind, story.add(f"{name} is a {kind}."))
            colourless.append(name)
            usual.pop(kind, None)
        else:
            name = colourless.pop(chosen - len(nameless))
            colour = usual.setdefault(animals[name].kind, pick(random, COLOURS))
            colours[name] = colour, story.add(f"{name} is {colour}.")
    return story, list(animals.values()), colours
