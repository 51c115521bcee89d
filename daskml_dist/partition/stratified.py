"""Each partition with its share of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.errors import InvalidData
from daskml_dist.partition._strategy import Asks, Assignment, Folded, Strategy
from daskml_dist.splits import StratifiedKFold, Tally
from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class Stratified(Strategy):
    """Rows at random, so that sizes, and members of each class, differ by one row at most.

    Attributes
    ----------
    n_partitions : 1 or more.
    seed : of the random numbers, which also depend on the chunks.
    """

    seed: int = 0
    asks: ClassVar[Asks] = "labels"

    def _settle(self, tally: Tally, features: AnyArray | None) -> Assignment:
        assert tally.values is not None
        members = tally.counts.sum(axis=0)
        rarest = int(members.argmin())
        if members[rarest] < self.n_partitions:
            raise InvalidData(
                f"The class {tally.values.tolist()[rarest]!r} has {int(members[rarest])} rows, too few for "
                f"one in each of n_partitions={self.n_partitions}. Ask for fewer partitions, or use Random "
                "or Even, which let partitions lack a class."
            )
        return Folded(StratifiedKFold(self.n_partitions, self.seed).settle(tally))
