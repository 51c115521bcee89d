"""Numbers and names for people."""

from __future__ import annotations

from html import escape
from math import isfinite


def short(name: str, most: int = 24) -> str:
    """A name of a worker, a group or a feature in a few characters, of which the ends tell most."""
    plain = name.split("://")[-1]
    half = (most - 1) // 2
    return plain if len(plain) <= most else f"{plain[:half]}…{plain[-half:]}"


def size(nbytes: float) -> str:
    """Bytes for people.

    Examples
    --------
    >>> size(830), size(2_500_000)
    ('830 B', '2.5 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if abs(nbytes) < 1000.0:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1000.0
    return f"{nbytes:.3g} TB"


def span(seconds: float) -> str:
    """Seconds for people.

    Examples
    --------
    >>> span(0.0123), span(75.0)
    ('12 ms', '1 min 15 s')
    """
    if not isfinite(seconds):
        return "?"
    if seconds < 0.9995:
        return f"{1e3 * seconds:.0f} ms"
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def text(value: object) -> str:
    """Anything as text of a page: what users call their features is no markup."""
    return escape(str(value))
