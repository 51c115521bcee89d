"""A sample of the rows that matter most where the solver stands, drawn in the pass that sweeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.linalg import solve_triangular

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.blocks import row_blocks
from daskml_dist.kernels.sample import drawn, joined
from daskml_dist.kernels.sweep import Sweep, SweepAnswer
from daskml_dist.kernels.weights import weighted
from daskml_dist.types import Chunk, FloatArray

_FLOOR = 0.1  # of the sample is drawn whatever the leverage, so that no weight exceeds ten times the mean
_LARGEST = 1e300


@final
@dataclass(frozen=True)
class SweptSample:
    """The answer of a sweep of all rows, and a sample of them."""

    answer: SweepAnswer
    sample: Chunk


@final
@dataclass(frozen=True)
class LeverageSample(Kernel[SweptSample]):
    """Ask for a sweep, and for rows drawn by their leverage in a metric and by their residual.

    The leverage of a row x in the metric L L' is ``|L^-1 (x - centre, 1)|^2``: how far the margin of the row
    can move within a ball of the metric. With the Hessian of a sample as the metric, rows whose columns
    that sample hardly knew have huge leverage, and are drawn for certain (Cohen et al. 2015, Uniform
    sampling for matrix approximation). Rows that pull hard, with a large derivative of the loss by the
    margin, are those that a nearly separating hyperplane is held by. Half of the sample goes to either.
    Each chunk gives its share of the rows; weights are divided by the probability, so that sums over
    the sample are unbiased (Horvitz and Thompson 1952).

    Attributes
    ----------
    sweep : what is asked of all rows.
    factor : (q, q) lower Cholesky factor L of the metric. The radius in it is answered too.
    share : of the rows that are wanted, 0 < share <= 1.
    seed : of the random numbers.
    """

    sweep: Sweep
    factor: FloatArray
    share: float
    seed: int

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None
        part = self.sweep.chunk(chunk)
        leverage, pull = self._scores(chunk)
        largest = {"radius2": np.asarray(leverage.max())}
        rate = np.minimum(probabilities(leverage, self.share / 2) + probabilities(pull, self.share / 2), 1.0)
        return Part(part.sums, largest, {chunk.id: drawn(chunk, rate, self.seed)})

    def _scores(self, chunk: Chunk) -> tuple[FloatArray, FloatArray]:
        """(n,) leverages, and (n,) sizes of the derivative of the loss by the margin, times the weight."""
        assert chunk.X is not None and chunk.y is not None
        point, p, q = self.sweep.point, chunk.X.shape[1], self.factor.shape[0]
        leverage, pull = np.empty(chunk.X.shape[0]), np.empty(chunk.X.shape[0])
        for where, x in row_blocks(chunk.X, at_least=2 * p):
            z = x @ point.w[0] + point.raw_intercept[0]
            if chunk.offset is not None:
                z += chunk.offset[where]
            pull[where] = np.abs(self.sweep.loss.value_slope(chunk.y[where], z)[1])
            rows = np.empty((x.shape[0], q))
            np.subtract(x, point.centre, out=rows[:, :p])
            rows[:, p:] = 1.0
            scaled = solve_triangular(self.factor, rows.T, lower=True, overwrite_b=True, check_finite=False)
            leverage[where] = np.einsum("ij,ij->j", scaled, scaled)
        if chunk.weight is not None:
            leverage, pull = np.where(chunk.weight > 0, leverage, 0.0), weighted(chunk.weight, pull)
        return _finite(leverage), _finite(pull)

    def finish(self, total: Total) -> SweptSample:
        return SweptSample(self.sweep.finish(total), joined(total.gathered))


def probabilities(score: FloatArray, share: float) -> FloatArray:
    """(n,) min(1, a + c score), with c such that their sum is n times the share."""
    rows = score.shape[0]
    floor = _FLOOR * share
    sure = np.zeros(rows, dtype=bool)
    while True:
        free = ~sure
        rest = float(score[free].sum())
        left = share * rows - sure.sum() - floor * free.sum()
        slope = max(left, 0.0) / rest if rest > 0.0 else 0.0
        rate = np.where(sure, 1.0, floor + slope * score)
        over = free & (rate >= 1.0)
        if not over.any():
            return rate
        sure |= over


def _finite(score: FloatArray) -> FloatArray:
    largest = _LARGEST / score.shape[0]
    return np.nan_to_num(score, nan=largest, posinf=largest)
