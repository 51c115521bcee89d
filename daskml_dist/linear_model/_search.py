"""What estimators that search for a penalty share."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.penalties import Penalty, Unpenalised


def no_penalty(weight_sum: float) -> Penalty:
    """None: a search has penalties of its own."""
    return Unpenalised()


def numbers_of(model: Any, name: str, *, strict: bool = False) -> tuple[float, ...]:
    """One number or several, each finite and at least 0 (above 0 where ``strict``)."""
    given = getattr(model, name)
    numbers = np.atleast_1d(np.asarray(given, dtype=object)).ravel()
    usual = all(
        isinstance(one, int | float | np.integer | np.floating) and not isinstance(one, bool)
        for one in numbers
    )
    if not len(numbers) or not usual or not all(0.0 <= one < np.inf for one in numbers):
        raise UnsupportedParameter(
            f"{type(model).__name__}({name}={given!r}): expected finite numbers >= 0, at least one."
        )
    if strict and min(numbers) == 0.0:
        raise UnsupportedParameter(f"{type(model).__name__}({name}={given!r}): expected numbers > 0.")
    return tuple(float(one) for one in numbers)
