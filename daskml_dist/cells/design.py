"""The features of many cells in products: the same for all of them, or of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np

from daskml_dist.types import AnyArray, FloatArray


class Design(ABC):
    """q columns of T samples of C cells, scaled, and a column of ones at the end where there is an intercept.

    Attributes
    ----------
    mean, scale : (p, C) or (p, 1): columns are (x - mean) / scale.
    """

    mean: FloatArray
    scale: FloatArray

    @abstractmethod
    def margins(self, theta: FloatArray) -> FloatArray:
        """(T, C) of (q, C) parameters."""

    @abstractmethod
    def gradient(self, slope: FloatArray) -> FloatArray:
        """(q, C) of (T, C) slopes."""

    @abstractmethod
    def hessian(self, curvature: FloatArray) -> FloatArray:
        """(q, q, C) of (T, C) curvatures."""

    @abstractmethod
    def columns(self) -> FloatArray:
        """(q, T, C) or (q, T, 1)."""

    @abstractmethod
    def taken(self, cells: AnyArray) -> Design:
        """The design of some of the cells."""


@final
class SharedDesign(Design):
    """Features (p, T) that are the same for all cells: products of matrices."""

    def __init__(self, x: FloatArray, intercept: bool) -> None:
        mean = x.sum(axis=1, keepdims=True) / max(x.shape[1], 1) if intercept else np.zeros((len(x), 1))
        self.mean, self.scale = mean, spread(x - mean, axis=1)
        columns = (x - self.mean) / self.scale
        self._x = np.concatenate([columns, np.ones((1, x.shape[1]))]) if intercept else columns
        self._i, self._j = np.triu_indices(len(self._x))
        self._pairs = self._x[self._i] * self._x[self._j]

    def margins(self, theta: FloatArray) -> FloatArray:
        return np.asarray(self._x.T @ theta)

    def gradient(self, slope: FloatArray) -> FloatArray:
        return np.asarray(self._x @ slope)

    def hessian(self, curvature: FloatArray) -> FloatArray:
        q = len(self._x)
        found = np.empty((q, q, curvature.shape[1]))
        found[self._i, self._j] = self._pairs @ curvature
        found[self._j, self._i] = found[self._i, self._j]
        return found

    def columns(self) -> FloatArray:
        return self._x[:, :, None]

    def taken(self, cells: AnyArray) -> Design:
        return self


@final
class OwnDesign(Design):
    """Features (p, T, C) of their own; what is missing is 0 and must have no weight."""

    def __init__(self, x: FloatArray, weight: FloatArray, intercept: bool) -> None:
        total = weight.sum(axis=0)
        safe = np.where(total > 0.0, total, 1.0)
        mean = np.einsum("ptc,tc->pc", x, weight) / safe if intercept else np.zeros((len(x), x.shape[2]))
        centred = np.where(weight > 0.0, x - mean[:, None], 0.0)
        self.mean, self.scale = mean, spread(centred, axis=1)[:, 0]
        columns = centred / self.scale[:, None]
        ones = np.ones((1, *x.shape[1:]))
        self._x = np.concatenate([columns, ones]) if intercept else columns

    def margins(self, theta: FloatArray) -> FloatArray:
        return np.asarray(np.einsum("qtc,qc->tc", self._x, theta))

    def gradient(self, slope: FloatArray) -> FloatArray:
        return np.asarray(np.einsum("qtc,tc->qc", self._x, slope))

    def hessian(self, curvature: FloatArray) -> FloatArray:
        q = len(self._x)
        found = np.empty((q, q, curvature.shape[1]))
        for i in range(q):
            weighted = self._x[i] * curvature
            for j in range(i, q):
                found[i, j] = found[j, i] = np.einsum("tc,tc->c", weighted, self._x[j])
        return found

    def columns(self) -> FloatArray:
        return self._x

    def taken(self, cells: AnyArray) -> Design:
        other = object.__new__(OwnDesign)
        other.mean, other.scale, other._x = self.mean[:, cells], self.scale[:, cells], self._x[:, :, cells]
        return other


def spread(x: FloatArray, axis: int) -> FloatArray:
    """The root of the mean of the squares, 1 where that is 0; the axis stays."""
    size = np.sqrt(np.square(x).sum(axis=axis, keepdims=True) / max(x.shape[axis], 1))
    return np.where(size > 0.0, size, 1.0)
