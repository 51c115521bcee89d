"""The worst mean over weights that are near the shares of the groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.risks._base import Ambiguity, Risk
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class ChiSquare(Risk):
    """Weights within a chi-square divergence: sum (q - shares)^2 / shares <= radius.

    Up to where a weight becomes zero, R(J) = mean + sqrt(radius * variance) of the losses over the groups
    (Duchi and Namkoong 2019, "Variance-based regularization with convex objectives").

    Attributes
    ----------
    radius : at least 0, where it is the mean.
    """

    radius: float
    name: ClassVar[str] = "chi-square"

    def __post_init__(self) -> None:
        if not 0.0 <= self.radius < np.inf:
            raise UnsupportedParameter(f"ChiSquare(radius={self.radius!r}): expected a finite number >= 0.")

    def ambiguity(self, shares: FloatArray) -> Ambiguity:
        return Ambiguity(shares, np.ones_like(shares), self.radius)

    def weights(self, losses: FloatArray, shares: FloatArray) -> FloatArray:
        """q = shares (a + b (J - mean)) over the groups of largest loss, as many as stay at or above zero."""
        order = np.argsort(-losses, kind="stable")
        p, J = shares[order], losses[order]
        q = np.zeros_like(losses)
        for k in range(len(J), 0, -1):
            share = 1.0 if k == len(J) else float(p[:k].sum())
            left = max(self.radius - (1.0 - share) / share, 0.0)  # below zero by rounding only
            mean = p[:k] @ J[:k] / share
            variance = float(p[:k] @ np.square(J[:k] - mean))
            slope = np.sqrt(left / variance) if J[0] > J[k - 1] else 0.0
            chosen = p[:k] * (1.0 / share + slope * (J[:k] - mean))
            if chosen[-1] >= 0.0:
                q[order[:k]] = chosen
                return np.asarray(q / q.sum())
        raise AssertionError("one group alone has a weight of one")
