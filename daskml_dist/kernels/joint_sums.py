"""Sums of a sweep over rows whose margins belong to one problem, as those of several classes do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.blas import dsyrk

from daskml_dist.errors import UnsupportedCombination
from daskml_dist.kernels._base import Part
from daskml_dist.kernels.packing import pack
from daskml_dist.kernels.rows import dense_rows, extended, squares
from daskml_dist.kernels.weights import weighted
from daskml_dist.types import AnyArray, FloatArray

if TYPE_CHECKING:
    from daskml_dist.kernels.sweep import Sweep

_TALL = 2048  # rows of a block: products with so few columns as margins need many rows


class JointSums:
    """Running sums over the row blocks of one chunk; parameters as in ``Point.theta`` of joint margins."""

    def __init__(self, ask: Sweep) -> None:
        if ask.factor is not None:
            raise UnsupportedCombination("The radius of a joint loss is not known: ask without a factor.")
        point = ask.point
        self.ask, self.point, self.shift = ask, point, point.raw_intercept
        self.margins, self.p = point.w.shape
        q = self.p + point.intercept
        self.w = np.ascontiguousarray(point.w.T)  # products with sparse rows would copy it anew each time
        self.value, self.slopes = 0.0, np.zeros(self.margins)
        self.gradient = np.zeros(point.w.shape)
        self.trials = np.zeros(len(ask.steps))
        size = self.margins * q if ask.hessian else 0
        self.outer = np.zeros((size, size), order="F")  # of the means of the rows, margin after margin
        self.blocks = np.zeros((self.margins, q, q)) if ask.hessian else np.zeros((0, q, q))
        self.diagonal = np.zeros((self.margins, q))
        self.tall = max(size // 2, _TALL)
        # whether sparse rows are made dense, and the centred rows are formed anyway: then the gradient is
        # summed over them, in which a constant column is zero to the last bit
        self.dense = ask.hessian

    def add(self, x: FloatArray, y: FloatArray, weight: FloatArray | None, offset: FloatArray | None) -> None:
        """Add a block: x (B, p), y (B,), weight and offset (B,) or None; an offset goes to all margins."""
        z = x @ self.w + self.shift
        if offset is not None:
            z += offset[:, None]
        value, slope, chances = self.ask.loss.value_slope_curvature(y, z)
        if weight is not None:
            value, slope = weighted(weight, value), weighted(weight[:, None], slope)
        self.value += float(value.sum())
        self.slopes += slope.sum(axis=0)
        self._add_trials(x, y, z, weight)
        if self.ask.hessian:
            rows = dense_rows(x, self.point.centre, self.point.intercept)
            self.gradient += slope.T @ rows[:, : self.p]
            self._add_hessian(rows, chances, weight)
        else:
            self.gradient += slope.T @ x
        if self.ask.diagonal:
            curvature = chances * (1.0 - chances)
            curvature = curvature if weight is None else weighted(weight[:, None], curvature)
            self.diagonal += squares(extended(x, self.point.centre, self.point.intercept), curvature.T)

    def _add_trials(self, x: FloatArray, y: FloatArray, z: FloatArray, weight: FloatArray | None) -> None:
        if not self.ask.steps:
            return
        assert self.ask.direction is not None
        along = self.point.at(self.ask.direction)
        change = x @ along.w.T + along.raw_intercept
        for place, step in enumerate(self.ask.steps):
            value = self.ask.loss.value(y, z + step * change)
            self.trials[place] += float((value if weight is None else weighted(weight, value)).sum())

    def _add_hessian(self, e: FloatArray, chances: FloatArray, weight: FloatArray | None) -> None:
        """sum s (diag(c) - c c') kron e e', with rows e = (x - centre, 1)."""
        means = chances if weight is None else chances * np.sqrt(weight)[:, None]
        rows = (means[:, :, None] * e[:, None, :]).reshape(len(e), -1)
        self.outer = dsyrk(1.0, rows.T, beta=1.0, c=self.outer, lower=1, overwrite_c=1)
        for k in range(self.margins):
            share = chances[:, k] if weight is None else weight * chances[:, k]
            self.blocks[k] += (e * share[:, None]).T @ e

    def part(self, weight_sum: float) -> Part:
        """What the chunk contributes, in the centred coordinates."""
        gradient = self.gradient
        if self.point.intercept and not self.ask.hessian:
            gradient = gradient - np.outer(self.slopes, self.point.centre)
        parts = [gradient.reshape(-1)] + [self.slopes] * self.point.intercept
        sums: dict[str, AnyArray] = {
            "weight_sum": np.asarray(weight_sum),
            "value": np.array([self.value]),
            "gradient": np.concatenate(parts)[None],
            "trials": self.trials[None],
        }
        if self.ask.hessian:
            sums["hessian"] = pack(self._hessian())[None]
        if self.ask.diagonal:
            order = theta_order(self.margins, self.p, self.point.intercept)
            sums["diagonal"] = self.diagonal.reshape(-1)[order][None]
        return Part(sums)

    def _hessian(self) -> FloatArray:
        """(K q, K q), in the order of ``Point.theta``; its lower triangle."""
        q = self.p + self.point.intercept
        hessian = -(self.outer + np.tril(self.outer, -1).T)
        for k, block in enumerate(self.blocks):
            own = slice(k * q, (k + 1) * q)
            hessian[own, own] += block
        order = theta_order(self.margins, self.p, self.point.intercept)
        return np.asarray(hessian[np.ix_(order, order)])


def theta_order(margins: int, p: int, intercept: bool) -> AnyArray:
    """(K q,) where each parameter of ``Point.theta`` is when the parameters come margin after margin."""
    places = np.arange(margins * (p + intercept)).reshape(margins, -1)
    return np.concatenate([places[:, :p].reshape(-1), places[:, p:].reshape(-1)])
