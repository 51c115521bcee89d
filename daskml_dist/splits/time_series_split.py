"""Splits of a time series: trained on the past, tested on what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.splits._base import Asks, BoolArray, Folds, IntArray, Split, Tally
from daskml_dist.splits._refusal import is_whole, refuse_n_splits
from daskml_dist.splits._settled import counted


@final
@dataclass(frozen=True)
class TimeSeriesSplit(Split):
    """n_splits runs of rows to test on, at the end of the table, each trained on rows before it.

    scikit-learn's splits, on any chunks. The folds are the runs of rows between any two ends of
    training and test sets; the first rows may never be tested.

    Attributes
    ----------
    n_splits : splits, 2 or more.
    max_train_size : rows that a split trains on at most, the last ones; None or 0 sets no limit.
    test_size : rows of each test set; None is rows // (n_splits + 1).
    gap : rows that are left out between a training set and its test set.
    """

    n_splits: int = 5
    max_train_size: int | None = None
    test_size: int | None = None
    gap: int = 0
    asks: ClassVar[Asks] = "rows"

    def __post_init__(self) -> None:
        refuse_n_splits(self.n_splits)
        for name, least in (("max_train_size", 0), ("test_size", 1), ("gap", 0)):
            given = getattr(self, name)
            if not (given is None and name != "gap") and not (is_whole(given) and given >= least):
                raise UnsupportedParameter(
                    f"TimeSeriesSplit({name}={given!r}): {name} must be an integer, {least} or more."
                )

    def settle(self, tally: Tally) -> Folds:
        rows = tally.rows
        if self.n_splits + 1 > rows:
            raise InvalidData(
                f"Cannot have number of folds={self.n_splits + 1} greater than the number of samples={rows}. "
                "Ask for fewer splits, or give more rows."
            )
        test_size = rows // (self.n_splits + 1) if self.test_size is None else self.test_size
        starts = rows - test_size * np.arange(self.n_splits, 0, -1)
        if starts[0] - self.gap <= 0:
            raise InvalidData(
                f"Too many splits={self.n_splits} for number of samples={rows} with test_size={test_size} "
                f"and gap={self.gap}. Ask for fewer or smaller ones."
            )
        ends = starts - self.gap
        begins = np.maximum(ends - (self.max_train_size or rows), 0)
        edges = np.unique([0, rows, *begins, *ends, *starts])  # a test set ends where the next one starts
        tests = _between(edges, starts, starts + test_size)
        return counted(tally, np.diff(edges)[None, :], tests, _between(edges, begins, ends))


def _between(edges: IntArray, begins: IntArray, ends: IntArray) -> BoolArray:
    """(S, F) which of the runs between the edges lie between begin and end of each split."""
    return (begins[:, None] <= edges[:-1]) & (edges[1:] <= ends[:, None])
