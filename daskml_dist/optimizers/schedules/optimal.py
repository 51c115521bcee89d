"""Learning rates that fall as the strong convexity of the objective asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.optimizers.schedules._base import Numbers, Schedule, positive


@final
@dataclass(frozen=True)
class Optimal(Schedule):
    """eta_t = 1 / (alpha (t_0 + t - 1)), scikit-learn's ``learning_rate="optimal"``.

    Shalev-Shwartz et al. 2007, "Pegasos", with the t_0 of Bottou's sgd (1 / (alpha t_0) is the first learning
    rate).

    Attributes
    ----------
    alpha : of the penalty alpha |w|^2 / 2, above 0.
    t_0 : above 0.

    Examples
    --------
    >>> Optimal(alpha=0.1, t_0=10.0).rate(1, {})
    1.0
    """

    alpha: float = 1e-4
    t_0: float = 1.0
    name: ClassVar[str] = "optimal"

    def __post_init__(self) -> None:
        positive(self, "alpha")
        positive(self, "t_0")

    def rate(self, step: int, numbers: Numbers) -> float:
        return float(1.0 / (self.alpha * (self.t_0 + step - 1)))
