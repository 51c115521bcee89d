"""A stochastic step: from the gradient of a minibatch to the next point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.optimizers import SGD, Optimizer, OptimizerState
from daskml_dist.penalties import Penalty
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Stepping:
    """theta <- prox(theta - eta P g), for K problems at once; P is the inverse of a metric, or the identity.

    Whoever has gradients steps by it: a driver, one node of many, a server of parameters.

    Attributes
    ----------
    penalty : of the coefficients; its smooth part is in the gradients already.
    coefficients : how many of the parameters it sees, the first ones.
    inverse : (K, q, q), or (K, q) of a diagonal metric, or empty where there is none.
    optimizer : the rule; its learning rate counts where none is given.
    """

    penalty: Penalty
    coefficients: int
    inverse: FloatArray
    optimizer: Optimizer = SGD(1.0)

    def preconditioned(self, gradient: FloatArray) -> FloatArray:
        """(K, q) P g."""
        if self.inverse.ndim == 3:
            return np.asarray(np.einsum("kij,kj->ki", self.inverse, gradient))
        return self.inverse * gradient if self.inverse.size else gradient

    def moved(
        self, theta: FloatArray, gradient: FloatArray, memory: OptimizerState, rate: float | None
    ) -> tuple[FloatArray, OptimizerState]:
        """The next point, (K, q), and what the optimizer remembers.

        Parameters
        ----------
        theta, gradient : (K, q), of the smooth part of F.
        memory : of the optimizer.
        rate : the learning rate; None for the optimizer's own.
        """
        return self.along(theta, self.preconditioned(gradient), memory, rate)

    def along(
        self, theta: FloatArray, direction: FloatArray, memory: OptimizerState, rate: float | None
    ) -> tuple[FloatArray, OptimizerState]:
        """The same, given P times the gradient."""
        if rate is None:
            eta = self.optimizer.rate(memory)
            theta, memory = self.optimizer.apply(direction, memory, theta)
        else:
            eta, theta, memory = rate, theta - rate * direction, replace(memory, step=memory.step + 1)
        return self._proximal(theta, eta), memory

    def of(self, columns: slice) -> Stepping:
        """That of a range of the parameters, which moves ``along`` directions alone."""
        m = max(min(self.coefficients, columns.stop) - columns.start, 0)
        diagonal = self.inverse.ndim == 2 and self.inverse.size
        inverse = self.inverse[:, columns] if diagonal else np.empty((1, 0))
        return replace(self, coefficients=m, inverse=inverse)

    def with_penalty(self, gradient: FloatArray, theta: FloatArray) -> FloatArray:
        """The gradient of the mean loss plus that of the smooth part of the penalty."""
        m = self.coefficients
        gradient = gradient.copy()
        gradient[:, :m] += self.penalty.gradient(theta[:, :m])
        return gradient

    def penalties(self, theta: FloatArray) -> float:
        """The penalties of all problems together."""
        return float(np.sum(self.penalty.value(theta[:, : self.coefficients])))

    def _proximal(self, theta: FloatArray, rate: float) -> FloatArray:
        """Soft thresholds and bounds, which go with a diagonal metric."""
        if self.penalty.smooth:
            return theta
        m = self.coefficients
        step = rate * (self.inverse[:, :m] if self.inverse.size else 1.0)
        w = np.sign(theta[:, :m]) * np.maximum(np.abs(theta[:, :m]) - step * self.penalty.l1, 0.0)
        moved = theta.copy()
        moved[:, :m] = np.clip(w, self.penalty.lower, self.penalty.upper)
        return moved


def averaged(mean: FloatArray, before: float, theta: FloatArray, power: float) -> FloatArray:
    """A mean of so many iterates with one more, the k-th of which weighs about k^power."""
    k = before + 1.0
    return np.asarray(mean + (1.0 + power) / (k + power) * (theta - mean))
