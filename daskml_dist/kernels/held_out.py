"""Rows that a walk holds out: what is left to train on, and how a model does on the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.mini_batch import seen
from daskml_dist.kernels.rows import blocks
from daskml_dist.kernels.sweep import Point
from daskml_dist.kernels.view import View, rows_of
from daskml_dist.kernels.walk import Walk
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class Left(Kernel[FloatArray]):
    """(K + 1,) the weight of the rows that are trained on, for each problem, and that of those held out.

    Attributes
    ----------
    views : how each of the K problems sees the rows.
    walk : which rows are held out.
    folds : of the splits that the views speak of, or None.
    """

    views: tuple[View, ...]
    walk: Walk
    folds: Folds | None = None
    reads_features = False

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.y is not None
        n = chunk.y.shape[0]
        out = self.walk.held_out(chunk.id, n)
        kept = np.ones(n)
        kept[out] = 0.0
        each = seen(chunk, self.views, self.folds)
        of_problems = [kept.sum() if s.weight is None else kept @ s.weight for s in each]
        of_held = float(out.size if chunk.weight is None else chunk.weight[out].sum())
        return Part({"weights": np.array([*of_problems, of_held], dtype=np.float64)})

    def finish(self, total: Total) -> FloatArray:
        return total.sums["weights"]


class Score(NamedTuple):
    """A score and its standard error, as if rows were independent."""

    value: float
    error: float


@final
@dataclass(frozen=True)
class HeldOut(Kernel[Score]):
    """The score on the rows that are held out: accuracy of classes, else r2; 0 where there is no weight.

    With t_i the hit of a row or the square of its residual and s_i its weight, the standard error of the mean
    of t is sqrt(sum s_i^2 (t_i - mean)^2) / sum s_i; that of r2 takes the spread of y as known.

    Attributes
    ----------
    point : the model, of one margin for two classes, or of one for each class.
    walk : which rows are held out.
    labels : whether y holds classes, coded 0 .. k - 1.
    """

    point: Point
    walk: Walk
    labels: bool

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None
        few = rows_of(chunk, self.walk.held_out(chunk.id, chunk.X.shape[0]))
        assert few.X is not None and few.y is not None
        sums = np.zeros(7)  # weight, hits or squared residuals t, y, y^2; s^2, s^2 t, s^2 t^2
        for where, x in blocks(few.X, margins=len(self.point.w)):
            z, y = x @ self.point.w.T + self.point.raw_intercept, few.y[where]
            s = np.ones(y.shape[0]) if few.weight is None else few.weight[where]
            t, ss = self._told(z, y), np.square(s)
            sums += [s.sum(), s @ t, s @ y, s @ np.square(y), ss.sum(), ss @ t, ss @ np.square(t)]
        return Part({"sums": sums})

    def _told(self, z: FloatArray, y: FloatArray) -> FloatArray:
        """Of each row, whether its class is hit, or the square of its residual."""
        if not self.labels:
            return np.asarray(np.square(y - z[:, 0]))
        found = z[:, 0] > 0.0 if z.shape[1] == 1 else z.argmax(axis=1)
        return np.asarray((found == y) + 0.0 * z.sum(axis=1))  # rows that are not finite are refused

    def finish(self, total: Total) -> Score:
        weight, told, y, squares, *errors = total.sums["sums"]
        if weight == 0.0:
            return Score(0.0, 0.0)
        mean = told / weight
        ss, of_t, of_squares = errors
        error = float(np.sqrt(max(of_squares - 2.0 * mean * of_t + mean * mean * ss, 0.0)))
        if self.labels:
            return Score(float(mean), error / float(weight))
        spread = squares - y * y / weight
        return Score(float(1.0 - told / spread), error / float(spread)) if spread > 0.0 else Score(0.0, 0.0)
