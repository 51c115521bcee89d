"""How far nodes may part from each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np


@final
@dataclass(frozen=True)
class Consistency:
    """A node may begin clock t while no node is more than s clocks behind: t - min_k c_k <= s.

    c_k is the number of clocks that node k has pushed. With s = 0 nodes are bulk synchronous: what they push
    at a clock is applied together, once all have pushed it, so that the bits depend on no order of arrival.
    With s > 0 they are stale synchronous, with infinite s asynchronous: each push is applied as it arrives
    (Ho et al. 2013, "More effective distributed ML via a stale synchronous parallel parameter server").

    Attributes
    ----------
    staleness : s, a whole number, or infinity.
    """

    staleness: float

    @property
    def whole_clocks(self) -> bool:
        """Whether all pushes of a clock are applied together."""
        return self.staleness == 0

    @property
    def waits(self) -> bool:
        """Whether a node ever waits for others."""
        return bool(np.isfinite(self.staleness))

    def admits(self, clock: int, clocks: Iterable[int]) -> bool:
        """Whether a clock may begin, given those of the nodes that count."""
        return behind(clock, clocks) <= self.staleness


def behind(clock: int, clocks: Iterable[int]) -> int:
    """How many clocks the slowest node is behind a node that begins one; the staleness of what that reads."""
    return max(clock - min(clocks, default=clock), 0)
