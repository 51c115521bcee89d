"""One learning rate for all steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.optimizers.schedules._base import Numbers, Schedule, positive


@final
@dataclass(frozen=True)
class Constant(Schedule):
    """eta_t = eta0.

    Attributes
    ----------
    eta0 : the learning rate, above 0.

    Examples
    --------
    >>> Constant(0.1).rate(7, {})
    0.1
    """

    eta0: float = 0.01
    name: ClassVar[str] = "constant"

    def __post_init__(self) -> None:
        positive(self, "eta0")

    def rate(self, step: int, numbers: Numbers) -> float:
        return float(self.eta0)
