"""How far a sequence has yet to fall, if it goes on as it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

_SLOWEST = 0.9  # factor on the decrease, from pass to pass, that is believed


_PACE = 5  # passes whose decreases tell how fast F falls


@final
class Pace:
    """How fast F falls."""

    def __init__(self, falls: Sequence[float] = ()) -> None:
        self.falls = tuple(falls)  # from pass to pass

    def yet_to_fall(self, fall: float) -> float:
        """How far F falls yet if it goes on as before; ``fall`` is the decrease in the last pass."""
        self.falls = (*self.falls, fall)[-_PACE:]
        return yet_to_fall(self.falls)


def yet_to_fall(falls: Sequence[float], slowest: float = _SLOWEST) -> float:
    """The rest of the geometric series that begins with these falls; 0 where they are none.

    ``slowest`` : the largest factor from fall to fall that is believed.
    """
    if len(falls) < 2 or min(falls[0], falls[-1]) <= 0.0:
        return 0.0
    rate = min((falls[-1] / falls[0]) ** (1.0 / (len(falls) - 1)), slowest)
    return float(falls[-1] * rate / (1.0 - rate))
