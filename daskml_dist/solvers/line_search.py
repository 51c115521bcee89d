"""Whether a step is good enough, and which one to try if it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np


@final
@dataclass(frozen=True)
class OnLine:
    """Value and slope of F along the search direction, at a step t from the last accepted point."""

    t: float
    value: float
    slope: float


def acceptable(start: OnLine, here: OnLine) -> bool:
    """Armijo's rule, or the approximate Wolfe rule of Hager and Zhang 2005.

    The second one decides by slopes: near the minimum the values differ by rounding only.
    """
    if not (np.isfinite(here.value) and np.isfinite(here.slope)):
        return False
    if here.value <= start.value + 1e-4 * here.t * start.slope:
        return True
    flat = here.value <= start.value + 1e-10 * abs(start.value)
    return flat and here.slope <= -0.8 * start.slope


def shorter(start: OnLine, here: OnLine, trials: dict[float, float]) -> float:
    """A shorter step: the best of the trial steps, or the minimum of the cubic through both ends."""
    better = {t: v for t, v in trials.items() if 0.0 < t < here.t and v < start.value}
    if better:
        return min(better, key=lambda t: better[t])
    if not (np.isfinite(here.value) and np.isfinite(here.slope)):
        return 0.25 * here.t
    with np.errstate(over="ignore", invalid="ignore"):
        t = _cubic_minimum(start, here)
    return float(np.clip(t, 0.1 * here.t, 0.6 * here.t)) if np.isfinite(t) else 0.1 * here.t


def _cubic_minimum(a: OnLine, b: OnLine) -> float:
    """Nocedal and Wright 2006, equation 3.59."""
    d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if square < 0.0:
        return 0.5 * b.t
    d2 = np.copysign(np.sqrt(square), b.t - a.t)
    bottom = b.slope - a.slope + 2.0 * d2
    return float(b.t - (b.t - a.t) * (b.slope + d2 - d1) / bottom) if bottom != 0.0 else 0.5 * b.t
