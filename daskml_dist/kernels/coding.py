"""From labels and class weights to the float64 target and weight that kernels work with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.splits import Folds
from daskml_dist.types import AnyArray, Chunk, FloatArray


@final
@dataclass(frozen=True)
class Coding:
    """How targets are coded.

    Attributes
    ----------
    classes : (k,) sorted labels, coded 0 .. k - 1; None where y is a number already.
    class_weight : (k,) factors on the sample weights, or None.
    raw : whether y is left as it came in; the survey that finds the classes sees it so.
    signs : whether classes become targets of -1 and 1: (n,) for two classes, (n, k) for more.
    one : the class that is coded 1, against all others, which are coded 0; or None.
    groups : sorted groups; None where groups are left as they came in.
    group_codes : the code of each of them.
    chunk_groups : (chunks,) the code of the group that all rows of a chunk belong to; or None.
    folds : whose fold of each row becomes its group, counted once for all questions; or None.
    """

    classes: AnyArray | None = None
    class_weight: FloatArray | None = None
    raw: bool = False
    signs: bool = False
    one: int | None = None
    groups: AnyArray | None = None
    group_codes: AnyArray | None = None
    chunk_groups: AnyArray | None = None
    folds: Folds | None = None

    def code(self, chunk: Chunk) -> Chunk:
        """The chunk with coded target and float64 weights; X is left alone."""
        if chunk.y is None:
            return chunk
        y = chunk.y if self.classes is None else _positions(chunk.y, self.classes)
        weight = chunk.weight
        if self.class_weight is not None:
            by_class = self.class_weight[y.astype(np.intp)]
            weight = by_class if weight is None else weight * by_class
        if self.signs and self.classes is not None:
            y = _signs(y, len(self.classes))
        if self.one is not None:
            y = y == self.one
        if y.ndim == 2 and y.shape[1] == 1 and not self.raw:
            y = y[:, 0]  # one column is one target
        y = y if self.raw else np.require(y, dtype=np.float64, requirements=["C", "A"])
        groups = self._grouped(chunk)
        return replace(
            chunk,
            groups=groups if self.folds is None else self.folds.of(chunk.id, len(y), y, groups),
            y=y,
            weight=None if weight is None else np.require(weight, dtype=np.float64, requirements=["C", "A"]),
            offset=None
            if chunk.offset is None
            else np.require(chunk.offset, dtype=np.float64, requirements=["C", "A"]),
        )

    def _grouped(self, chunk: Chunk) -> AnyArray | None:
        """The groups of the rows, coded where that is asked for."""
        assert chunk.y is not None
        if self.chunk_groups is not None:
            return np.full(len(chunk.y), self.chunk_groups[chunk.id])
        if self.groups is None or self.group_codes is None or chunk.groups is None:
            return chunk.groups
        return np.asarray(self.group_codes[np.searchsorted(self.groups, chunk.groups)])


def _positions(y: AnyArray, classes: AnyArray) -> AnyArray:
    """The position of each label among the classes; of two, all that is not the second is the first."""
    if classes.shape[0] == 2:
        return np.asarray(y == classes[1])
    places = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    return np.where(classes[places] == y, places, -1)  # other labels match no class


def _signs(places: AnyArray, k: int) -> AnyArray:
    """1 in the column of its class and -1 in the others; the second column alone where there are two."""
    columns = places[:, None] == np.arange(k)
    return np.where(columns[:, 1] if k == 2 else columns, 1.0, -1.0)
