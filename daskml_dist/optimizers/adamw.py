"""Adam with decay of the coefficients beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.optimizers._base import Optimizer, OptimizerState, refuse_no_rate, started
from daskml_dist.optimizers._moments import by_moments
from daskml_dist.optimizers._range import refuse_outside
from daskml_dist.optimizers.schedules import Schedule
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class AdamW(Optimizer):
    """w <- (1 - eta_t decay) w - (Adam's step): the decay is not divided by roots of moments.

    Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2, with eta_t in the place
    of their eta_t alpha as in PyTorch. All of w decays: leave intercepts to another rule.

    Attributes
    ----------
    learning_rate : eta, a number above 0 or a schedule.
    beta_1, beta_2, epsilon : Adam's.
    weight_decay : at least 0.

    Examples
    --------
    >>> rule, w = AdamW(0.5, weight_decay=0.1), np.array([2.0])
    >>> rule.apply(np.array([3.0]), rule.init(w), w)[0].round(6)
    array([1.4])
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    name: ClassVar[str] = "adamw"

    def __post_init__(self) -> None:
        refuse_no_rate(self)
        refuse_outside(self, "beta_1", 0.0, 1.0)
        refuse_outside(self, "beta_2", 0.0, 1.0)
        refuse_outside(self, "epsilon", 0.0, strict=True)
        refuse_outside(self, "weight_decay", 0.0)

    def init(self, w: FloatArray) -> OptimizerState:
        return started(self, w, "first", "second")

    def apply(
        self, gradient: FloatArray, state: OptimizerState, w: FloatArray
    ) -> tuple[FloatArray, OptimizerState]:
        rate = self.rate(state)
        direction, moments = by_moments(self, gradient, state)
        return np.asarray((1.0 - rate * self.weight_decay) * w - rate * direction), state.after(moments)
