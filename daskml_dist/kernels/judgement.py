"""How a classifier does on rows: which labels it takes for which, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import log_softmax

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.rows import blocks
from daskml_dist.kernels.sweep import Point
from daskml_dist.types import Chunk, FloatArray

_LEAST = np.finfo(np.float64).eps  # scikit-learn's bound of a probability that is scored by its logarithm


@final
@dataclass(frozen=True)
class Verdict:
    """Weighted sums over rows.

    Attributes
    ----------
    confusion : (k, k) weight of the rows of each class for which each class was predicted.
    log_loss : of minus the logarithm of the probability that the class of the row was given.
    squares : of the squared distance of the probabilities from the class of the row, (k,)-vectors both.
    """

    confusion: FloatArray
    log_loss: float
    squares: float


@final
@dataclass(frozen=True)
class Judgement(Kernel[Verdict]):
    """Judge a model of k classes on rows with y = 0 .. k - 1.

    Attributes
    ----------
    point : one margin, above zero for class 1 of two; or k of them, the greatest of which wins, with
        probabilities that are their softmax.
    """

    point: Point

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        k = max(len(self.point.w), 2)
        confusion, log_loss, squares = np.zeros((k, k)), 0.0, 0.0
        for where, x in blocks(chunk.X, margins=len(self.point.w)):
            y = chunk.y[where].astype(np.intp)
            weight = np.ones(len(y)) if chunk.weight is None else chunk.weight[where]
            log_chance = self._log_chances(x, None if chunk.offset is None else chunk.offset[where])
            pairs = np.bincount(k * y + log_chance.argmax(axis=1), weight, minlength=k * k)
            confusion += pairs.reshape(k, k) + 0.0 * log_chance.sum()  # rows that are not finite are refused
            own = np.take_along_axis(log_chance, y[:, None], axis=1)[:, 0]
            log_loss += float(weight @ np.minimum(-own, -np.log(_LEAST)))
            miss = np.exp(log_chance)
            miss[np.arange(len(y)), y] -= 1.0
            squares += float(weight @ np.square(miss).sum(axis=1))
        sums = {"confusion": confusion, "log_loss": np.asarray(log_loss), "squares": np.asarray(squares)}
        return Part(sums)

    def finish(self, total: Total) -> Verdict:
        sums = total.sums
        return Verdict(sums["confusion"], float(sums["log_loss"]), float(sums["squares"]))

    def _log_chances(self, x: FloatArray, offset: FloatArray | None) -> FloatArray:
        """(B, k) logarithms of the probabilities of the classes."""
        z = x @ self.point.w.T + self.point.raw_intercept
        if offset is not None:
            z += offset[:, None]
        if z.shape[1] > 1:
            return np.asarray(log_softmax(z, axis=1))
        return np.column_stack([-np.logaddexp(0.0, z[:, 0]), -np.logaddexp(0.0, -z[:, 0])])
