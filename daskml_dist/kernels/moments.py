"""Shifted second moments of features and targets: all that least squares needs, in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.sparse import csr_array, hstack, issparse

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.blocks import row_blocks
from daskml_dist.kernels.packing import pack, unpack
from daskml_dist.kernels.rows import SparseRows, blocks
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class GlimpseAnswer:
    """Means over a few rows: (p,) of X, and (t,) of y."""

    x_mean: FloatArray
    y_mean: FloatArray


@final
@dataclass(frozen=True)
class Glimpse(Kernel[GlimpseAnswer]):
    """Means over a few rows of some chunks: a shift, so that moments do not cancel.

    Any value near the data will do; it needs no proper sample. Of a constant column it is the constant to
    the last bit: what rounding leaves of one would be taken for a feature.
    """

    rows_a_chunk: int
    streams_only: ClassVar[int | None] = 8

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        few: Any = chunk.X[: self.rows_a_chunk]
        X = np.require(few.toarray() if issparse(few) else few, dtype=np.float64, requirements=["C", "A"])
        y = chunk.y[: self.rows_a_chunk].reshape(X.shape[0], -1)
        sums = {"rows": np.asarray(float(X.shape[0])), "x": X.sum(axis=0), "y": y.sum(axis=0)}
        return Part(sums, {"high": X.max(axis=0), "minus low": -X.min(axis=0)})

    def finish(self, total: Total) -> GlimpseAnswer:
        rows = total.sums["rows"]
        x_mean = np.clip(total.sums["x"] / rows, -total.maxima["minus low"], total.maxima["high"])
        return GlimpseAnswer(x_mean, total.sums["y"] / rows)


@final
@dataclass(frozen=True)
class MomentsAnswer:
    """Weighted sums of products of (x - x_shift, y - y_shift, 1): (p + t + 1, p + t + 1)."""

    rows: int
    products: FloatArray


@final
@dataclass(frozen=True)
class Moments(Kernel[MomentsAnswer]):
    """sum_i s_i u_i u_i' with u = (x - x_shift, y - offset - y_shift, 1).

    Shifting by a value near the mean keeps the digits that raw second moments lose when the mean is
    far from zero (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance").
    """

    x_shift: FloatArray
    y_shift: FloatArray

    def chunk(self, chunk: Chunk) -> Part:
        q = self.x_shift.shape[0] + self.y_shift.shape[0] + 1
        products = np.zeros((q, q), order="F")
        if issparse(chunk.X):
            return Part({"products": pack(self._of_sparse(chunk))})
        for rows in weighted_rows(chunk, self.x_shift, self.y_shift):
            products = dsyrk(1.0, rows.T, beta=1.0, c=products, lower=1, overwrite_c=1)
        return Part({"products": pack(products)})

    def _of_sparse(self, chunk: Chunk) -> FloatArray:
        """The products of a chunk whose X stays sparse, beside dense columns of targets and ones."""
        assert chunk.X is not None and chunk.y is not None
        n, t = chunk.X.shape[0], self.y_shift.shape[0]
        y = chunk.y.reshape(n, t) - self.y_shift
        if chunk.offset is not None:
            y = y - chunk.offset[:, None]
        weight = np.ones(n) if chunk.weight is None else chunk.weight
        centre = np.concatenate([self.x_shift, np.zeros(t + 1)])
        products = np.zeros((centre.size, centre.size))
        for where, x in blocks(chunk.X):
            beside = csr_array(np.column_stack([y[where], np.ones(x.shape[0])]))
            rows = SparseRows(hstack([x, beside], format="csr"), centre, intercept=False)
            products += rows.gram(weight[where])
        return products

    def finish(self, total: Total) -> MomentsAnswer:
        return MomentsAnswer(total.rows, unpack(total.sums["products"]))


def weighted_rows(chunk: Chunk, x_shift: FloatArray, y_shift: FloatArray) -> Iterator[FloatArray]:
    """Blocks of sqrt(s) (x - x_shift, y - offset - y_shift, 1), each (B, p + t + 1)."""
    assert chunk.X is not None and chunk.y is not None
    p, t = x_shift.shape[0], y_shift.shape[0]
    y = chunk.y.reshape(chunk.X.shape[0], t)
    for where, x in row_blocks(chunk.X, at_least=2 * p):
        rows = np.empty((x.shape[0], p + t + 1))
        np.subtract(x, x_shift, out=rows[:, :p])
        np.subtract(y[where], y_shift, out=rows[:, p : p + t])
        if chunk.offset is not None:
            rows[:, p : p + t] -= chunk.offset[where, None]
        rows[:, p + t] = 1.0
        if chunk.weight is not None:
            rows *= np.sqrt(chunk.weight[where])[:, None]
        yield rows
