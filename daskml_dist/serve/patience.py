"""How long and how often a request is tried: pure rules.

Predictions change nothing, so that a request may be asked again. A budget keeps retries from becoming a
storm: a fifth of the traffic, and some at once for the moment in which a replica dies.
"""

from __future__ import annotations

from typing import final

from daskml_dist.serve.figures import Seconds

ATTEMPTS = 4
"""Replicas that a request is sent to at most."""
AGAIN = frozenset({502, 503})
"""Answers of a replica that are no answer: it is going away, or not ready."""


@final
class Budget:
    """Retries that are allowed.

    Parameters
    ----------
    share : of a retry that each request adds.
    most : that can be saved up; it begins with half of them.
    """

    def __init__(self, share: float = 0.2, most: float = 1000.0) -> None:
        self._share, self._most = share, most
        self.left = most / 2

    def request(self) -> None:
        """A request came."""
        self.left = min(self._most, self.left + self._share)

    def take(self) -> bool:
        """Whether a request may be tried once more."""
        if self.left < 1.0 - 1e-9:
            return False
        self.left -= 1.0
        return True


@final
class Patience:
    """How long an attempt may take: ten times what 99 % of the answers took, and not less than a second.

    Each further attempt of a request has twice the time of the last, so that what is slow by nature is
    answered.

    Examples
    --------
    >>> patience = Patience()
    >>> patience.timeout(0), patience.timeout(1)
    (1.0, 2.0)
    >>> for _ in range(1000):
    ...     patience.answered(0.3)
    >>> patience.timeout(0)
    5.12
    """

    def __init__(self, least: float = 1.0, factor: float = 10.0) -> None:
        self._least, self._factor = least, factor
        self._seen, self._number = Seconds(), 0
        self._timeout = least

    def answered(self, seconds: float) -> None:
        """An attempt took so long."""
        self._seen.add(seconds)
        self._number += 1
        if self._number % 500 == 0:
            self._timeout = max(self._least, self._factor * (self._seen.quantile(0.99) or 0.0))
        if self._number >= 10_000:  # what was long ago says little
            self._seen, self._number = Seconds(), 0

    def timeout(self, attempt: int) -> float:
        """Seconds for an attempt; the first is number 0."""
        return self._timeout * 2.0**attempt
