"""What Adam and AdamW share: steps by the first and second moments of gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daskml_dist.optimizers._base import Optimizer, OptimizerState, refuse_no_rate, started
from daskml_dist.optimizers._range import refuse_outside
from daskml_dist.optimizers.schedules import Schedule
from daskml_dist.types import FloatArray


@dataclass(frozen=True)
class ByMoments(Optimizer):
    """A rule whose direction is m / (sqrt(v) + epsilon), of moments without bias."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        refuse_no_rate(self)
        refuse_outside(self, "beta_1", 0.0, 1.0)
        refuse_outside(self, "beta_2", 0.0, 1.0)
        refuse_outside(self, "epsilon", 0.0, strict=True)

    def init(self, w: FloatArray) -> OptimizerState:
        return started(self, w, "first", "second")

    def direction(
        self, gradient: FloatArray, state: OptimizerState
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        """m / (sqrt(v) + epsilon), and the moments after this gradient."""
        first = np.asarray(self.beta_1 * state.arrays["first"] + (1.0 - self.beta_1) * gradient)
        second = np.asarray(self.beta_2 * state.arrays["second"] + (1.0 - self.beta_2) * np.square(gradient))
        t = state.step + 1
        mean, square = first / (1.0 - self.beta_1**t), second / (1.0 - self.beta_2**t)
        return mean / (np.sqrt(square) + self.epsilon), {"first": first, "second": second}
