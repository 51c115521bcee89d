"""The contract of a risk: the worst mean loss over a set of weights of the groups.

R(J) = max over q in Q of q' J, where J are the losses of the groups and Q, the ambiguity set, is convex.
So R is convex and increasing in each loss, and a mean of losses with any q of Q bounds it from below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Ambiguity:
    """Q = {q : sum q = 1, 0 <= q <= upper, sum (q - shares)^2 / shares <= radius}.

    Attributes
    ----------
    shares : (G,) each group's share of the weight of all rows, above zero; they belong to Q.
    upper : (G,) the largest weight of each group.
    radius : the largest chi-square divergence from the shares.
    """

    shares: FloatArray
    upper: FloatArray
    radius: float = np.inf

    @property
    def is_point(self) -> bool:
        """Whether the shares are all that Q has."""
        return self.radius == 0.0 or bool((self.upper <= self.shares).all()) or len(self.shares) == 1


class Risk(ABC):
    """One number for the losses of all groups; q are the weights by which an adversary makes it largest."""

    name: ClassVar[str]

    @abstractmethod
    def ambiguity(self, shares: FloatArray) -> Ambiguity:
        """The weights that the adversary may choose from, given (G,) shares of the groups."""

    @abstractmethod
    def weights(self, losses: FloatArray, shares: FloatArray) -> FloatArray:
        """(G,) argmax over q in Q of q' losses."""

    def value(self, losses: FloatArray, shares: FloatArray) -> float:
        """R(losses); infinite where a loss with weight is."""
        if not np.isfinite(losses).all():
            return float("inf")
        return float(self.weights(losses, shares) @ losses)
