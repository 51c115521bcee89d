"""Several listeners as one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import final

from daskml_dist.monitor._base import FitEnd, FitInfo, Listener, ListenerFailed
from daskml_dist.monitor.details import Detail
from daskml_dist.types import Decision, Step


@final
class Listeners(Listener):
    """Passes everything on, in order; a listener that raises is dropped with a warning, the others go on.

    Parameters
    ----------
    listeners : any number.
    """

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._active = tuple(listeners)

    @property
    def active(self) -> tuple[Listener, ...]:
        """Those that have not failed."""
        return self._active

    def begin(self, info: FitInfo) -> None:
        self._each(lambda listener: listener.begin(info))

    def hear(self, step: Step) -> None:
        self._each(lambda listener: listener.hear(step))

    def decide(self, decision: Decision) -> None:
        self._each(lambda listener: listener.decide(decision))

    def look(self, detail: Detail) -> None:
        self._each(lambda listener: listener.look(detail))

    def end(self, outcome: FitEnd) -> None:
        self._each(lambda listener: listener.end(outcome))

    def _each(self, call: Callable[[Listener], None]) -> None:
        failed: list[tuple[Listener, Exception]] = []
        for listener in self._active:
            try:
                call(listener)
            except Exception as error:  # a listener is somebody else's code; Ctrl-C is no Exception
                failed.append((listener, error))
        if not failed:
            return
        lost = {id(listener) for listener, _ in failed}
        self._active = tuple(listener for listener in self._active if id(listener) not in lost)
        # only now, since a warning may be an error here: all others have heard by then
        for listener, reason in failed:
            text = (
                f"{type(listener).__qualname__} failed with {reason!r} and is dropped; the training goes on"
            )
            warnings.warn(text, ListenerFailed, stacklevel=3)
