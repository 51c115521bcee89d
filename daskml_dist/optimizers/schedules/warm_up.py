"""Any schedule, after learning rates that rise to its first one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.optimizers._range import refuse_no_count
from daskml_dist.optimizers.schedules._base import Numbers, Schedule


@final
@dataclass(frozen=True)
class WarmUp(Schedule):
    """eta_t = (t / steps) eta'_1 for t < steps, and eta'_{t - steps + 1} from then on.

    eta' is the schedule that is warmed up to (Goyal et al. 2017, "Accurate, large minibatch SGD", section
    2.2); it reaches its first rate at step ``steps``.

    Attributes
    ----------
    schedule : the one that follows.
    steps : how many steps it takes to get there.

    Examples
    --------
    >>> from daskml_dist.optimizers.schedules import Constant
    >>> [round(WarmUp(Constant(0.3), steps=3).rate(t, {}), 3) for t in (1, 2, 3, 4)]
    [0.1, 0.2, 0.3, 0.3]
    """

    schedule: Schedule
    steps: int
    name: ClassVar[str] = "warm-up"

    def __post_init__(self) -> None:
        refuse_no_count(self, "steps", 1)

    def init(self) -> dict[str, float]:
        return self.schedule.init()

    def rate(self, step: int, numbers: Numbers) -> float:
        if step < self.steps:
            return step / self.steps * self.schedule.rate(1, numbers)
        return self.schedule.rate(step - self.steps + 1, numbers)

    def told(self, loss: float, numbers: Numbers) -> dict[str, float]:
        return self.schedule.told(loss, numbers)
