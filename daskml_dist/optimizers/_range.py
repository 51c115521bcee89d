"""Numbers out of range are refused when a rule is made, not when it is used."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from daskml_dist.errors import UnsupportedParameter


def refuse_outside(
    rule: object, name: str, low: float, high: float = np.inf, *, strict: bool = False
) -> None:
    """Refuse what is no finite number from ``low`` up to but not including ``high``.

    ``strict`` : whether ``low`` is refused, too.
    """
    given = getattr(rule, name)
    number = isinstance(given, Real) and not isinstance(given, bool)
    if number and (low < given if strict else low <= given) and given < high:
        return
    sign, limit = (">" if strict else ">="), "" if np.isinf(high) else f" and < {high:g}"
    raise UnsupportedParameter(
        f"{type(rule).__name__}({name}={given!r}): expected a finite number {sign} {low:g}{limit}."
    )


def refuse_no_count(rule: object, name: str, least: int) -> None:
    """Refuse what is no whole number of ``least`` or more."""
    given: Any = getattr(rule, name)
    if isinstance(given, bool) or not isinstance(given, Integral) or int(given) < least:
        raise UnsupportedParameter(
            f"{type(rule).__name__}({name}={given!r}): expected a whole number >= {least}."
        )
