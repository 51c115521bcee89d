"""Learning rates that fall along half a cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.optimizers._range import refuse_no_count, refuse_outside
from daskml_dist.optimizers.schedules._base import Numbers, Schedule, positive


@final
@dataclass(frozen=True)
class Cosine(Schedule):
    """eta_t = eta_min + (eta0 - eta_min) (1 + cos(pi (t - 1) / steps)) / 2, and eta_min from then on.

    Loshchilov and Hutter 2017, "SGDR: Stochastic gradient descent with warm restarts", equation 5, without
    restarts.

    Attributes
    ----------
    eta0 : the first learning rate, above 0.
    steps : how many steps it takes to fall.
    eta_min : the last learning rate, from 0 to eta0.

    Examples
    --------
    >>> [round(Cosine(0.1, steps=2).rate(t, {}), 3) for t in (1, 2, 3, 4)]
    [0.1, 0.05, 0.0, 0.0]
    """

    eta0: float
    steps: int
    eta_min: float = 0.0
    name: ClassVar[str] = "cosine"

    def __post_init__(self) -> None:
        positive(self, "eta0")
        refuse_no_count(self, "steps", 1)
        refuse_outside(self, "eta_min", 0.0)
        if self.eta_min > self.eta0:
            raise UnsupportedParameter(
                f"Cosine(eta0={self.eta0!r}, eta_min={self.eta_min!r}): eta_min must not be above eta0."
            )

    def rate(self, step: int, numbers: Numbers) -> float:
        turned = math.pi * min((step - 1) / self.steps, 1.0)
        return float(self.eta_min + (self.eta0 - self.eta_min) * 0.5 * (1.0 + math.cos(turned)))
