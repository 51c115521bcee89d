"""Who watches the fits of this process from within: a page of its own server, for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, final

Sink = Callable[[Mapping[str, Any]], None]


@final
class Audience:
    """Passes the messages of all fits of this process on to those who watch; knows which fits go on."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sinks: tuple[Sink, ...] = ()
        self._living: dict[str, Mapping[str, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._sinks)

    @property
    def living(self) -> frozenset[str]:
        """The ids of the fits that go on in this process."""
        return frozenset(self._living)

    def join(self, sink: Sink) -> None:
        """Tell a sink everything from now on, and how the fits that go on have begun."""
        with self._lock:
            begun = tuple(self._living.values())
            self._sinks = (*self._sinks, sink)
            for message in begun:
                sink(message)

    def leave(self, sink: Sink) -> None:
        """Tell it nothing any more."""
        with self._lock:
            self._sinks = tuple(one for one in self._sinks if one != sink)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Pass a message on."""
        with self._lock:
            if message["event"] == "begin":
                self._living[message["fit_id"]] = message
            elif message["event"] == "end":
                self._living.pop(message["fit_id"], None)
            for sink in self._sinks:
                sink(message)


#: that of this process
audience = Audience()
