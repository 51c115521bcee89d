"""Steps that keep a part of the last one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.optimizers._velocity import ByVelocity


@final
@dataclass(frozen=True)
class Momentum(ByVelocity):
    """v <- mu v - eta_t g, w <- w + v: the heavy ball (Polyak 1964).

    As in scikit-learn's ``MLPClassifier``, the learning rate is that of the step in which a gradient came;
    PyTorch multiplies all of v by the rate of the day, which is the same where that does not change.

    Attributes
    ----------
    learning_rate : eta, a number above 0 or a schedule.
    momentum : mu, from 0 to below 1.

    Examples
    --------
    >>> import numpy as np
    >>> rule, w = Momentum(0.5, 0.5), np.array([4.0])
    >>> state = rule.init(w)
    >>> for _ in range(2):
    ...     w, state = rule.apply(np.array([1.0]), state, w)
    >>> w
    array([2.75])
    """

    name: ClassVar[str] = "momentum"
