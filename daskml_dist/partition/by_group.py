"""All rows of a group together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.errors import InvalidData
from daskml_dist.partition._strategy import Asks, Assignment, Folded, Strategy
from daskml_dist.splits import GroupKFold, Tally
from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class ByGroup(Strategy):
    """Whole groups: the largest that is left goes to the partition with the fewest rows so far.

    Longest processing time first (Graham 1969): the largest partition has at most 4/3 of the rows that
    it has in the best assignment of these groups. All groups are counted first, and their places travel
    to each worker: for millions of them, ``Hash`` needs neither.
    """

    asks: ClassVar[Asks] = "groups"

    def _settle(self, tally: Tally, features: AnyArray | None) -> Assignment:
        assert tally.values is not None
        if self.n_partitions > len(tally.values):
            raise InvalidData(
                f"n_partitions={self.n_partitions} is greater than the number of groups: "
                f"{len(tally.values)}. Ask for fewer partitions."
            )
        return Folded(GroupKFold(self.n_partitions).settle(tally))
