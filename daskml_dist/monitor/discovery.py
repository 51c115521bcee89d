"""Listeners from elsewhere: whoever announces one at the entry point is called; nothing imports it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from daskml_dist.monitor._base import Listener, ListenerFailed

GROUP = "daskml_dist.listeners"


def discover() -> tuple[Listener, ...]:
    """A new listener from each package that announces one at the entry point ``daskml_dist.listeners``.

    An entry point names a callable without arguments that returns a Listener. What is installed is looked up
    once a process. One that fails is left out; there is one ListenerFailed warning for it.
    """
    made = (_make(name, factory) for name, factory in _factories())
    return tuple(listener for listener in made if listener is not None)


@cache
def _factories() -> tuple[tuple[str, Callable[[], object]], ...]:
    """What is announced, by name in alphabetical order, loaded."""
    announced = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    loaded = ((f"{point.name} = {point.value}", _load(point)) for point in announced)
    return tuple((name, factory) for name, factory in loaded if factory is not None)


def _load(point: EntryPoint) -> Callable[[], object] | None:
    try:
        factory = point.load()
    except Exception as error:  # importing somebody else's code may fail in any way
        _complain(f"{point.name} = {point.value}", f"failed to load: {error!r}")
        return None
    if callable(factory):
        return factory  # type: ignore[no-any-return]
    _complain(f"{point.name} = {point.value}", f"is no callable: {factory!r}")
    return None


def _make(name: str, factory: Callable[[], object]) -> Listener | None:
    try:
        listener = factory()
    except Exception as error:  # and so may calling it
        _complain(name, f"failed: {error!r}")
        return None
    if isinstance(listener, Listener):
        return listener
    _complain(name, f"made no Listener but {listener!r}")
    return None


@cache
def _complain(name: str, what: str) -> None:
    """Warn once a process about each."""
    warnings.warn(
        f"the listener announced at {GROUP} as {name} {what}; it is left out", ListenerFailed, stacklevel=4
    )
