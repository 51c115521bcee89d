"""Addresses behind which nobody but this machine can be."""

from __future__ import annotations


def is_loopback(host: str | None) -> bool:
    """Whether an address is one of them.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("10.0.0.7")
    (True, False)
    """
    return host in ("127.0.0.1", "::1", "localhost")
