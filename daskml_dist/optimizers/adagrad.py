"""Learning rates of each coordinate, by all of its gradients so far."""

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
class AdaGrad(Optimizer):
    """G <- G + g^2, w <- w - eta_t g / (sqrt(G) + epsilon).

    Duchi, Hazan and Singer 2011, "Adaptive subgradient methods", figure 1 with diagonal matrices; epsilon
    and the defaults as in PyTorch.

    Attributes
    ----------
    learning_rate : eta, a number above 0 or a schedule.
    epsilon : keeps the division from zero, above 0.

    Examples
    --------
    >>> rule, w = AdaGrad(0.5), np.zeros(2)
    >>> rule.apply(np.array([3.0, -0.1]), rule.init(w), w)[0].round(6)
    array([-0.5,  0.5])
    """

    learning_rate: float | Schedule = 0.01
    epsilon: float = 1e-10
    name: ClassVar[str] = "adagrad"

    def __post_init__(self) -> None:
        refuse_no_rate(self)
        refuse_outside(self, "epsilon", 0.0, strict=True)

    def init(self, w: FloatArray) -> OptimizerState:
        return started(self, w, "squares")

    def apply(
        self, gradient: FloatArray, state: OptimizerState, w: FloatArray
    ) -> tuple[FloatArray, OptimizerState]:
        squares = np.asarray(state.arrays["squares"] + np.square(gradient))
        step = self.rate(state) * gradient / (np.sqrt(squares) + self.epsilon)
        return np.asarray(w - step), state.after({"squares": squares})
