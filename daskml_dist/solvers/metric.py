"""A positive definite model of the Hessian: a Cholesky factor, improved by secant pairs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from scipy.linalg import cho_solve

from daskml_dist.kernels import lifted_cholesky
from daskml_dist.solvers.hessian import Hessian
from daskml_dist.types import AnyArray, FloatArray

_MEMORY = 20


@final
@dataclass(frozen=True)
class Metric:
    """M = D L L' D, with the diagonal D that makes D^-1 M D^-1 have ones on its diagonal.

    M may be made of blocks along its diagonal, one for each margin of a joint loss.

    Attributes
    ----------
    scale : (q,) the diagonal of D.
    factor : (q, q) lower triangular L, or empty for the identity; (k, q / k, q / k) of k blocks.
    steps, changes : (m, q) pairs of steps and of the changes of the gradient along them.
    order : (q,) where each parameter is when they come block after block; empty without blocks.
    """

    scale: FloatArray
    factor: FloatArray
    steps: FloatArray
    changes: FloatArray
    order: AnyArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @classmethod
    def of(cls, matrix: FloatArray) -> Metric:
        """The metric of a positive semi-definite matrix; null directions get a small ridge."""
        scale, factor = lifted_cholesky(matrix)
        none = np.empty((0, scale.size))
        return cls(scale, factor, none, none)

    @classmethod
    def diagonal(cls, diagonal: FloatArray) -> Metric:
        """The metric of a diagonal matrix, which is never formed."""
        scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        q = scale.shape[0]
        return cls(scale, np.empty((0, 0)), np.empty((0, q)), np.empty((0, q)))

    @classmethod
    def blocks(cls, blocks: FloatArray, order: AnyArray) -> Metric:
        """The metric of k positive semi-definite (d, d) blocks; ``order`` is that of ``theta_order``."""
        parts = [cls.of(block) for block in blocks]
        none = np.empty((0, order.size))
        scale = np.concatenate([part.scale for part in parts])[order]
        return cls(scale, np.stack([part.factor for part in parts]), none, none, order)

    @property
    def memory(self) -> dict[str, FloatArray]:
        """As arrays of a state."""
        return {
            "scale": self.scale,
            "factor": self.factor,
            "steps": self.steps,
            "changes": self.changes,
            "order": self.order.astype(np.float64),
        }

    @property
    def cholesky_factor(self) -> FloatArray:
        """Lower triangular C with M = C C'."""
        return np.diag(self.scale) if self.factor.size == 0 else self.scale[:, None] * self.factor

    def hessian(self, *, sampled: bool) -> Hessian | None:
        """The matrix without the pairs as a Hessian; None where it is diagonal, or made of blocks."""
        whole = self.factor.size > 0 and self.order.size == 0
        return Hessian(self.scale, self.factor, sampled) if whole else None

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
        g = self._solve_first(g)
        for i in range(len(inner)):
            g += (along[i] - self.changes[i] @ g / inner[i]) * self.steps[i]
        return g

    def _solve_first(self, g: FloatArray) -> FloatArray:
        """M^-1 g."""
        g = g / self.scale
        if self.order.size:
            return self._solve_blocks(g)
        if self.factor.size:
            g = cho_solve((self.factor, True), g, check_finite=False)
        return g / self.scale

    def _solve_blocks(self, g: FloatArray) -> FloatArray:
        """The same block after block, without what would be added to all margins alike.

        A joint loss does not see that, so that the blocks, which each see their own margin only, must not
        go there: they take the loss for steep where there is the penalty alone.
        """
        ordered = np.empty_like(g)
        ordered[self.order] = g
        pairs = zip(self.factor, ordered.reshape(len(self.factor), -1), strict=True)
        solved = np.concatenate([cho_solve((L, True), row, check_finite=False) for L, row in pairs])
        solved[self.order] = solved[self.order] / self.scale
        rows = solved.reshape(len(self.factor), -1)
        return np.asarray((rows - rows.mean(axis=0)).reshape(-1)[self.order])

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
