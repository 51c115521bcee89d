"""When a replica that died is started again: a pure rule."""

from __future__ import annotations

from typing import final

FIRST, MOST = 0.1, 10.0
CRASHES, WINDOW = 5, 60.0
GOOD = 5.0
"""Seconds of service after which a death is no crash of the model but an accident."""


@final
class Restarts:
    """Back-off of one replica: 0.1 s, doubled with each crash up to 10 s; after 5 crashes in 60 s a
    minute's rest.

    Examples
    --------
    >>> restarts = Restarts()
    >>> [restarts.died(now, 0.0) for now in (0.0, 1.0, 2.0, 3.0)]
    [0.1, 0.2, 0.4, 0.8]
    >>> restarts.died(4.0, 0.0), restarts.crashed
    (60.0, True)
    >>> restarts.died(70.0, 20.0), restarts.crashed
    (0.1, False)
    """

    def __init__(self) -> None:
        self._crashes: list[float] = []
        self.crashed = False
        self.number = 0

    def died(self, now: float, served: float) -> float:
        """Seconds until the next start.

        Parameters
        ----------
        now : of a clock that does not go back.
        served : seconds for which it was ready.
        """
        self.number += 1
        self.crashed = False
        if served >= GOOD:
            self._crashes = []
            return FIRST
        self._crashes = [at for at in self._crashes if now - at < WINDOW] + [now]
        if len(self._crashes) >= CRASHES:
            self.crashed = True
            return WINDOW
        return float(min(MOST, FIRST * 2.0 ** (len(self._crashes) - 1)))
