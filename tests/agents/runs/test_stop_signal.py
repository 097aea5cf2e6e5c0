"""A first signal asks, a second one ends."""

import os
import signal
from pathlib import Path

import pytest

from agents.runs import stop_signal
from agents.runs.stop_signal import StopFile, StopSignal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_wish_while_entered_and_what_it_was_after(number) -> None:
    def before(*_: object) -> None:
        raise AssertionError("the handler from before was called")

    outside = signal.signal(number, before)  # `nohup` starts the tests with SIGHUP ignored
    try:
        with StopSignal() as stop:
            assert not stop.requested
            signal.raise_signal(number)
            assert stop.requested
        assert signal.getsignal(number) is before
    finally:
        signal.signal(number, outside)


def test_a_second_signal_ends_the_process_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    with StopSignal():
        signal.raise_signal(signal.SIGTERM)
        assert ended == []
        signal.raise_signal(signal.SIGINT)
    assert ended == [128 + signal.SIGINT]


def test_a_sigterm_from_a_service_manager_and_from_a_benchmark_are_one_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[int] = []
    now = [100.0]
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(stop_signal.time, "monotonic", lambda: now[0])
    with StopSignal() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested and ended == []
        now[0] += 2 * stop_signal.ONE_REQUEST
        signal.raise_signal(signal.SIGTERM)
    assert ended == [128 + signal.SIGTERM]


def test_a_hang_up_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignal() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_a_killed_process_requested_does_not_stop_the_next_run(tmp_path: Path) -> None:
    StopFile(tmp_path).request()
    with StopFile(tmp_path) as stop:
        assert not stop.requested
        stop.request()
        assert StopFile(tmp_path).requested
    assert not stop.requested
