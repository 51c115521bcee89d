"""One split, in which training and test set have their shares of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.splits._base import Asks, Folds, IntArray, Split, Tally
from daskml_dist.splits._settled import counted
from daskml_dist.splits._shares import TESTS, TRAINS, shares


@final
@dataclass(frozen=True)
class StratifiedHoldout(Split):
    """One split at random; the members of each class are shared out as scikit-learn does.

    How many members of a class are trained on and tested is the same as in scikit-learn for the same
    seed, ties included; which ones is drawn chunk by chunk, as ``KFold`` says.

    Attributes
    ----------
    test_size, train_size : a fraction of the rows or a number of rows, or None; see ``shares``.
    seed : of the ties and of the shuffling, 0 to 2**32 - 1.
    """

    test_size: float | None = None
    train_size: float | None = None
    seed: int = 0
    asks: ClassVar[Asks] = "labels"

    def settle(self, tally: Tally) -> Folds:
        assert tally.values is not None
        n_train, n_test, _ = shares(tally.rows, self.test_size, self.train_size).tolist()
        members = tally.counts.sum(axis=0)
        _refuse_classes(tally, members, n_train, n_test)
        ascending = np.argsort(tally.values)  # scikit-learn breaks ties among classes in this order
        left = members[ascending]
        rng = np.random.RandomState(self.seed)
        train = _most_likely(left, n_train, rng)
        test = _most_likely(left - train, n_test, rng)
        sizes = np.empty((len(members), 3), dtype=np.int64)
        sizes[ascending] = np.column_stack([train, test, left - train - test])
        return counted(tally, sizes, TESTS, TRAINS, seed=self.seed)


def _refuse_classes(tally: Tally, members: IntArray, n_train: int, n_test: int) -> None:
    """Complain about classes with one member, and about sets that are too small for all classes."""
    if members.min() < 2:
        assert tally.values is not None
        alone = tally.values[members < 2].tolist()
        raise InvalidData(
            "The least populated classes in y have only 1 member, which is too few. The minimum number of "
            f"groups for any class cannot be less than 2. Classes with too few members are: {alone}. Drop "
            "or join them."
        )
    for name, size in (("train_size", n_train), ("test_size", n_test)):
        if size < len(members):
            raise InvalidData(
                f"The {name} = {size} should be greater or equal to the number of classes = {len(members)}"
            )


def _most_likely(members: IntArray, draws: int, rng: np.random.RandomState) -> IntArray:
    """(k,) members of each class in a sample: their shares rounded down, then the largest remainders.

    This is the mode of the multivariate hypergeometric distribution up to one; ties are broken at
    random, with the same draws as in scikit-learn.
    """
    share = members / members.sum() * draws
    taken = np.floor(share)
    remainder = share - taken
    missing = int(draws - taken.sum())
    for value in np.unique(remainder)[::-1]:
        if missing <= 0:
            break
        (tied,) = np.nonzero(remainder == value)
        chosen = rng.choice(tied, size=min(len(tied), missing), replace=False)
        taken[chosen] += 1
        missing -= len(chosen)
    return np.asarray(taken, dtype=np.int64)
