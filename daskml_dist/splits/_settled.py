"""The two kinds of folds: by counting rows within a chunk, and by looking up groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.errors import ChunkMismatch
from daskml_dist.splits._base import BoolArray, FoldArray, Folds, IntArray, Tally
from daskml_dist.splits._counting import at_random, in_order
from daskml_dist.types import AnyArray

_FEW = 8  # classes, up to which looking for one after the other is faster than sorting

CHANGED = (
    "Chunk {chunk} is not what it was when its {what} were counted: {given}. The data must be the same each "
    "time they are read: keep them with persist(), or seed what is random in them."
)


@final
@dataclass(frozen=True)
class CountedFolds(Folds):
    """Each chunk gives so many rows of each class to each fold.

    Attributes
    ----------
    counts : (chunks, k, F) rows of each chunk and class in each fold.
    labels : (k,) the classes in order of appearance, or None where all rows are of one kind (k = 1).
    seed : of the order in which the rows of a chunk and class go into folds; None: first rows first.
    """

    counts: AnyArray
    labels: AnyArray | None = None
    seed: int | None = None

    def of(
        self, chunk: int, rows: int, y: AnyArray | None = None, groups: AnyArray | None = None
    ) -> FoldArray:
        by_class = self._class_after_class(chunk)
        if len(by_class) != rows:
            given = f"it has {rows} rows, and had {len(by_class)}"
            raise ChunkMismatch(CHANGED.format(chunk=chunk, what="rows", given=given))
        if self.labels is None:
            return by_class
        assert y is not None
        fold = np.empty_like(by_class)
        ends = self.counts[chunk].sum(axis=1).cumsum()
        parts = np.split(by_class, ends[:-1])
        for label, members, part in zip(self.labels, self._members(chunk, y), parts, strict=True):
            if len(members) != len(part):
                name = np.asarray(label).tolist()
                given = f"it has {len(members)} rows of class {name!r}, and had {len(part)}"
                raise ChunkMismatch(CHANGED.format(chunk=chunk, what="labels", given=given))
            fold[members] = part
        return fold

    @property
    def sizes(self) -> IntArray | None:
        return np.asarray(self.counts.sum(axis=1, dtype=np.int64))

    def _class_after_class(self, chunk: int) -> FoldArray:
        """(rows,) the folds of all rows of the first class, then those of the second, and so on."""
        counts = self.counts[chunk]
        folds = np.arange(counts.shape[1], dtype=np.int32)
        filled = np.tile(folds, counts.shape[0]).repeat(counts.ravel())
        if self.seed is not None:
            rng = np.random.Generator(np.random.SFC64([self.seed, chunk + 1]))
            for of_class in np.split(filled, counts.sum(axis=1).cumsum()[:-1]):
                rng.shuffle(of_class)
        return filled

    def _members(self, chunk: int, y: AnyArray) -> Iterable[IntArray]:
        """The positions of the rows of each class, in ascending order."""
        assert self.labels is not None
        if len(self.labels) <= _FEW:
            return (np.flatnonzero(y == label) for label in self.labels)
        order = np.argsort(self.labels)
        codes = order.astype(np.uint16)[positions(y, self.labels[order], chunk, "labels")]
        ends = np.bincount(codes, minlength=len(order)).cumsum()
        # 16 bits are sorted in linear time
        return np.split(np.argsort(codes, kind="stable"), ends[:-1])


@final
@dataclass(frozen=True)
class GroupedFolds(Folds):
    """All rows of a group go into the same fold.

    Attributes
    ----------
    groups : (g,) in ascending order.
    fold : (g,) the fold of each group.
    """

    groups: AnyArray
    fold: FoldArray

    def of(
        self, chunk: int, rows: int, y: AnyArray | None = None, groups: AnyArray | None = None
    ) -> FoldArray:
        assert groups is not None and len(groups) == rows
        return self.fold[positions(groups, self.groups, chunk, "groups")]

    @property
    def sizes(self) -> IntArray | None:
        return None


def numbered(folds: Folds) -> Folds:
    """The same splits, small enough to travel with each question, where the group of a row is its fold."""
    numbers = np.arange(folds.n_folds, dtype=np.int32)
    return GroupedFolds(folds.tests, folds.trains, (), numbers, numbers)


def positions(given: AnyArray, values: AnyArray, chunk: int, what: str) -> IntArray:
    """(rows,) where each of the given labels or groups is among the values, which ascend."""
    places = np.minimum(np.searchsorted(values, given), len(values) - 1)
    unknown = values[places] != given
    if unknown.any():
        first = np.asarray(given)[unknown].tolist()[0]
        raise ChunkMismatch(CHANGED.format(chunk=chunk, what=what, given=f"{first!r} was not among them"))
    return places


def counted(
    tally: Tally,
    sizes: IntArray,
    tests: BoolArray,
    trains: BoolArray,
    *,
    seed: int | None = None,
    notes: tuple[str, ...] = (),
) -> CountedFolds:
    """Folds with (k, F) ``sizes`` rows of each class, in order or, with a seed, at random."""
    if seed is None:
        counts = in_order(tally.counts, sizes)
    else:
        counts = at_random(tally.counts, sizes, seed)
    small = np.min_scalar_type(-int(counts.max()) - 1)  # they travel with each question
    return CountedFolds(tests, trains, notes, counts.astype(small), tally.values, seed)
