"""The Hessian times vectors, without forming the Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.rows import blocks
from daskml_dist.kernels.sweep import Point
from daskml_dist.kernels.weights import weighted
from daskml_dist.losses import Loss
from daskml_dist.types import AnyArray, Chunk, FloatArray


@final
@dataclass(frozen=True)
class HessianVector(Kernel[FloatArray]):
    """sum_i s_i loss''(y_i, z_i) x_i (x_i' v) for the m rows v of ``vectors``, for one problem.

    Attributes
    ----------
    loss : the loss.
    point : where; of one problem.
    vectors : (m, q) in the coordinates of ``point.theta``. The answer has the same shape.
    """

    loss: Loss
    point: Point
    vectors: FloatArray

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        along = [Along.of(self.point.at(vector[None])) for vector in self.vectors]
        at = Along.of(self.point)
        products = np.zeros((len(along), *self.point.w.shape))
        sums = np.zeros((len(along), len(self.point.w)))
        for where, x in blocks(chunk.X, margins=len(self.point.w)):
            z = at.margins(x)
            if chunk.offset is not None:
                z += chunk.offset[where][:, None]
            weight = None if chunk.weight is None else chunk.weight[where]
            for m, direction in enumerate(along):
                changes = self._changes(chunk.y[where], z, direction.margins(x))
                if weight is not None:
                    changes = weighted(weight[:, None], changes)
                products[m] += changes.T @ x
                sums[m] += changes.sum(axis=0)
        if self.point.intercept:
            products -= sums[:, :, None] * self.point.centre
        flat = products.reshape(len(along), -1)
        return Part({"products": np.column_stack([flat, sums]) if self.point.intercept else flat})

    def _changes(self, y: FloatArray, z: FloatArray, change: FloatArray) -> FloatArray:
        """(B, K) how fast the slopes change where the margins z do by ``change``."""
        if self.point.joint:
            chances = self.loss.value_slope_curvature(y, z)[2]
            change = change - np.sum(chances * change, axis=1, keepdims=True)
            return np.asarray(chances * change)
        curvature = self.loss.value_slope_curvature(y, z[:, 0])[2]
        return np.asarray(curvature[:, None] * change)

    def finish(self, total: Total) -> FloatArray:
        return total.sums["products"]


@final
@dataclass(frozen=True)
class Along:
    """The margins of rows; coefficients as products with sparse rows want them."""

    w: FloatArray  # (p, K)
    intercept: FloatArray  # (K,)

    @classmethod
    def of(cls, point: Point) -> Along:
        """Those of a point, or of a direction given as one."""
        return cls(np.ascontiguousarray(point.w.T), point.raw_intercept)

    def margins(self, x: AnyArray) -> FloatArray:
        """(B, K)"""
        return np.asarray(x @ self.w + self.intercept)
