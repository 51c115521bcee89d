"""Splits that were given as positions of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.splits._base import Asks, BoolArray, FoldArray, Folds, IntArray, Split, Tally
from daskml_dist.splits._settled import CHANGED
from daskml_dist.types import AnyArray

_MANY = 1000  # folds, which each have sums of their own in a sweep


@final
@dataclass(frozen=True, eq=False)
class Listed(Split):
    """Splits as scikit-learn's tools accept them: for each the rows to train on and those to test.

    Rows that all splits treat alike are one fold. The fold of each row is held in this process and travels
    with each question, 4 bytes a row.

    Attributes
    ----------
    pairs : for each split the positions of the rows that it trains on and of those that it tests.
    """

    pairs: tuple[tuple[IntArray, IntArray], ...]
    asks: ClassVar[Asks] = "rows"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Listed) or len(self.pairs) != len(other.pairs):
            return False
        both = zip(self.pairs, other.pairs, strict=True)
        return all(np.array_equal(a, b) for ours, theirs in both for a, b in zip(ours, theirs, strict=True))

    def __hash__(self) -> int:
        return hash(tuple((len(train), len(test)) for train, test in self.pairs))

    def settle(self, tally: Tally) -> Folds:
        sides = np.zeros((2, len(self.pairs), tally.rows), dtype=np.bool_)
        for split, pair in enumerate(self.pairs):
            for side, rows in zip(sides, pair, strict=True):
                _refuse(rows, split, tally.rows)
                side[split, rows] = True
        trains, tests = sides
        if (tests.sum(axis=0) > 1).any() or (trains & tests).any():
            raise InvalidData(
                "cv lists rows that are tested twice, or trained on in the split that tests them; expected "
                "splits that test each row at most once. Score repeated splits one after the other."
            )
        patterns, fold = np.unique(sides.reshape(-1, tally.rows), axis=1, return_inverse=True)
        if patterns.shape[1] > _MANY:
            raise InvalidData(
                f"cv lists splits that treat rows in {patterns.shape[1]} different ways; at most {_MANY} are "
                "supported. Use fewer splits."
            )
        trains, tests = patterns.reshape(2, len(self.pairs), -1)
        return _ListedFolds(
            tests, trains, (), fold.ravel().astype(np.int32), tally.counts.sum(axis=1).cumsum()
        )


@final
@dataclass(frozen=True)
class _ListedFolds(Folds):
    """The (n,) fold of each row, and the (chunks,) positions where chunks end."""

    fold: FoldArray
    ends: IntArray

    def of(
        self, chunk: int, rows: int, y: AnyArray | None = None, groups: AnyArray | None = None
    ) -> FoldArray:
        first = int(self.ends[chunk - 1]) if chunk else 0
        had = int(self.ends[chunk]) - first
        if rows != had:
            given = f"it has {rows} rows, and had {had}"
            raise ChunkMismatch(CHANGED.format(chunk=chunk, what="rows", given=given))
        return self.fold[first : first + rows]

    @property
    def sizes(self) -> IntArray | None:
        chunks = np.split(self.fold, self.ends[:-1])
        return np.stack([np.bincount(chunk, minlength=self.n_folds) for chunk in chunks])


def _refuse(rows: BoolArray | IntArray, split: int, n: int) -> None:
    """Refuse positions that are none, and sides without rows."""
    if not rows.size:
        raise InvalidData(f"cv lists no rows on one side of split {split}; expected rows on both.")
    if rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n:
        raise InvalidData(
            f"cv lists positions in split {split} that are no rows: given were {rows.dtype} from "
            f"{rows.min()} to {rows.max()}, expected integers from 0 to {n - 1}, since n_samples={n}."
        )
