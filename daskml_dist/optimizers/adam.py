"""Momentum, and learning rates of each coordinate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.optimizers._base import OptimizerState
from daskml_dist.optimizers._moments import ByMoments
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Adam(ByMoments):
    """m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, w <- w - eta_t m' / (sqrt(v') + epsilon).

    m' = m / (1 - b1^t) and v' = v / (1 - b2^t). Kingma and Ba 2015, algorithm 1, as in PyTorch and optax;
    scikit-learn follows the variant at the end of their section 2, whose epsilon means something else.

    Attributes
    ----------
    learning_rate : eta, a number above 0 or a schedule.
    beta_1, beta_2 : b1 and b2, from 0 to below 1.
    epsilon : keeps the division from zero, above 0.

    Examples
    --------
    >>> rule, w = Adam(0.5), np.zeros(2)
    >>> rule.apply(np.array([3.0, -0.1]), rule.init(w), w)[0].round(6)
    array([-0.5,  0.5])
    """

    name: ClassVar[str] = "adam"

    def apply(
        self, gradient: FloatArray, state: OptimizerState, w: FloatArray
    ) -> tuple[FloatArray, OptimizerState]:
        direction, moments = self.direction(gradient, state)
        return np.asarray(w - self.rate(state) * direction), state.after(moments)
