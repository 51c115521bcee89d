"""What Adam and AdamW share: steps by the first and second moments of gradients."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from daskml_dist.optimizers._base import OptimizerState
from daskml_dist.types import FloatArray


class MomentRule(Protocol):
    """The parameters of the moments."""

    @property
    def beta_1(self) -> float:
        """Of the mean of gradients."""

    @property
    def beta_2(self) -> float:
        """Of the mean of their squares."""

    @property
    def epsilon(self) -> float:
        """What is added to the root."""


def by_moments(
    rule: MomentRule, gradient: FloatArray, state: OptimizerState
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """The direction m / (sqrt(v) + epsilon) of moments without bias, and the moments."""
    first = np.asarray(rule.beta_1 * state.arrays["first"] + (1.0 - rule.beta_1) * gradient)
    second = np.asarray(rule.beta_2 * state.arrays["second"] + (1.0 - rule.beta_2) * np.square(gradient))
    t = state.step + 1
    mean, square = first / (1.0 - rule.beta_1**t), second / (1.0 - rule.beta_2**t)
    return mean / (np.sqrt(square) + rule.epsilon), {"first": first, "second": second}
