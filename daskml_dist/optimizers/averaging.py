"""The mean of the points that another optimizer visits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self, final

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.optimizers._base import Optimizer, OptimizerState
from daskml_dist.optimizers._range import refuse_no_count, refuse_outside
from daskml_dist.optimizers.schedules import Schedule
from daskml_dist.types import FloatArray

_AVERAGE = "average"


@final
@dataclass(frozen=True)
class Averaging(Optimizer):
    """x_k = x_{k-1} + (1 + eta) / (k + eta) (w_k - x_{k-1}), the model; w is another optimizer's.

    With eta = 0 it is the plain mean (Polyak and Juditsky 1992), of the points after step ``start`` - 1 as in
    scikit-learn's ``average=start``: a tail average where ``start`` is late. With eta > 0 late points weigh
    more, which needs no start (Shamir and Zhang 2013, "Stochastic gradient descent for non-smooth
    optimization", section 4).

    Attributes
    ----------
    optimizer : the other one.
    start : the first step whose point counts, at least 1; the model is the last point before.
    eta : at least 0.

    Examples
    --------
    >>> from daskml_dist.optimizers import SGD
    >>> rule, w = Averaging(SGD(1.0)), np.array([0.0])
    >>> state = rule.init(w)
    >>> for gradient in (-1.0, -1.0, 1.0):
    ...     w, state = rule.apply(np.array([gradient]), state, w)
    >>> w, rule.model(state, w).round(6)
    (array([1.]), array([1.333333]))
    """

    optimizer: Optimizer
    start: int = 1
    eta: float = 0.0
    name: ClassVar[str] = "averaging"

    def __post_init__(self) -> None:
        if isinstance(self.optimizer, Averaging):
            raise UnsupportedParameter(
                "Averaging(Averaging(...)): expected an optimizer that does not average."
            )
        refuse_no_count(self, "start", 1)
        refuse_outside(self, "eta", 0.0)

    @property
    def learning_rate(self) -> float | Schedule:  # type: ignore[override]
        """The other optimizer's."""
        return self.optimizer.learning_rate

    def scaled(self, factor: float) -> Self:
        return replace(self, optimizer=self.optimizer.scaled(factor))

    def init(self, w: FloatArray) -> OptimizerState:
        state = self.optimizer.init(w)
        return replace(state, arrays={**state.arrays, _AVERAGE: w.copy()})

    def apply(
        self, gradient: FloatArray, state: OptimizerState, w: FloatArray
    ) -> tuple[FloatArray, OptimizerState]:
        average = state.arrays[_AVERAGE]
        w, state = self.optimizer.apply(gradient, _inner(state), w)
        counted = max(state.step - self.start + 1, 1)
        share = (1.0 + self.eta) / (counted + self.eta)
        average = average + share * (self.optimizer.model(state, w) - average)
        return w, replace(state, arrays={**state.arrays, _AVERAGE: np.asarray(average)})

    def at(self, state: OptimizerState, w: FloatArray) -> FloatArray:
        return self.optimizer.at(_inner(state), w)

    def model(self, state: OptimizerState, w: FloatArray) -> FloatArray:
        return state.arrays[_AVERAGE]


def _inner(state: OptimizerState) -> OptimizerState:
    """The other optimizer's part of the state."""
    return replace(state, arrays={name: array for name, array in state.arrays.items() if name != _AVERAGE})
