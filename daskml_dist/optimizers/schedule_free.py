"""Averages that stand in for a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.optimizers._base import Optimizer, OptimizerState, refuse_no_rate, started
from daskml_dist.optimizers._range import refuse_outside
from daskml_dist.optimizers.schedules import Schedule
from daskml_dist.types import FloatArray

_AVERAGE, _WEIGHTS, _LARGEST = "average", "weight_sum", "largest_rate"


@final
@dataclass(frozen=True)
class ScheduleFree(Optimizer):
    """y = (1 - beta) z + beta x, z <- z - eta_t g(y), x <- (1 - c) x + c z; z is the iterate, x the model.

    c = eta_t'^2 / (sum of eta_i'^2 so far) with eta_t' the largest learning rate up to step t, so that steps
    of a warm-up weigh less; 1 / t where the rate does not change. Defazio et al. 2024, "The road less
    scheduled", equations 2 to 4 and 23.

    Attributes
    ----------
    learning_rate : eta, a number above 0, or ``WarmUp`` of one; no other schedule is needed.
    beta : where between z and x gradients are taken, from 0 to below 1.

    Examples
    --------
    >>> rule, w = ScheduleFree(1.0), np.array([0.0])
    >>> state = rule.init(w)
    >>> for gradient in (-1.0, -1.0):
    ...     w, state = rule.apply(np.array([gradient]), state, w)
    >>> w, rule.model(state, w), rule.at(state, w)
    (array([2.]), array([1.5]), array([1.55]))
    """

    learning_rate: float | Schedule = 1.0
    beta: float = 0.9
    name: ClassVar[str] = "schedule-free"

    def __post_init__(self) -> None:
        refuse_no_rate(self)
        refuse_outside(self, "beta", 0.0, 1.0)

    def init(self, w: FloatArray) -> OptimizerState:
        state = started(self, w)
        numbers = {**state.numbers, _WEIGHTS: 0.0, _LARGEST: 0.0}
        return OptimizerState(0, {_AVERAGE: w.copy()}, numbers)

    def at(self, state: OptimizerState, w: FloatArray) -> FloatArray:
        return np.asarray((1.0 - self.beta) * w + self.beta * state.arrays[_AVERAGE])

    def model(self, state: OptimizerState, w: FloatArray) -> FloatArray:
        return state.arrays[_AVERAGE]

    def apply(
        self, gradient: FloatArray, state: OptimizerState, w: FloatArray
    ) -> tuple[FloatArray, OptimizerState]:
        rate = self.rate(state)
        largest = max(rate, state.numbers[_LARGEST])
        weights = state.numbers[_WEIGHTS] + largest**2
        share = largest**2 / weights
        w = np.asarray(w - rate * gradient)
        average = (1.0 - share) * state.arrays[_AVERAGE] + share * w
        numbers = {**state.numbers, _WEIGHTS: weights, _LARGEST: largest}
        return w, state.after({_AVERAGE: np.asarray(average)}, numbers)
