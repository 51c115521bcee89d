"""Steps along the negative gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.optimizers._base import Optimizer, OptimizerState, refuse_no_rate, started
from daskml_dist.optimizers.schedules import Schedule
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class SGD(Optimizer):
    """w <- w - eta_t g (Robbins and Monro 1951); gradient descent where g is of all rows.

    Attributes
    ----------
    learning_rate : eta, a number above 0 or a schedule.

    Examples
    --------
    >>> w = np.array([1.0, -2.0])
    >>> rule = SGD(0.5)
    >>> rule.apply(np.array([1.0, 1.0]), rule.init(w), w)[0]
    array([ 0.5, -2.5])
    """

    learning_rate: float | Schedule = 0.01
    name: ClassVar[str] = "sgd"

    def __post_init__(self) -> None:
        refuse_no_rate(self)

    def init(self, w: FloatArray) -> OptimizerState:
        return started(self, w)

    def apply(
        self, gradient: FloatArray, state: OptimizerState, w: FloatArray
    ) -> tuple[FloatArray, OptimizerState]:
        return np.asarray(w - self.rate(state) * gradient), state.after({})
