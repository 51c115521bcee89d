"""A positive definite model of the Hessian: a Cholesky factor, improved by secant pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky

from daskml_dist.types import FloatArray

_MEMORY = 20
_SHIFTS = (0.0, *(10.0**-k for k in range(13, -1, -1)))


@final
@dataclass(frozen=True)
class Metric:
    """M = D L L' D, with the diagonal D that makes D^-1 M D^-1 have ones on its diagonal.

    Attributes
    ----------
    scale : (q,) the diagonal of D.
    factor : (q, q) lower triangular L, or empty for the identity.
    steps, changes : (m, q) pairs of steps and of the changes of the gradient along them.
    """

    scale: FloatArray
    factor: FloatArray
    steps: FloatArray
    changes: FloatArray

    @classmethod
    def of(cls, matrix: FloatArray) -> Metric:
        """The metric of a positive semi-definite matrix; null directions get a small ridge."""
        q = matrix.shape[0]
        diagonal = np.diag(matrix)
        scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        scaled = matrix / np.outer(scale, scale)
        for shift in _SHIFTS:
            try:
                factor = cholesky(scaled + shift * np.eye(q), lower=True, check_finite=False)
            except LinAlgError:
                continue
            if np.diag(factor).min() > 1e-7:  # squared: where float64 sees the direction at all
                break
        else:
            factor = np.eye(q)
        return cls(scale, factor, np.empty((0, q)), np.empty((0, q)))

    @classmethod
    def diagonal(cls, diagonal: FloatArray) -> Metric:
        """The metric of a diagonal matrix, which is never formed."""
        scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        q = scale.shape[0]
        return cls(scale, np.empty((0, 0)), np.empty((0, q)), np.empty((0, q)))

    @property
    def cholesky_factor(self) -> FloatArray:
        """Lower triangular C with M = C C'."""
        return np.diag(self.scale) if self.factor.size == 0 else self.scale[:, None] * self.factor

    @property
    def matrix(self) -> FloatArray:
        """(q, q) B, which is M updated by the pairs (BFGS)."""
        B = self.cholesky_factor @ self.cholesky_factor.T
        for s, y in zip(self.steps, self.changes, strict=True):
            Bs = B @ s
            B = B - np.outer(Bs, Bs) / (s @ Bs) + np.outer(y, y) / (s @ y)
        return np.asarray(0.5 * (B + B.T))

    def solve(self, gradient: FloatArray) -> FloatArray:
        """B^-1 g, where B is M updated by the pairs (L-BFGS two-loop recursion; Nocedal 1980)."""
        g = gradient.copy()
        inner = np.einsum("ij,ij->i", self.steps, self.changes)
        along = np.empty(len(inner))
        for i in range(len(inner) - 1, -1, -1):
            along[i] = self.steps[i] @ g / inner[i]
            g -= along[i] * self.changes[i]
        g /= self.scale
        if self.factor.size:
            g = cho_solve((self.factor, True), g, check_finite=False)
        g /= self.scale
        for i in range(len(inner)):
            g += (along[i] - self.changes[i] @ g / inner[i]) * self.steps[i]
        return g

    def updated(self, step: FloatArray, change: FloatArray) -> Metric:
        """The metric that also maps ``step`` to ``change``; a pair without positive curvature is left out."""
        curvature = step @ change
        if not curvature > 1e-14 * np.linalg.norm(step) * np.linalg.norm(change):
            return self
        return replace(
            self,
            steps=np.vstack([self.steps, step])[-_MEMORY:],
            changes=np.vstack([self.changes, change])[-_MEMORY:],
        )
