"""K-fold cross-validation: runs of neighbouring rows, or rows at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.splits._base import Asks, Folds, Split, Tally, each_fold_once
from daskml_dist.splits._refusal import refuse_few_rows, refuse_n_splits
from daskml_dist.splits._settled import counted


@final
@dataclass(frozen=True)
class KFold(Split):
    """n_splits folds whose sizes differ by at most one row, the first ones the larger ones.

    Without a seed the folds are runs of neighbouring rows: scikit-learn's, on any chunks. With a seed
    each assignment of rows to folds of these sizes is equally likely, as after scikit-learn's global
    permutation, but drawn chunk by chunk: other rows than scikit-learn draws for the same seed, and
    others on other chunks.

    Attributes
    ----------
    n_splits : folds, 2 or more.
    seed : of the shuffling; None does not shuffle.
    """

    n_splits: int = 5
    seed: int | None = None
    asks: ClassVar[Asks] = "rows"

    def __post_init__(self) -> None:
        refuse_n_splits(self.n_splits)

    def settle(self, tally: Tally) -> Folds:
        refuse_few_rows(self.n_splits, tally.rows)
        small, larger = divmod(tally.rows, self.n_splits)
        sizes = small + (np.arange(self.n_splits) < larger).astype(np.int64)
        return counted(tally, sizes[None, :], *each_fold_once(self.n_splits), seed=self.seed)
