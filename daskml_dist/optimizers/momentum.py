"""Steps that keep a part of the last one."""

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
class Momentum(Optimizer):
    """v <- mu v - eta_t g, w <- w + v: the heavy ball (Polyak 1964).

    As in scikit-learn's ``MLPClassifier``, the learning rate is that of the step in which a gradient came;
    PyTorch multiplies all of v by the rate of the day, which is the same where that does not change.

    Attributes
    ----------
    learning_rate : eta, a number above 0 or a schedule.
    momentum : mu, from 0 to below 1.

    Examples
    --------
    >>> rule, w = Momentum(0.5, 0.5), np.array([4.0])
    >>> state = rule.init(w)
    >>> for _ in range(2):
    ...     w, state = rule.apply(np.array([1.0]), state, w)
    >>> w
    array([2.75])
    """

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.9
    name: ClassVar[str] = "momentum"

    def __post_init__(self) -> None:
        refuse_no_rate(self)
        refuse_outside(self, "momentum", 0.0, 1.0)

    def init(self, w: FloatArray) -> OptimizerState:
        return started(self, w, "velocity")

    def apply(
        self, gradient: FloatArray, state: OptimizerState, w: FloatArray
    ) -> tuple[FloatArray, OptimizerState]:
        velocity = np.asarray(self.momentum * state.arrays["velocity"] - self.rate(state) * gradient)
        return np.asarray(w + velocity), state.after({"velocity": velocity})
