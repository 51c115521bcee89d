"""What Momentum and Nesterov share: steps that keep a part of the last one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daskml_dist.optimizers._base import Optimizer, OptimizerState, refuse_no_rate, started
from daskml_dist.optimizers._range import refuse_outside
from daskml_dist.optimizers.schedules import Schedule
from daskml_dist.types import FloatArray


@dataclass(frozen=True)
class ByVelocity(Optimizer):
    """v <- mu v - eta_t g, w <- w + v; where g is taken is up to the rule."""

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.9

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
