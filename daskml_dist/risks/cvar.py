"""The mean loss of the groups that fare worst: conditional value at risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.risks._base import Ambiguity, Risk
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class CVaR(Risk):
    """The mean of the losses of the worst ``tail`` of the rows, where all rows of a group fare alike.

    q_i <= shares_i / tail (Rockafellar and Uryasev 2000). With a tail of 1 it is the mean, with a small one
    the worst group.

    Attributes
    ----------
    tail : the share of the weight that counts, above 0 and at most 1.
    """

    tail: float
    name: ClassVar[str] = "cvar"

    def __post_init__(self) -> None:
        if not 0.0 < self.tail <= 1.0:
            raise UnsupportedParameter(f"CVaR(tail={self.tail!r}): expected a number above 0 and at most 1.")

    def ambiguity(self, shares: FloatArray) -> Ambiguity:
        return Ambiguity(shares, np.minimum(shares / self.tail, 1.0))

    def weights(self, losses: FloatArray, shares: FloatArray) -> FloatArray:
        most = self.ambiguity(shares).upper
        order = np.argsort(-losses, kind="stable")
        before = np.cumsum(most[order]) - most[order]
        q = np.empty_like(losses)
        q[order] = np.clip(1.0 - before, 0.0, most[order])
        return np.asarray(q / q.sum())
