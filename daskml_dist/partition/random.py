"""Rows at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.partition._strategy import Asks, Assignment, Folded, Strategy
from daskml_dist.splits import KFold, Tally
from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class Random(Strategy):
    """Each way to put the rows into partitions of the same size (but for one row) is equally likely.

    Partitions are then alike: what is learned on one of them holds for the others. Rows stay in their
    order within a partition.

    Attributes
    ----------
    n_partitions : 1 or more.
    seed : of the random numbers, which also depend on the chunks.
    """

    seed: int = 0
    asks: ClassVar[Asks] = "rows"

    def _settle(self, tally: Tally, features: AnyArray | None) -> Assignment:
        return Folded(KFold(self.n_partitions, self.seed).settle(tally))
