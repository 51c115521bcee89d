"""Stratified K-fold cross-validation: each fold has its share of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.splits._base import Asks, Folds, IntArray, Split, Tally, each_fold_once
from daskml_dist.splits._refusal import refuse_few_rows, refuse_n_splits
from daskml_dist.splits._settled import counted
from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class StratifiedKFold(Split):
    """n_splits folds whose sizes differ by at most one row, as do the members of a class in them.

    Without a seed the first rows of a class go into the first fold: scikit-learn's folds, on any
    chunks. With a seed the rows of a class go into the folds at random, as ``KFold`` says. Names of
    classes do not matter, only the order in which they first appear.

    Attributes
    ----------
    n_splits : folds, 2 or more.
    seed : of the shuffling; None does not shuffle.
    """

    n_splits: int = 5
    seed: int | None = None
    asks: ClassVar[Asks] = "labels"

    def __post_init__(self) -> None:
        refuse_n_splits(self.n_splits)

    def settle(self, tally: Tally) -> Folds:
        assert tally.values is not None
        refuse_few_rows(self.n_splits, tally.rows)
        _refuse_fractions(tally.values)
        members = tally.counts.sum(axis=0)
        notes = self._notes(members)
        sizes = _dealt(members, self.n_splits)
        return counted(tally, sizes, *each_fold_once(self.n_splits), seed=self.seed, notes=notes)

    def _notes(self, members: IntArray) -> tuple[str, ...]:
        """scikit-learn's complaint where no class fills all folds, its warning where some do not."""
        if (members < self.n_splits).all():
            raise InvalidData(
                f"n_splits={self.n_splits} cannot be greater than the number of members in each class: the "
                f"largest class has {members.max()}. Ask for fewer splits, or use KFold."
            )
        if members.min() >= self.n_splits:
            return ()
        return (
            f"The least populated class in y has only {members.min()} members, which is less than "
            f"n_splits={self.n_splits}.",
        )


def _dealt(members: IntArray, n_splits: int) -> IntArray:
    """(k, F) members of each class in each fold, when rows sorted by class are dealt out like cards."""
    ends = members.cumsum()[:, None]
    # of the first e cards, fold f gets those at f, f + F, f + 2 F and so on
    dealt = (ends + n_splits - 1 - np.arange(n_splits)) // n_splits
    return np.diff(dealt, axis=0, prepend=0)


def _refuse_fractions(values: AnyArray) -> None:
    """Complain about numbers that are no classes."""
    if values.dtype.kind == "f" and not np.array_equal(values, np.floor(values)):
        fraction = values[values != np.floor(values)].tolist()[0]
        raise InvalidData(
            "Supported target types are: ('binary', 'multiclass'). Got 'continuous' instead: y holds "
            f"fractions such as {fraction!r}. Use KFold, or cut y into classes."
        )
