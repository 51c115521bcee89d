"""One split: some rows to train on, some to test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.splits._base import Asks, Folds, Split, Tally
from daskml_dist.splits._settled import counted
from daskml_dist.splits._shares import TESTS, TRAINS, shares


@final
@dataclass(frozen=True)
class Holdout(Split):
    """One split; without a seed the first rows are trained on and the rows after them are tested.

    With a seed rows are drawn chunk by chunk, as ``KFold`` says.

    Attributes
    ----------
    test_size, train_size : a fraction of the rows or a number of rows, or None; see ``shares``.
    seed : of the shuffling; None does not shuffle.
    """

    test_size: float | None = None
    train_size: float | None = None
    seed: int | None = None
    asks: ClassVar[Asks] = "rows"

    def settle(self, tally: Tally) -> Folds:
        sizes = shares(tally.rows, self.test_size, self.train_size)
        return counted(tally, sizes[None, :], TESTS, TRAINS, seed=self.seed)
