"""Numbers with units, for a reader."""

from __future__ import annotations

import math


def size_of(number: float) -> str:
    """Bytes."""
    if math.isinf(number):
        return "unlimited bytes"
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} bytes"


def time_of(seconds: float) -> str:
    """Seconds."""
    if seconds >= 7200.0:
        return f"{seconds / 3600.0:.3g} h"
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{1e3 * seconds:.3g} ms"


def count_of(number: int, noun: str) -> str:
    """A number of things."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"
