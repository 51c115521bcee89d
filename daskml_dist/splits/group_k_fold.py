"""Group K-fold cross-validation: no group is both tested and trained on."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.splits._base import Asks, FoldArray, Folds, IntArray, Split, Tally, each_fold_once
from daskml_dist.splits._refusal import refuse_few_rows, refuse_n_splits
from daskml_dist.splits._settled import GroupedFolds


@final
@dataclass(frozen=True)
class GroupKFold(Split):
    """n_splits folds of whole groups.

    Without a seed the largest groups come first and each goes into the fold with the fewest rows so
    far; with a seed each fold gets the same number of groups, at random. Both are scikit-learn's, for
    the same seed too: neither looks at the order of rows. The folds hold one value and one number a
    group, which travel to each worker: ten million integer groups are 120 MB.

    Attributes
    ----------
    n_splits : folds, 2 or more.
    seed : of the shuffling of groups, 0 to 2**32 - 1; None does not shuffle.
    """

    n_splits: int = 5
    seed: int | None = None
    asks: ClassVar[Asks] = "groups"

    def __post_init__(self) -> None:
        refuse_n_splits(self.n_splits)

    def settle(self, tally: Tally) -> Folds:
        assert tally.values is not None
        refuse_few_rows(self.n_splits, tally.rows)
        n_groups = len(tally.values)
        if self.n_splits > n_groups:
            raise InvalidData(
                f"Cannot have number of splits n_splits={self.n_splits} greater than the number of groups: "
                f"{n_groups}. Ask for fewer splits."
            )
        if self.seed is None:
            fold = _largest_first(tally.counts[0], self.n_splits)
        else:
            fold = _at_random(n_groups, self.n_splits, self.seed)
        return GroupedFolds(*each_fold_once(self.n_splits), (), tally.values, fold)


def _largest_first(members: IntArray, n_splits: int) -> FoldArray:
    """(g,) the fold of each group: the largest group that is left goes into the lightest fold."""
    fold = np.empty(len(members), dtype=np.int32)
    folds = [(0, f) for f in range(n_splits)]  # a heap of rows so far, and the fold
    for group in np.argsort(members, kind="stable")[::-1].tolist():
        rows, lightest = folds[0]
        fold[group] = lightest
        heapq.heapreplace(folds, (rows + int(members[group]), lightest))
    return fold


def _at_random(n_groups: int, n_splits: int, seed: int) -> FoldArray:
    """(g,) the fold of each group: groups in random order, cut into runs of the same length."""
    fold = np.empty(n_groups, dtype=np.int32)
    order = np.random.RandomState(seed).permutation(n_groups)
    for f, groups in enumerate(np.array_split(order, n_splits)):
        fold[groups] = f
    return fold
