"""The contract of an optimizer: how a point moves, given gradients, as two pure functions.

    state = optimizer.init(w)
    while ...:
        gradient = (of F at optimizer.at(state, w))
        w, state = optimizer.apply(gradient, state, w)
    found = optimizer.model(state, w)

``w`` has any shape: coefficients, a matrix of many problems, a layer of a network, or a range of any of
these. All rules work on each number by itself, so that a vector that is cut into ranges, each with a state
of its own, moves to the last bit as it does in one piece.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, final

import numpy as np

from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.optimizers.schedules import Constant, Scaled, Schedule
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class OptimizerState:
    """All that an optimizer remembers, as arrays and numbers.

    Attributes
    ----------
    step : how many steps were taken.
    arrays : float64, each in the shape of w.
    numbers : what its schedule remembers, and other numbers; the same for all ranges of a vector.
    """

    step: int = 0
    arrays: Mapping[str, FloatArray] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)

    def after(
        self, arrays: Mapping[str, FloatArray], numbers: Mapping[str, float] | None = None
    ) -> OptimizerState:
        """The state one step later."""
        return OptimizerState(self.step + 1, arrays, self.numbers if numbers is None else numbers)


class Optimizer(ABC):
    """A rule that moves a point by gradients. It is a frozen value without memory; states are passed around.

    Neither gradients, states nor points that are passed in are written to, and none of what is returned
    shares memory with a gradient.
    """

    name: ClassVar[str]
    #: a learning rate above 0, or how it changes from step to step
    learning_rate: float | Schedule

    @abstractmethod
    def init(self, w: FloatArray) -> OptimizerState:
        """The state before the first step from w."""

    @abstractmethod
    def apply(
        self, gradient: FloatArray, state: OptimizerState, w: FloatArray
    ) -> tuple[FloatArray, OptimizerState]:
        """The next point and state, given the gradient at ``at(state, w)``."""

    def at(self, state: OptimizerState, w: FloatArray) -> FloatArray:
        """Where the gradient is to be taken."""
        return w

    def model(self, state: OptimizerState, w: FloatArray) -> FloatArray:
        """What is the model."""
        return w

    def told(self, loss: float, state: OptimizerState) -> OptimizerState:
        """The state once the loss is known, which some schedules ask for."""
        return replace(state, numbers=self.schedule.told(loss, state.numbers))

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a schedule."""
        rate = self.learning_rate
        return rate if isinstance(rate, Schedule) else Constant(rate)

    def rate(self, state: OptimizerState) -> float:
        """The learning rate of the next step."""
        return self.schedule.rate(state.step + 1, state.numbers)

    def scaled(self, factor: float) -> Self:
        """The same rule with all learning rates times a factor; it can go on from this one's states."""
        rule: Any = self
        return replace(rule, learning_rate=Scaled(self.schedule, factor))  # type: ignore[no-any-return]


def started(optimizer: Optimizer, w: FloatArray, *zeros: str) -> OptimizerState:
    """The state before the first step, with arrays of zeros by these names."""
    if not isinstance(w, np.ndarray) or w.dtype != np.float64:
        given = f"{w.dtype} array" if isinstance(w, np.ndarray) else type(w).__name__
        raise InvalidData(f"{type(optimizer).__name__}.init was given a {given}; expected a float64 array.")
    return OptimizerState(0, {name: np.zeros_like(w) for name in zeros}, optimizer.schedule.init())


def refuse_no_rate(optimizer: Optimizer) -> None:
    """Refuse a learning rate that is neither a schedule nor a finite number above 0."""
    rate = optimizer.learning_rate
    if isinstance(rate, Schedule):
        return
    try:
        Constant(rate)
    except UnsupportedParameter:
        raise UnsupportedParameter(
            f"{type(optimizer).__name__}(learning_rate={rate!r}): expected a finite number > 0, or one of "
            "daskml_dist.optimizers.schedules."
        ) from None
