"""Whether the rows of different chunks are alike, as far as their gradients tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.mini_batch import batch_of, seen
from daskml_dist.kernels.stepping import Stepping
from daskml_dist.kernels.sweep import Point
from daskml_dist.kernels.view import View, rows_of
from daskml_dist.kernels.walk import Walk
from daskml_dist.losses import Loss
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk

_PIECES = 8  # of a chunk, from which its own noise is known


@final
@dataclass(frozen=True)
class Likeness(Kernel[float]):
    """The ratio F of the variance of gradients between chunks to that within them; 1 where they are alike.

    Each chunk draws some of its rows in pieces of the same size; the gradients of pieces are compared in the
    metric of the descent (analysis of variance in one way; Fisher 1925).

    Attributes
    ----------
    loss, point, views : as in ``MiniBatch``.
    stepping : whose metric it is.
    walk : in which order rows come; the first ``rows`` of it are looked at.
    rows : how many, of each chunk.
    folds : of the splits that the views speak of, or None.
    """

    loss: Loss
    point: Point
    views: tuple[View, ...]
    stepping: Stepping
    walk: Walk
    rows: int
    folds: Folds | None = None

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None
        size = self.rows // _PIECES
        rows = self.walk.rows(chunk.id, chunk.X.shape[0])[: self.rows]
        pieces = len(rows) // size
        slopes = [self._slope(rows_of(chunk, rows[size * i : size * (i + 1)])) for i in range(pieces)]
        q = self.point.theta.shape
        total = np.sum(slopes, axis=0) if slopes else np.zeros(q)
        squares = float(sum(self._square(slope) for slope in slopes))
        between = self._square(total) / max(pieces, 1)
        counts = np.array([pieces, float(pieces > 0), between, squares])
        return Part({"slope": total, "counts": counts})

    def _slope(self, chunk: Chunk) -> np.ndarray:
        batch = batch_of(self.loss, self.point, seen(chunk, self.views, self.folds))
        return batch.gradient / np.where(batch.weight_sum > 0.0, batch.weight_sum, 1.0)[:, None]

    def _square(self, slope: np.ndarray) -> float:
        return float(np.sum(slope * self.stepping.preconditioned(slope)))

    def finish(self, total: Total) -> float:
        pieces, chunks, between, squares = total.sums["counts"]
        if chunks < 2.0 or pieces <= chunks:
            return 1.0
        among = (between - self._square(total.sums["slope"]) / pieces) / (chunks - 1.0)
        within = (squares - between) / (pieces - chunks)
        return float(among / within) if within > 0.0 else 1.0
