"""What servers count, and what they say at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import final

from daskml_dist.kernels import ExactSum


@final
@dataclass(frozen=True)
class Counts:
    """What happened at servers.

    Attributes
    ----------
    pushes : updates that were applied.
    duplicates : updates that came again, and were not applied again.
    staleness : how many clocks the slowest node was behind, at how many pulls.
    released : how often the clock of a lost node was released.
    nbytes : bytes of what was pulled and pushed.
    restored : servers that were lost, and made anew from what nodes had kept.
    went_back : how often nodes and servers were lost together, so that all went back to the checkpoint.
    """

    pushes: int = 0
    duplicates: int = 0
    staleness: Mapping[int, int] = field(default_factory=dict)
    released: int = 0
    nbytes: int = 0
    restored: int = 0
    went_back: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.pushes + other.pushes,
            self.duplicates + other.duplicates,
            dict(Counter(self.staleness) + Counter(other.staleness)),
            self.released + other.released,
            self.nbytes + other.nbytes,
            self.restored + other.restored,
            self.went_back + other.went_back,
        )

    @property
    def largest_staleness(self) -> int:
        """Of all pulls."""
        return max(self.staleness, default=0)


def exact_total(parts: Sequence[ExactSum]) -> ExactSum:
    """The sum, the same to the bit in any order."""
    return reduce(ExactSum.combine, parts)
