"""Runs of neighbouring rows of the same length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.partition._strategy import Asks, Assignment, Folded, Strategy
from daskml_dist.splits import KFold, Tally
from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class Even(Strategy):
    """Neighbouring rows together, in partitions whose sizes differ by one row at most.

    Chunks are cut where a partition ends. The order of the rows stays.
    """

    asks: ClassVar[Asks] = "rows"

    def _settle(self, tally: Tally, features: AnyArray | None) -> Assignment:
        return Folded(KFold(self.n_partitions).settle(tally))
