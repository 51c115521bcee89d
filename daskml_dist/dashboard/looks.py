"""What was seen of a deployment, look by look; no bokeh, so that a terminal can show it too."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any, final

from daskml_dist.errors import DaskmlDistError

Ask = Callable[[], Mapping[str, Any]]
"""Gives the state of a deployment, as its gateway tells it, or raises OSError or DaskmlDistError."""

_MOST = 900  # looks that are kept: a quarter of an hour of seconds
_CLOSE = 10.0


@final
@dataclass(frozen=True, slots=True)
class Look:
    """One look at a deployment.

    Attributes
    ----------
    at : seconds since the epoch.
    state : what the gateway told; None where it could not be reached.
    why : it could not.
    per_second, errors_per_second : since the look before; None where that cannot be known.
    """

    at: float
    state: Mapping[str, Any] | None
    why: str | None = None
    per_second: float | None = None
    errors_per_second: float | None = None

    def milliseconds(self, quantile: str) -> float | None:
        """A quantile of the time to an answer, such as "p99"."""
        seconds = None if self.state is None else self.state["seconds"].get(quantile)
        return None if seconds is None else 1e3 * float(seconds)


@final
class Looks:
    """The latest looks, the oldest first; one thread looks, others may read ``all``."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._looks: deque[Look] = deque(maxlen=_MOST)
        self.count = 0

    @property
    def all(self) -> list[Look]:
        """The looks that are kept."""
        with self._lock:
            return list(self._looks)

    def look(self, ask: Ask, now: float | None = None) -> Look:
        """Ask once, and keep what was told; that nobody answers is kept as well."""
        at = time.time() if now is None else now
        try:
            found = self._seen(at, ask())
        except (OSError, DaskmlDistError) as error:
            found = Look(at, None, str(error))
        with self._lock:
            self._looks.append(found)
            self.count += 1
        return found

    def _seen(self, at: float, state: Mapping[str, Any]) -> Look:
        last = self._looks[-1] if self._looks else None
        if last is None or last.state is None or at <= last.at:
            return Look(at, state)
        now, then, seconds = state["requests"], last.state["requests"], at - last.at
        if now["total"] < then["total"]:  # another gateway counts from zero
            return Look(at, state)
        rates = [(now[what] - then[what]) / seconds for what in ("total", "errors")]
        return Look(at, state, None, *rates)


@final
class Watch:
    """Looks every second in a thread of its own, until it is closed.

    Parameters
    ----------
    ask : gives the state of the deployment.
    every : seconds between two looks.
    """

    def __init__(self, ask: Ask, every: float = 1.0) -> None:
        self.looks = Looks()
        self._ask, self._every, self._over = ask, every, Event()
        self._thread = Thread(target=self._run, name="daskml-dist-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join(_CLOSE)

    def _run(self) -> None:
        while not self._over.is_set():
            self.looks.look(self._ask)
            self._over.wait(self._every)
