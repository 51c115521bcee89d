"""Adam with decay of the coefficients beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.optimizers._base import OptimizerState
from daskml_dist.optimizers._moments import ByMoments
from daskml_dist.optimizers._range import refuse_outside
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class AdamW(ByMoments):
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

    weight_decay: float = 0.01
    name: ClassVar[str] = "adamw"

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_outside(self, "weight_decay", 0.0)

    def apply(
        self, gradient: FloatArray, state: OptimizerState, w: FloatArray
    ) -> tuple[FloatArray, OptimizerState]:
        rate = self.rate(state)
        direction, moments = self.direction(gradient, state)
        return np.asarray((1.0 - rate * self.weight_decay) * w - rate * direction), state.after(moments)
