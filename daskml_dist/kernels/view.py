"""How one of several problems sees the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.splits import Folds
from daskml_dist.types import AnyArray, Chunk, FloatArray

Rows = Literal["trained on", "tested"]


@final
@dataclass(frozen=True)
class View:
    """Which rows a problem sees, and what they weigh.

    Attributes
    ----------
    split : the split whose rows are seen; None for all rows.
    part : whether these are the rows that the split trains on or those that it tests.
    class_weight : factor on the weight of each class, of a y that is coded 0 .. k - 1; or None.
    one : the class that is coded 1, against all others, which are coded 0; or None.
    target : the column of a y of several that is the target; or None.
    group : the group whose rows are seen, of groups that are coded 0 .. G - 1; None for all rows.
    """

    split: int | None = None
    part: Rows = "trained on"
    class_weight: tuple[float, ...] | None = None
    one: int | None = None
    target: int | None = None
    group: int | None = None

    def of(self, chunk: Chunk, folds: Folds | None, fold: NDArray[np.int32] | None) -> Chunk:
        """The chunk as the problem sees it.

        Rows that are not trained on have weight zero, so that X is not copied; of those that are tested
        and of those of a group a copy is made. ``fold`` is the fold of each row.
        """
        if self.group is not None:
            assert self.split is None and chunk.groups is not None
            chunk = rows_of(chunk, np.flatnonzero(chunk.groups == self.group))
        if self.split is None:
            return self._coded(replace(chunk, weight=self._weight(chunk, None)))
        assert folds is not None and fold is not None
        if self.part == "tested":
            return self._coded(rows_of(chunk, np.flatnonzero(folds.tests[self.split][fold])))
        return self._coded(replace(chunk, weight=self._weight(chunk, folds.trains[self.split][fold])))

    def _coded(self, chunk: Chunk) -> Chunk:
        if self.one is not None:
            assert chunk.y is not None
            return replace(chunk, y=(chunk.y == self.one).astype(np.float64))
        if self.target is not None:
            assert chunk.y is not None
            return replace(chunk, y=np.ascontiguousarray(chunk.y[:, self.target]))
        return chunk

    def _weight(self, chunk: Chunk, seen: NDArray[np.bool_] | None) -> FloatArray | None:
        weight = chunk.weight
        if self.class_weight is not None:
            assert chunk.y is not None
            factor = np.asarray(self.class_weight)[chunk.y.astype(np.intp)]
            weight = factor if weight is None else weight * factor
        if seen is not None:
            weight = seen.astype(np.float64) if weight is None else np.where(seen, weight, 0.0)
        return weight


def views_of(views: Sequence[View], chunk: Chunk, folds: Folds | None) -> Mapping[View, Chunk]:
    """The chunk in each of these views, each made once."""
    fold = None if folds is None else fold_of(chunk, folds)
    return {view: view.of(chunk, folds, fold) for view in dict.fromkeys(views)}


def fold_of(chunk: Chunk, folds: Folds) -> NDArray[np.int32]:
    """(n,) the fold of each row of a chunk."""
    rows = next(iter(chunk.columns.values())).shape[0]
    return folds.of(chunk.id, rows, chunk.y, chunk.groups)


def rows_of(chunk: Chunk, rows: AnyArray) -> Chunk:
    """Some rows of a chunk."""
    parts = (chunk.X, chunk.y, chunk.weight, chunk.offset, chunk.groups)
    return Chunk(chunk.id, *(None if part is None else part[rows] for part in parts))
