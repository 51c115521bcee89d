"""Momentum whose gradient is taken where the momentum leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.optimizers._base import OptimizerState
from daskml_dist.optimizers._velocity import ByVelocity
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Nesterov(ByVelocity):
    """v <- mu v - eta_t g(w + mu v), w <- w + v (Nesterov 1983).

    Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", equations 3
    and 4. scikit-learn and PyTorch keep the point w + mu v in the place of w; it is ``at(state, w)``.

    Attributes
    ----------
    learning_rate : eta, a number above 0 or a schedule.
    momentum : mu, from 0 to below 1.

    Examples
    --------
    >>> rule, w = Nesterov(0.5, 0.5), np.array([4.0])
    >>> w, state = rule.apply(np.array([1.0]), rule.init(w), w)
    >>> w, rule.at(state, w)
    (array([3.5]), array([3.25]))
    """

    name: ClassVar[str] = "nesterov"

    def at(self, state: OptimizerState, w: FloatArray) -> FloatArray:
        return np.asarray(w + self.momentum * state.arrays["velocity"])
