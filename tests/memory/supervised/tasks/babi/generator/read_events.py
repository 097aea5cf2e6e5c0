"""A reader of stories in which people move and handle things: it keeps what each sentence says."""

import re
from collections.abc import Iterable

MOVE = r"(.+) (?:went back|went|journeyed|travelled|moved) to the (\w+)\."
TAKE = r"(\w+) (?:got|grabbed|picked up|took) the (\w+)(?: there)?\."
DROP = r"(\w+) (?:discarded|dropped|left|put down) the (\w+)(?: there)?\."
GIVE = r"(\w+) (?:gave|handed|passed) the (\w+) to (\w+)\."


class Reader:
    """What is known after some sentences; they may leave out some of the story."""

    def __init__(self, sentences: Iterable[str]) -> None:
        self.ways: dict[str, list[str]] = {}
        """Places in which anybody or anything was, one after the other."""
        self.carried: dict[str, list[str]] = {}
        """Things of everybody that was heard of."""
        self.taken: list[str] = []
        """Things in the order in which each was first taken."""
        self.gifts: list[dict[str, str]] = []
        self.movers: tuple[str, ...] = ()
        """Whom "he", "she" or "they" means."""
        for sentence in sentences:
            self._read(sentence)

    def _read(self, sentence: str) -> None:
        if match := re.fullmatch(MOVE, sentence):
            if match[1].split()[-1] not in ("he", "she", "they"):
                self.movers = tuple(match[1].split(" and "))
            for who in self.movers:
                self._move(who, match[2])
        elif match := re.fullmatch(TAKE, sentence):
            self._receive(match[1], match[2])
        elif match := re.fullmatch(DROP, sentence):
            self._let_go(match[1], match[2])
        elif match := re.fullmatch(GIVE, sentence):
            self._let_go(match[1], match[2])
            self._receive(match[3], match[2])
            self.gifts.append({"giver": match[1], "thing": match[2], "receiver": match[3]})
        else:
            raise AssertionError(f"no such event: {sentence!r}")

    def _move(self, who: str, place: str) -> None:
        for mover in (who, *self.carried.get(who, [])):
            self.ways.setdefault(mover, []).append(place)

    def _receive(self, who: str, thing: str) -> None:
        self.carried.setdefault(who, []).append(thing)
        self.taken += [thing] if thing not in self.taken else []
        self.ways.setdefault(thing, []).extend(self.ways.get(who, [])[-1:])

    def _let_go(self, who: str, thing: str) -> None:
        things = self.carried.setdefault(who, [])
        if thing in things:
            things.remove(thing)
        else:  # that it was taken was left out: it came along
            self.ways.setdefault(thing, []).extend(self.ways.get(who, []))


def place_before(way: list[str], place: str) -> str:
    """Where one was before one came to a place the last time."""
    stops = [stop for i, stop in enumerate(way) if i == 0 or way[i - 1] != stop]
    return stops[len(stops) - 2 - stops[::-1].index(place)]
