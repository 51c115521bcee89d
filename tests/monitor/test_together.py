"""Several listeners as one, and listeners from elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from typing import Any, final

import pytest

from daskml_dist.monitor import (
    GROUP,
    FitEnd,
    FitInfo,
    Listener,
    ListenerFailed,
    Listeners,
    discover,
    discovery,
)
from daskml_dist.types import Step
from tests.monitor.samples import END, INFO, MOVE, Recorder, step, tell


@final
class _Failing(Listener):
    """Raises at one of the three."""

    def __init__(self, at: str, error: BaseException) -> None:
        self.at, self.error, self.calls = at, error, 0

    def _call(self, name: str) -> None:
        self.calls += 1
        if name == self.at:
            raise self.error

    def begin(self, info: FitInfo) -> None:
        self._call("begin")

    def hear(self, step: Step) -> None:
        self._call("hear")

    def end(self, outcome: FitEnd) -> None:
        self._call("end")


STORY = [INFO, step(1), step(2), step(3), END]


def test_all_hear_everything_in_order() -> None:
    first, second = Recorder(), Recorder()
    tell(Listeners([first, Listeners([second])]))
    assert first.heard == second.heard == STORY
    tell(Listeners())


@pytest.mark.parametrize(("at", "calls"), [("begin", 1), ("hear", 2), ("end", 5)])
def test_one_that_fails_is_dropped_and_the_others_go_on(at: str, calls: int) -> None:
    before, failing, after = Recorder(), _Failing(at, ZeroDivisionError("oops")), Recorder()
    listeners = Listeners([before, failing, after])
    with pytest.warns(ListenerFailed, match="_Failing.*oops") as caught:
        tell(listeners)
    assert len(caught) == 1
    assert before.heard == after.heard == STORY
    assert failing.calls == calls
    assert listeners.active == (before, after)


def test_an_interrupt_goes_on_up() -> None:
    listeners = Listeners([_Failing("hear", KeyboardInterrupt())])
    listeners.begin(INFO)
    with pytest.raises(KeyboardInterrupt):
        listeners.hear(step(1))


def not_a_listener() -> object:
    """What a broken package might announce."""
    return "nothing"


def fails() -> Listener:
    """What another broken package might announce."""
    raise RuntimeError("no display")


Announce = Callable[..., None]


@pytest.fixture
def announce(monkeypatch: pytest.MonkeyPatch) -> Iterator[Announce]:
    """Pretend that packages with these entry points are installed."""

    def announced(**points: str) -> None:
        found = tuple(EntryPoint(name, value, GROUP) for name, value in points.items())

        def entry_points(group: str) -> tuple[EntryPoint, ...]:
            assert group == "daskml_dist.listeners"
            return found

        monkeypatch.setattr(discovery, "entry_points", entry_points)

    discovery._factories.cache_clear()
    discovery._complain.cache_clear()
    yield announced
    discovery._factories.cache_clear()
    discovery._complain.cache_clear()


def test_an_announced_listener_is_made_anew_each_time(announce: Announce) -> None:
    announce(recorder=f"{Recorder.__module__}:Recorder")
    (first,), (second,) = discover(), discover()
    assert type(first).__name__ == "Recorder" and first is not second


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("no_such_package:Listener", "failed to load"),
        (f"{__name__}:NotThere", "failed to load"),
        (f"{__name__}:STORY", "no callable"),
        (f"{__name__}:not_a_listener", "no Listener"),
        (f"{__name__}:fails", "no display"),
    ],
)
def test_a_broken_one_gives_one_warning_and_is_left_out(announce: Announce, value: str, text: str) -> None:
    announce(broken=value, recorder=f"{Recorder.__module__}:Recorder")
    with pytest.warns(ListenerFailed, match=text) as caught:
        found: tuple[Any, ...] = discover()
    assert len(caught) == 1 and [type(listener).__name__ for listener in found] == ["Recorder"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(discover()) == 1


def test_with_nothing_announced_there_is_nothing(announce: Announce) -> None:
    announce()
    assert discover() == ()


def test_decisions_are_passed_on_and_nobody_need_care() -> None:
    recorder, careless = Recorder(), _Failing("nowhere", ZeroDivisionError())
    Listeners([careless, recorder]).decide(MOVE)
    assert recorder.heard == [MOVE] and careless.calls == 0
