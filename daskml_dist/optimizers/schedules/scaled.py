"""Any schedule, times a factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.optimizers.schedules._base import Numbers, Schedule, positive


@final
@dataclass(frozen=True)
class Scaled(Schedule):
    """eta_t = factor eta'_t, where eta' is the schedule that is scaled.

    Attributes
    ----------
    schedule : the one that is scaled.
    factor : a finite number above 0.

    Examples
    --------
    >>> from daskml_dist.optimizers.schedules import InverseScaling
    >>> Scaled(InverseScaling(0.2), 0.5).rate(1, {})
    0.1
    """

    schedule: Schedule
    factor: float
    name: ClassVar[str] = "scaled"

    def __post_init__(self) -> None:
        positive(self, "factor")

    def init(self) -> dict[str, float]:
        return self.schedule.init()

    def rate(self, step: int, numbers: Numbers) -> float:
        return self.factor * self.schedule.rate(step, numbers)

    def told(self, loss: float, numbers: Numbers) -> dict[str, float]:
        return self.schedule.told(loss, numbers)
