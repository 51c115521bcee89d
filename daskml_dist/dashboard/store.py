"""What the pages show: the fits of a cluster or of this process, as their messages tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, final

from daskml_dist.dashboard.fit import Fit

MOST_FITS = 50
"""Fits that are kept; the oldest that are over go first."""

#: what may be said of a running fit, and for a rate between which factors
COMMANDS = frozenset({"pause", "resume", "stop", "rate"})
RATES = (0.1, 10.0)


@final
class Store:
    """Takes messages of the topic of trainings, in any order, and never raises.

    Parameters
    ----------
    clock : seconds since 1970.

    Attributes
    ----------
    fits : by id, in the order in which they were heard of.
    version : changes with each message.
    refused : messages that made no sense.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.fits: dict[str, Fit] = {}
        self.version = self.refused = 0

    def take(self, told: object) -> None:
        """Take a message, or several in a list; what is none of ours is counted and left."""
        for message in told if isinstance(told, list | tuple) else (told,):
            try:
                self._take(message)
            except Exception:  # whatever somebody logs on the topic, the scheduler goes on
                self.refused += 1
        self.version += 1

    def newest(self) -> Fit | None:
        """The fit that was heard of last: one that runs, if any does."""
        running = [fit for fit in self.fits.values() if not fit.over]
        return next(iter((running or list(self.fits.values()))[::-1]), None)

    def lose(self, client: str) -> None:
        """A client is gone: its fits will not be heard of any more."""
        for fit in self.fits.values():
            if fit.client == client and not fit.over:
                fit.lost()
                self.version += 1

    def _take(self, message: Mapping[str, Any]) -> None:
        fit_id, event = message["fit_id"], message["event"]
        if not isinstance(fit_id, str) or not isinstance(event, str):
            raise TypeError(f"fit_id={fit_id!r} and event={event!r} are no texts")
        fit = self.fits.get(fit_id)
        if fit is None:
            fit = Fit(fit_id, self.clock())
            fit.take(event, message)  # or complain, and keep nothing
            self.fits[fit_id] = fit
            self._forget()
        else:
            fit.take(event, message)

    def _forget(self) -> None:
        for fit_id in [one for one, fit in self.fits.items() if fit.over] + list(self.fits):
            if len(self.fits) <= MOST_FITS:
                return
            del self.fits[fit_id]


def sensible(message: Mapping[str, Any]) -> bool:
    """Whether a command can be meant: one of COMMANDS, for a fit, with a factor where one is needed."""
    command, value = message.get("command"), message.get("value")
    if command not in COMMANDS or not isinstance(message.get("fit_id"), str):
        return False
    if command != "rate":
        return value is None
    return isinstance(value, float) and RATES[0] <= value <= RATES[1]
