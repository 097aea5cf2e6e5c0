"""The world of the stories: actors who move between places, and take, drop and give things."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.story import pick

Kind = Literal["move", "take", "drop", "give"]

ACTORS = ("Mary", "John", "Sandra", "Daniel")
PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
THINGS = ("apple", "football", "milk")


class Event(NamedTuple):
    """An action; `what` is the place for a move, the thing otherwise."""

    kind: Kind
    actor: str
    what: str
    receiver: str = ""
    line: int = 0
    """Its line in the story."""


class World:
    """Places of actors and things; the initial ones are random and not part of the story."""

    def __init__(self, random: Generator, actors: Sequence[str]) -> None:
        self.random, self.actors = random, actors
        self.where = {name: pick(random, PLACES) for name in (*actors, *THINGS)}
        """Place of each thing, or the actor that carries it."""

    def happen(self, kinds: Sequence[Kind]) -> Event:
        """A random possible event. Actors with more possible actions therefore occur more often."""
        while True:
            kind = pick(self.random, kinds)
            if kind == "give":
                event = self._gift()
            else:
                event = self._deed(kind, pick(self.random, self.actors))
            if event is not None:
                self._bring_about(event)
                return event

    def _deed(self, kind: Kind, actor: str) -> Event | None:
        here = self.where[actor]
        if kind == "move":
            place = pick(self.random, PLACES)
            return Event(kind, actor, place) if place != here else None
        at = here if kind == "take" else actor
        things = [thing for thing in THINGS if self.where[thing] == at]
        return Event(kind, actor, pick(self.random, things)) if things else None

    def _gift(self) -> Event | None:
        """The first thing that can be given, to the first possible receiver, as published."""
        where = self.where
        for thing in THINGS:
            giver = where[thing]
            if giver in PLACES:
                continue
            for receiver in self.actors:
                if receiver != giver and where[receiver] == where[giver]:
                    return Event("give", giver, thing, receiver)
        return None

    def _bring_about(self, event: Event) -> None:
        where = self.where
        match event.kind:
            case "move":
                where[event.actor] = event.what
            case "take":
                where[event.what] = event.actor
            case "drop":
                where[event.what] = where[event.actor]
            case "give":
                where[event.what] = event.receiver
