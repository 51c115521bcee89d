"""Learning rates of each coordinate, by its recent gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.optimizers._base import Optimizer, OptimizerState, refuse_no_rate, started
from daskml_dist.optimizers._range import refuse_outside
from daskml_dist.optimizers.schedules import Schedule
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class RMSProp(Optimizer):
    """v <- decay v + (1 - decay) g^2, w <- w - eta_t g / (sqrt(v) + epsilon).

    Tieleman and Hinton 2012, lecture 6.5; as in PyTorch, whose ``alpha`` is our ``decay``, epsilon is
    added to the root.

    Attributes
    ----------
    learning_rate : eta, a number above 0 or a schedule.
    decay : from 0 to below 1.
    epsilon : keeps the division from zero, above 0.

    Examples
    --------
    >>> rule, w = RMSProp(0.5, decay=0.75), np.zeros(2)
    >>> rule.apply(np.array([3.0, -0.1]), rule.init(w), w)[0].round(6)
    array([-1.,  1.])
    """

    learning_rate: float | Schedule = 0.01
    decay: float = 0.99
    epsilon: float = 1e-8
    name: ClassVar[str] = "rmsprop"

    def __post_init__(self) -> None:
        refuse_no_rate(self)
        refuse_outside(self, "decay", 0.0, 1.0)
        refuse_outside(self, "epsilon", 0.0, strict=True)

    def init(self, w: FloatArray) -> OptimizerState:
        return started(self, w, "squares")

    def apply(
        self, gradient: FloatArray, state: OptimizerState, w: FloatArray
    ) -> tuple[FloatArray, OptimizerState]:
        squares = self.decay * state.arrays["squares"] + (1.0 - self.decay) * np.square(gradient)
        step = self.rate(state) * gradient / (np.sqrt(squares) + self.epsilon)
        return np.asarray(w - step), state.after({"squares": np.asarray(squares)})
