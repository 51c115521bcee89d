"""Learning rates that fall when the loss does not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.optimizers._range import refuse_no_count, refuse_outside
from daskml_dist.optimizers.schedules._base import Numbers, Schedule, positive

_LEAST = 1e-6  # a rate at or below is not divided any further
_FACTOR = 5.0


@final
@dataclass(frozen=True)
class Adaptive(Schedule):
    """eta0, divided by 5 whenever the loss has not fallen by ``tol`` for ``n_iter_no_change`` times in a row.

    scikit-learn's ``learning_rate="adaptive"``, to the letter: a loss above the best one minus ``tol`` counts
    as no improvement; rates of 1e-6 and less stay. It must be told losses (``Optimizer.told``), and does not
    change without.

    Attributes
    ----------
    eta0 : the first learning rate, above 0.
    tol : by how much the loss must fall, in its own units.
    n_iter_no_change : how often it may fail to.

    Examples
    --------
    >>> schedule = Adaptive(0.1, n_iter_no_change=2)
    >>> numbers = schedule.init()
    >>> for loss in (3.0, 3.0, 3.0):
    ...     numbers = schedule.told(loss, numbers)
    >>> schedule.rate(1, numbers)
    0.02
    """

    eta0: float = 0.01
    tol: float = 1e-3
    n_iter_no_change: int = 5
    name: ClassVar[str] = "adaptive"

    def __post_init__(self) -> None:
        positive(self, "eta0")
        refuse_outside(self, "tol", 0.0)
        refuse_no_count(self, "n_iter_no_change", 1)

    def init(self) -> dict[str, float]:
        return {"rate": float(self.eta0), "best_loss": math.inf, "no_improvement": 0.0}

    def rate(self, step: int, numbers: Numbers) -> float:
        return numbers["rate"]

    def told(self, loss: float, numbers: Numbers) -> dict[str, float]:
        rate, best, failed = (numbers[name] for name in ("rate", "best_loss", "no_improvement"))
        # a loss that is NaN is no improvement either
        failed = 0.0 if loss <= best - self.tol else failed + 1.0
        if failed >= self.n_iter_no_change and rate > _LEAST:
            rate, failed = rate / _FACTOR, 0.0
        best = min(best, loss) if not math.isnan(loss) else best
        return {**numbers, "rate": rate, "best_loss": float(best), "no_improvement": failed}
