"""Where the time goes, on a clock that the test turns by hand."""

import pytest

from agents.runs.clock import Clock, Every


class Hand:
    """A clock that shows what it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    hand = Hand()
    monkeypatch.setattr("time.perf_counter", hand)
    return hand


def test_a_resumed_run_counts_on(hand) -> None:
    clock = Clock(seconds=50.0)
    hand.now += 2
    assert clock.seconds == 52 and clock.since_look == 2


def test_phases_are_told_since_the_last_look(hand) -> None:
    clock = Clock()
    for _ in range(2):
        with clock.measure("learning"):
            hand.now += 3
    clock.add("acting", 1.5)
    hand.now += 4
    assert clock.look() == (10, {"learning": 6, "acting": 1.5})
    hand.now += 1
    assert clock.look() == (1, {}) and clock.seconds == 11


def test_what_is_due_is_due_once(hand) -> None:
    every = Every(5.0)
    assert not every.due()
    hand.now += 12
    assert every.due() and not every.due()
    hand.now += 4.9
    assert not every.due()
    hand.now += 0.2
    assert every.due()


def test_none_is_never_due(hand) -> None:
    every = Every(None)
    hand.now += 1e9
    assert not every.due()
