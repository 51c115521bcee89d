"""The minimum by another road: Newton's method on the whole matrix, with sums in extended precision.

Nothing here is shared with the library. The direction of a step needs no digits, so the linear system
is solved in float64; objective and gradient are summed in numpy.longdouble, where that is wider.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LONG = np.longdouble
WIDER = np.finfo(LONG).eps < 1e-18


@dataclass(frozen=True)
class Objective:
    """F(theta) = sum s loss / sum s + alpha |w|^2 / 2, theta = (w, b) or w."""

    kind: str
    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    alpha: float
    intercept: bool
    offset: np.ndarray | float = 0.0

    @property
    def columns(self) -> np.ndarray:
        X = self.X.astype(LONG)
        return np.column_stack([X, np.ones(len(X), LONG)]) if self.intercept else X

    @property
    def ridge(self) -> np.ndarray:
        p = self.X.shape[1]
        return np.append(np.full(p, self.alpha), np.zeros(int(self.intercept))).astype(LONG)

    def value(self, theta: np.ndarray) -> np.longdouble:
        theta = theta.astype(LONG)
        z = self.columns @ theta + self.offset
        y, s = self.y.astype(LONG), self.weight.astype(LONG)
        if self.kind == "logistic":
            m = (1 - 2 * y) * z
            loss = np.log1p(np.exp(-np.abs(m))) + np.maximum(m, 0)
        else:
            mean = np.exp(z)
            loss = np.where(y > 0, y * np.log(np.where(y > 0, y, 1)), 0) - y - y * z + mean
        return (s * loss).sum() / s.sum() + (self.ridge * theta**2).sum() / 2

    def slopes(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient in extended precision, Hessian in float64."""
        A, s = self.columns, self.weight.astype(LONG)
        z = A @ theta.astype(LONG) + self.offset
        mean = 1 / (1 + np.exp(-z)) if self.kind == "logistic" else np.exp(z)
        curvature = mean * (1 - mean) if self.kind == "logistic" else mean
        gradient = A.T @ (s * (mean - self.y)) / s.sum() + self.ridge * theta
        B = A.astype(float)
        H = (B.T * (s * curvature / s.sum()).astype(float)) @ B + np.diag(self.ridge.astype(float))
        return gradient, H

    def null(self) -> np.ndarray:
        theta = np.zeros(self.X.shape[1] + self.intercept, LONG)
        if self.intercept:
            mean = (self.weight * self.y).sum() / self.weight.sum()
            theta[-1] = np.log(mean / (1 - mean)) if self.kind == "logistic" else np.log(mean)
        return theta

    def minimum(self) -> tuple[np.ndarray, np.longdouble]:
        """(q,) theta and F there, by damped Newton down to the last digit."""
        theta = self.null()
        value = self.value(theta)
        for _ in range(200):
            gradient, H = self.slopes(theta)
            scale = np.sqrt(np.diag(H))
            step = -np.linalg.solve(H / np.outer(scale, scale), (gradient / scale).astype(float)) / scale
            t = 1.0
            with np.errstate(over="ignore"):
                while not self.value(theta + t * step) < value and t > 1e-8:
                    t *= 0.5
                if t <= 1e-8:
                    break
                theta = theta + t * step
                value = self.value(theta)
        return theta, value

    def relative_gap(self, theta: np.ndarray) -> float:
        """(F - min F) / max(F, F_null / 1000)."""
        value = self.value(theta)
        return float((value - self.minimum()[1]) / max(value, self.value(self.null()) / 1000))


def theta_of(model: object) -> np.ndarray:
    """The fitted coefficients and, with an intercept, the intercept."""
    w, b = np.ravel(model.coef_), np.ravel(model.intercept_)[:1]  # type: ignore[attr-defined]
    return np.append(w, b) if model.fit_intercept else w  # type: ignore[attr-defined]
