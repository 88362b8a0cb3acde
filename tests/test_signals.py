"""Requests to stop: collected once, and otherwise as they were before."""

import signal

import pytest

from charrnn.cli.process import requests, stop_signals

HANGUP = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")


@pytest.mark.parametrize("number", requests())
def test_the_first_signal_is_collected_and_the_next_acts_as_before(number):
    seen = []
    before = {each: signal.signal(each, lambda got, frame: seen.append(got)) for each in requests()}
    try:
        with stop_signals() as received:
            signal.raise_signal(number)
            assert (received, seen) == ([number], [])
            signal.raise_signal(number)
            assert (received, seen) == ([number], [number])
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@HANGUP
def test_a_closed_terminal_stops_only_what_does_not_ignore_it():
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        assert signal.SIGHUP in requests()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
        with stop_signals() as received:
            signal.raise_signal(signal.SIGHUP)
        assert received == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_only_the_signals_asked_for_are_collected():
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals(signal.SIGINT):
        assert signal.getsignal(signal.SIGTERM) is before
