"""Every loss, values of its domain, and another's formula for it; a new loss adds one line to EXAMPLES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, huber, ndtr
from sklearn.metrics import (
    hinge_loss,
    log_loss,
    mean_absolute_error,
    mean_gamma_deviance,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
    mean_tweedie_deviance,
)

from daskml_dist.losses import (
    Binomial,
    EpsilonInsensitive,
    FixedHuber,
    Gamma,
    Hinge,
    Huber,
    Logistic,
    Loss,
    ModifiedHuber,
    Poisson,
    Quantile,
    Smoothed,
    Squared,
    SquaredEpsilonInsensitive,
    SquaredHinge,
    Tweedie,
)


@dataclass(frozen=True)
class Example:
    """A loss, and what is known of it.

    inside, outside : values inside and outside the domain of the target.
    means : the range of expectations that the link can be asked for.
    reference : somebody else's mean loss of targets y and margins z.
    margins : those that have a mean. kinks : margins at which the curvature jumps.
    """

    loss: Loss
    inside: list[float]
    outside: list[float]
    means: tuple[float, float]
    reference: Callable[[Any, Any], float]
    margins: tuple[float, float] = (-np.inf, np.inf)
    kinks: tuple[float, ...] = ()


REAL = [-3.5, 0.0, 1.0, 1e6], [], (-50.0, 50.0)
BINARY = [0.0, 1.0], [-1.0, 0.5, 2.0, np.nan], (1e-4, 1.0 - 1e-4)
SHARES = [0.0, 0.2, 0.7, 1.0], [-1e-9, 1.1, np.nan], (1e-4, 1.0 - 1e-4)
COUNTS = [0.0, 0.3, 1.0, 7.0, 1000.0], [-1e-9, -1.0, np.nan], (1e-5, 1e5)
POSITIVE = [1e-3, 0.3, 1.0, 7.0, 1000.0], [0.0, -1.0, np.nan], (1e-5, 1e5)


def squared_hinge(y: Any, z: Any) -> float:
    both = [hinge_loss([0, 1], [m, m], sample_weight=[1 - t, t]) for t, m in zip(y, z, strict=True)]
    return float(np.mean(np.square(both)))


def modified_huber(y: Any, z: Any) -> float:
    """SciPy's Huber loss of the distance from 1, twice, for the side on which there is a loss."""
    short = np.maximum(1.0 - (2.0 * np.asarray(y) - 1.0) * z, 0.0)
    return float(np.mean(2.0 * huber(2.0, short)))


def hinge(y: Any, z: Any) -> float:
    both = [hinge_loss([0, 1], [m, m], sample_weight=[1 - t, t]) for t, m in zip(y, z, strict=True)]
    return float(np.mean(both))


def beyond(epsilon: float, metric: Callable[[Any, Any], float]) -> Callable[[Any, Any], float]:
    """The error of the margin against the nearest value within epsilon of the target."""
    return lambda y, z: metric(z, np.clip(z, y - epsilon, y + epsilon))


def two_targets(loss: Loss, reference: Callable[[Any, Any], float], kinks: tuple[float, ...]) -> Example:
    """Targets whose mean is the best constant, where that is a median."""
    return Example(loss, [0.0, 30.0], [], (-50.0, 50.0), reference, kinks=kinks)


def binomial(link: str, mean: Callable[[Any], Any]) -> Example:
    def reference(y: Any, z: Any) -> float:
        # a share is a mixture of both classes, less the loss of the share itself
        cross = [log_loss([0, 1], [m, m], sample_weight=[1 - t, t]) for t, m in zip(y, mean(z), strict=True)]
        own = [log_loss([0, 1], [t, t], sample_weight=[1 - t, t]) for t in y]
        return float(np.mean(cross) - np.mean(own))

    margins = {"logit": (-12.0, 12.0), "probit": (-4.0, 4.0), "cloglog": (-12.0, 2.0)}
    return Example(Binomial(link), *SHARES, reference, margins[link])


def tweedie(power: float, link: str = "log") -> Example:
    kind = COUNTS if 1.0 <= power < 2.0 else POSITIVE if power >= 2.0 else ([0.5, 1.0, 30.0], [], (1e-3, 1e3))
    log = link == "log"
    return Example(
        Tweedie(power, link),
        *kind,
        lambda y, z: mean_tweedie_deviance(y, np.exp(z) if log else z, power=power) / 2,
        margins=(-np.inf if log else 3.0, np.inf),
    )


EXAMPLES = [
    Example(Squared(), *REAL, lambda y, z: mean_squared_error(y, z) / 2),
    Example(Logistic(), *BINARY, lambda y, z: log_loss(y, expit(z), labels=[0, 1])),
    Example(SquaredHinge(), *BINARY, squared_hinge, kinks=(-1.0, 1.0)),
    Example(
        Huber(1.5, 0.7),
        *([0.0, 30.0], [], (-50.0, 50.0)),
        lambda y, z: np.mean(0.7 + 0.7 * 2 * huber(1.5, (y - z) / 0.7)),
        kinks=(-1.05, 1.05),
    ),
    Example(ModifiedHuber(), *BINARY, modified_huber, kinks=(-1.0, 1.0)),
    two_targets(FixedHuber(0.7), lambda y, z: np.mean(huber(0.7, y - z)), (-0.7, 0.7)),
    two_targets(SquaredEpsilonInsensitive(0.7), beyond(0.7, mean_squared_error), (-0.7, 0.7)),
    two_targets(EpsilonInsensitive(0.7), beyond(0.7, mean_absolute_error), (-0.7, 0.7)),
    two_targets(EpsilonInsensitive(), beyond(0.0, mean_absolute_error), (0.0,)),
    two_targets(Quantile(), lambda y, z: mean_pinball_loss(y, z, alpha=0.5), (0.0,)),
    Example(Hinge(), *BINARY, hinge, kinks=(-1.0, 1.0)),
    # half a Huber loss of a width as its delta, over the width, but for a constant
    two_targets(
        Smoothed(Quantile(), 3.0), lambda y, z: np.mean(huber(1.5, y - z) / 3.0 + 0.375), (-1.5, 1.5)
    ),
    Example(Poisson(), *COUNTS, lambda y, z: mean_poisson_deviance(y, np.exp(z)) / 2),
    Example(Gamma(), *POSITIVE, lambda y, z: mean_gamma_deviance(y, np.exp(z)) / 2),
    binomial("logit", expit),
    binomial("probit", ndtr),
    binomial("cloglog", lambda z: -np.expm1(-np.exp(z))),
    *(tweedie(power) for power in (-0.5, 0.0, 1.0, 1.5, 1.9, 2.0, 3.0)),
    *(tweedie(power, "identity") for power in (1.0, 1.5, 2.0, 3.0)),
]
KNOWN = {example.loss.name: example for example in EXAMPLES}
