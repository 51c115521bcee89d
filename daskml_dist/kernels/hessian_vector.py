"""The Hessian times vectors, without forming the Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.rows import blocks
from daskml_dist.kernels.sweep import Point, weighted
from daskml_dist.losses import Loss
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class HessianVector(Kernel[FloatArray]):
    """sum_i s_i loss''(y_i, z_i) x_i (x_i' v) for the m rows v of ``vectors``, for one problem.

    Attributes
    ----------
    loss : the loss.
    point : where; K = 1.
    vectors : (m, q) in the centred coordinates (w, b). The answer has the same shape.
    """

    loss: Loss
    point: Point
    vectors: FloatArray

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        along = self.point.at(self.vectors)
        products = np.zeros((self.vectors.shape[0], chunk.X.shape[1]))
        sums = np.zeros(self.vectors.shape[0])
        for where, x in blocks(chunk.X):
            z = x @ self.point.w[0] + self.point.raw_intercept[0]
            if chunk.offset is not None:
                z += chunk.offset[where]
            _, _, curvature = self.loss.value_slope_curvature(chunk.y[where], z)
            if chunk.weight is not None:
                curvature = weighted(chunk.weight[where], curvature)
            changes = curvature * ((x @ along.w.T).T + along.raw_intercept[:, None])  # (m, B)
            products += changes @ x
            sums += changes.sum(axis=1)
        if self.point.intercept:
            products = np.column_stack([products - np.outer(sums, self.point.centre), sums])
        return Part({"products": products})

    def finish(self, total: Total) -> FloatArray:
        return total.sums["products"]
