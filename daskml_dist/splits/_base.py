"""The contract of a split: which rows are tested and which are trained on, chunk by chunk.

A *fold* is a set of rows that all splits treat alike; each row is in one. A *split* tests some folds
and trains on others. In K-fold cross-validation split k tests fold k and trains on the rest. So what
is summed over the training rows of a split is a sum over folds, and one sweep that sums fold by fold
serves all splits at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.types import AnyArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
FoldArray = NDArray[np.int32]

Asks = Literal["rows", "labels", "groups"]
"""What a split must know before it can be settled: rows, labels or groups, counted."""


@final
@dataclass(frozen=True)
class Tally:
    """How many rows there are, chunk by chunk and value by value.

    Attributes
    ----------
    counts : (chunks, k) rows of each value in each chunk. Rows without values are of one kind: k = 1.
        Groups, of which there may be many, are counted over all chunks together: (1, g).
    values : (k,) labels in the order in which they first appear in the table, or (g,) groups in
        ascending order; None where rows were counted.
    """

    counts: IntArray
    values: AnyArray | None = None

    @property
    def rows(self) -> int:
        """n, the rows of all chunks."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Folds(ABC):
    """A settled split: small, picklable, and the same wherever and whenever a chunk is asked for.

    Attributes
    ----------
    tests : (S, F) whether split s tests fold f; no fold is tested twice.
    trains : (S, F) whether split s trains on fold f.
    notes : what the user should be warned of.
    """

    tests: BoolArray
    trains: BoolArray
    notes: tuple[str, ...]

    @abstractmethod
    def of(
        self, chunk: int, rows: int, y: AnyArray | None = None, groups: AnyArray | None = None
    ) -> FoldArray:
        """(rows,) the fold of each row of a chunk.

        Parameters
        ----------
        chunk : its number.
        rows : how many rows it has.
        y : (rows,) its labels, where labels were asked for, coded as they were when they were counted.
        groups : (rows,) its groups, where groups were asked for.

        Raises
        ------
        ChunkMismatch
            The chunk has other rows, labels or groups than when they were counted.
        """

    @property
    @abstractmethod
    def sizes(self) -> IntArray | None:
        """(chunks, F) rows of each chunk in each fold; None where only the data tell."""

    def test_fold(
        self, chunk: int, rows: int, y: AnyArray | None = None, groups: AnyArray | None = None
    ) -> FoldArray:
        """(rows,) the split that tests each row of a chunk, -1 where none does; see ``of``."""
        tested: FoldArray = self.tested_in[self.of(chunk, rows, y, groups)]
        return tested

    @property
    def tested_in(self) -> FoldArray:
        """(F,) the split that tests each fold, -1 where none does."""
        return np.where(self.tests.any(axis=0), self.tests.argmax(axis=0), -1).astype(np.int32)

    @property
    def everything(self) -> BoolArray:
        """(F,) all folds."""
        return np.ones(self.n_folds, dtype=np.bool_)

    @property
    def n_splits(self) -> int:
        """S."""
        return len(self.tests)

    @property
    def n_folds(self) -> int:
        """F."""
        return int(self.tests.shape[1])


class Split(ABC):
    """A rule that puts rows into folds; a frozen value whose fields are its parameters."""

    #: what must be counted before it can be settled
    asks: ClassVar[Asks]

    @abstractmethod
    def settle(self, tally: Tally) -> Folds:
        """The folds of these rows.

        Raises
        ------
        InvalidData
            Too few rows, members of a class, or groups.
        """


def each_fold_once(n_splits: int) -> tuple[BoolArray, BoolArray]:
    """What is tested and trained on in K-fold cross-validation: fold k, and all others."""
    tests = np.eye(n_splits, dtype=np.bool_)
    return tests, ~tests
