"""From sketches of scores to thresholds in descending order, as exact as they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.kernels import Sketch, Window
from daskml_dist.kernels.sketch import Keys
from daskml_dist.types import FloatArray

Ask = Callable[[Window], Sketch]


@final
@dataclass(frozen=True)
class View:
    """Which groups of a sketch are one curve.

    Attributes
    ----------
    column : that a window has to name for more of it.
    first, last : the groups of the column are from ``first`` to ``last - 1``.
    positive, negative : the groups of positives and of negatives.
    """

    column: int
    first: int
    last: int
    positive: tuple[int, ...]
    negative: tuple[int, ...]


@final
@dataclass(frozen=True)
class Bins:
    """Scores in descending order: keys of the least and greatest of each bin, its rows, and its weights.

    Between two bins lies a threshold, so that sums of ``negative`` and ``positive`` from the first bin to any
    other are a point of the exact curve. Within a bin the order is not known, unless it holds one score only.
    """

    low: Keys
    high: Keys
    rows: NDArray[np.int64]
    negative: FloatArray
    positive: FloatArray

    @property
    def tied(self) -> NDArray[np.bool_]:
        """Where all scores of a bin are the same, so that nothing is unknown."""
        return np.asarray(self.low == self.high)

    def __getitem__(self, which: slice | NDArray[np.bool_]) -> Bins:
        return Bins(
            self.low[which],
            self.high[which],
            self.rows[which],
            self.negative[which],
            self.positive[which],
        )

    def __len__(self) -> int:
        return len(self.low)


def bins_of(sketch: Sketch, view: View) -> Bins:
    """One bin for each of the leading bits that scores of the column have, whatever their class."""
    column = (sketch.group >= view.first) & (sketch.group < view.last)
    group, low, high = sketch.group[column], sketch.low[column], sketch.high[column]
    weights, rows = sketch.weights[column], sketch.rows[column]
    leading, place = np.unique(~(low >> np.uint64(sketch.shift)), return_inverse=True)  # descending
    count = len(leading)
    least, greatest = np.full(count, low.max()), np.zeros(count, dtype=np.uint64)
    np.minimum.at(least, place, low)
    np.maximum.at(greatest, place, high)
    negative, positive = (
        np.bincount(place, np.where(np.isin(group, groups), weights, 0.0), count).astype(np.float64)
        for groups in (view.negative, view.positive)
    )
    return Bins(least, greatest, np.bincount(place, rows, count).astype(np.int64), negative, positive)


def resolved(
    bins: Bins, view: View, ask: Ask, matters: Callable[[Bins], NDArray[np.bool_]], most: int
) -> Iterator[Bins]:
    """The bins in order, those that matter looked into until each of them holds one score.

    Neighbours of at most ``most`` rows in all are looked into together, which settles them, in one pass
    over the scores. A single bin with more rows comes back as finer bins, which are looked into in turn.
    So memory is bounded by ``most``, and the number of passes is about the rows in bins that matter /
    ``most``.
    """
    start = 0
    for first in np.flatnonzero(matters(bins)).tolist():
        if first < start:
            continue
        yield bins[start:first]
        start = first + max(1, int(np.searchsorted(np.cumsum(bins.rows[first:]), most, side="right")))
        window = Window(view.column, int(bins.low[start - 1]), int(bins.high[first]))
        yield from resolved(bins_of(ask(window), view), view, ask, matters, most)
    yield bins[start:]
