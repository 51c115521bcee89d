"""The judge: one objective in float64 on the raw data for all peers, and its minimum by a solver of our own.

F(w, b) = mean of loss(y_i, x_i'w + b + offset_i) + alpha |w|^2 / 2, scikit-learn's objective. Nothing here
imports daskml_dist.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import expit, xlogy

_BLOCK = 1 << 20  # elements of X that are looked at together


@dataclass(frozen=True)
class Objective:
    """F on data that may be memory-mapped; ``family`` is "logistic" or "poisson"."""

    family: str
    X: Any
    y: Any
    alpha: float
    offset: Any = None

    def blocks(self) -> Iterator[tuple[Any, Any, Any]]:
        """Runs of rows, in float64."""
        rows = max(_BLOCK // self.X.shape[1], 1)
        for start in range(0, self.X.shape[0], rows):
            part = slice(start, start + rows)
            offset = 0.0 if self.offset is None else np.asarray(self.offset[part], dtype=np.float64)
            yield np.asarray(self.X[part], np.float64), np.asarray(self.y[part], np.float64), offset

    def value(self, w: Any, b: float) -> float:
        """F(w, b); sums of blocks are added exactly."""
        w = np.asarray(w, dtype=np.float64).ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            sums = [float(self.losses(y, x @ w + b + o).sum()) for x, y, o in self.blocks()]
            penalty = 0.5 * self.alpha * float(w @ w)
        return math.fsum(sums) / self.X.shape[0] + penalty if np.isfinite(sums).all() else math.inf

    def losses(self, y: Any, z: Any) -> Any:
        """Half unit deviances."""
        if self.family == "logistic":
            return np.logaddexp(0.0, z) - y * z
        return xlogy(y, y) - y - y * z + np.exp(z)

    def mean(self, z: Any) -> tuple[Any, Any]:
        """The mean and its derivative in the margin."""
        if self.family == "logistic":
            mean = expit(z)
            return mean, mean * (1.0 - mean)
        return np.exp(z), np.exp(z)

    def null(self) -> float:
        """F of the best constant model; with an offset, of the one that has the right total."""
        total = math.fsum(float(y.sum()) for _, y, _ in self.blocks())
        if self.family == "logistic":
            rate = total / self.X.shape[0]
            b = math.log(rate / (1.0 - rate))
        else:
            exposure = math.fsum(float((np.exp(o) + np.zeros(len(y))).sum()) for _, y, o in self.blocks())
            b = math.log(total / exposure)
        return self.value(np.zeros(self.X.shape[1]), b)


@dataclass(frozen=True)
class Truth:
    """The minimum of an objective."""

    objective: Objective
    minimum: float
    null: float
    w: Any
    b: float

    def gap(self, w: Any, b: Any) -> float:
        """(F - F*) / max(F, F_null / 1000)."""
        return self.relative(self.objective.value(w, float(np.ravel(b)[0])))

    def relative(self, value: float) -> float:
        """The same, from a value of F."""
        return (value - self.minimum) / max(value, 1e-3 * self.null) if math.isfinite(value) else math.inf


def solve(objective: Objective, iterations: int = 200) -> Truth:
    """Damped Newton on centred and scaled features, to the limit of float64."""
    centre, scale = _standard(objective)
    null = objective.null()
    w, b = _start(objective)
    value = objective.value(w, b)
    for _ in range(iterations):
        gradient, hessian = _derivatives(objective, w, b, centre, scale)
        step = -_solved(hessian, gradient)
        decrement = -float(gradient @ step)
        dw, db = step[:-1] / scale, step[-1] - float(step[:-1] / scale @ centre)
        t, before = 1.0, value
        while not (value := objective.value(w + t * dw, b + t * db)) <= before - 1e-4 * t * decrement:
            t *= 0.5
            if t < 1e-8:
                return Truth(objective, before, null, w, b)
        w, b = w + t * dw, b + t * db
        if decrement <= 1e-18 * max(value, 1e-3 * null) + 1e-300:
            break
    return Truth(objective, value, null, w, b)


def _start(objective: Objective) -> tuple[Any, float]:
    """The minimum over the first rows where there are many, else the constant model."""
    n, p = objective.X.shape
    if n > max(200_000, 1000 * p):
        rows = max(50_000, 100 * p)
        offset = None if objective.offset is None else objective.offset[:rows]
        first = replace(objective, X=objective.X[:rows], y=objective.y[:rows], offset=offset)
        truth = solve(first, 8)
        if math.isfinite(objective.value(truth.w, truth.b)):
            return truth.w, truth.b
    return np.zeros(p), float(objective.family == "poisson") * math.log(_mean(objective))


def _mean(objective: Objective) -> float:
    return math.fsum(float(y.sum()) for _, y, _ in objective.blocks()) / objective.X.shape[0]


def _standard(objective: Objective) -> tuple[Any, Any]:
    n, p = objective.X.shape
    centre = sum((x.sum(axis=0) for x, _, _ in objective.blocks()), np.zeros(p)) / n
    square = sum((np.square(x - centre).sum(axis=0) for x, _, _ in objective.blocks()), np.zeros(p)) / n
    scale = np.sqrt(square)
    return centre, np.where(scale > 0.0, scale, 1.0)


def _derivatives(objective: Objective, w: Any, b: float, centre: Any, scale: Any) -> tuple[Any, Any]:
    """Gradient and Hessian in the coordinates of ((x - centre) / scale, 1)."""
    n, p = objective.X.shape
    gradient, hessian = np.zeros(p + 1), np.zeros((p + 1, p + 1))
    for x, y, offset in objective.blocks():
        mean, curvature = objective.mean(x @ w + b + offset)
        extended = np.column_stack([(x - centre) / scale, np.ones(len(y))])
        gradient += (mean - y) @ extended
        root = extended * np.sqrt(curvature)[:, None]
        hessian += root.T @ root
    gradient, hessian = gradient / n, hessian / n
    gradient[:p] += objective.alpha * w / scale
    hessian[np.arange(p), np.arange(p)] += objective.alpha / scale**2
    return gradient, hessian


def _solved(hessian: Any, gradient: Any) -> Any:
    try:
        return cho_solve(cho_factor(hessian), gradient)
    except LinAlgError:
        return np.linalg.lstsq(hessian, gradient, rcond=1e-13)[0]
