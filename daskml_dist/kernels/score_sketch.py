"""Scores of a classifier, sketched by class: all that curves and the areas under them depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.errors import InvalidData
from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.refusal import refuse_non_finite
from daskml_dist.kernels.sketch import LAST_KEY, MOST, Keys, Sketch, folded, keys, merged, sketch
from daskml_dist.types import AnyArray, Chunk

Grouping = Literal["class", "own class", "own class, pooled"]


@final
@dataclass(frozen=True)
class Window:
    """The numbers of one column whose keys are from ``low`` to ``high``, both included."""

    column: int = 0
    low: int = 0
    high: int = LAST_KEY


@final
@dataclass(frozen=True)
class ScoreSketch(Kernel[Sketch]):
    """The columns of X, each value beside the class of its row; y is coded 0 .. n_classes - 1.

    Attributes
    ----------
    n_classes : k.
    grouping : what makes a group of the sketch: "class", column and class (group ``column * k + y``);
        "own class", the column and whether the class of the row is that of the column
        (``2 * column + (y == column)``); "own class, pooled", the same with all columns as one.
    most : bins at most, see ``sketch``.
    window : look at no more than this; None for everything.
    sum_to_one : whether rows of X that are no probabilities are refused.
    """

    n_classes: int
    grouping: Grouping = "class"
    most: int = MOST
    window: Window | None = None
    sum_to_one: bool = False

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        if not np.isfinite(chunk.X).all():
            refuse_non_finite(chunk)
        if self.sum_to_one:
            refuse_other_sums(chunk)
        parts = [self._column(chunk, chunk.y.astype(np.int32), c) for c in self._columns(chunk.X)]
        scores, group = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        if scores.size == 0:
            return Part()
        weight = None if chunk.weight is None else np.concatenate([part[2] for part in parts])
        return Part(gathered={chunk.id: sketch(scores, group, weight, self.most)})

    def fold(self, gathered: dict[int, Sketch]) -> dict[int, Sketch]:
        return folded(gathered, self.most)

    def finish(self, total: Total) -> Sketch:
        return merged([total.gathered[key] for key in sorted(total.gathered)], self.most)

    def _columns(self, X: AnyArray) -> range:
        if self.window is None or self.grouping == "own class, pooled":
            return range(X.shape[1])
        return range(self.window.column, self.window.column + 1)

    def _column(
        self, chunk: Chunk, y: NDArray[np.int32], column: int
    ) -> tuple[Keys, NDArray[np.int32], AnyArray]:
        """Keys, groups and weights (no weight at all where there is none) of one column."""
        assert chunk.X is not None
        scores, group = keys(chunk.X[:, column]), self._groups(y, column)
        weight = np.empty(0) if chunk.weight is None else chunk.weight
        if self.window is None:
            return scores, group, weight
        inside = (scores >= np.uint64(self.window.low)) & (scores <= np.uint64(self.window.high))
        return scores[inside], group[inside], weight if chunk.weight is None else weight[inside]

    def _groups(self, y: NDArray[np.int32], column: int) -> NDArray[np.int32]:
        if self.grouping == "class":
            return np.asarray(y + np.int32(column * self.n_classes))
        own = (y == column).astype(np.int32)
        return own if self.grouping == "own class, pooled" else np.asarray(own + np.int32(2 * column))


def refuse_other_sums(chunk: Chunk) -> None:
    """Refuse rows of X that do not add up to 1 within 1e-5, which is scikit-learn's tolerance."""
    assert chunk.X is not None
    sums = chunk.X.sum(axis=1, dtype=np.float64)
    off = ~np.isclose(1.0, sums)
    if off.any():
        row = int(np.argmax(off))
        raise InvalidData(
            f"Target scores need to be probabilities, which add up to 1 over classes: {int(off.sum())} "
            f"row(s) of X in chunk {chunk.id} do not, the first is row {row} of the chunk with a sum of "
            f"{sums[row]:g}."
        )
