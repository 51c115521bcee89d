"""Learning rates that fall with a power of the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.optimizers._range import refuse_outside
from daskml_dist.optimizers.schedules._base import Numbers, Schedule, positive


@final
@dataclass(frozen=True)
class InverseScaling(Schedule):
    """eta_t = eta0 / t^power_t, scikit-learn's ``learning_rate="invscaling"``.

    Attributes
    ----------
    eta0 : the first learning rate, above 0.
    power_t : the exponent, at least 0; with gradients of single rows the iterates converge for
        0.5 < power_t <= 1 (Robbins and Monro 1951).

    Examples
    --------
    >>> InverseScaling(0.1, 0.5).rate(4, {})
    0.05
    """

    eta0: float = 0.01
    power_t: float = 0.25
    name: ClassVar[str] = "inverse scaling"

    def __post_init__(self) -> None:
        positive(self, "eta0")
        refuse_outside(self, "power_t", 0.0)

    def rate(self, step: int, numbers: Numbers) -> float:
        return float(self.eta0 / step**self.power_t)
