"""Which replica answers: pure bookkeeping, no sockets and no clock.

The four verbs are add, weigh, drain and remove; `choose` takes the healthy replica with the fewest requests.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import final

MISSES = 2
"""Checks in a row without an answer after which a replica gets no more requests."""


@final
@dataclass(slots=True, eq=False)
class Target:
    """A replica as the router sees it.

    Attributes
    ----------
    id : of the replica. version : of its model. host, port : where it listens.
    outstanding : requests that it has not answered yet.
    answered : in all.
    misses : checks in a row that it has not answered.
    lost : its connection broke, or nobody listened; the next check that it answers clears that.
    draining : gets no more requests.
    hung_since : when it was first seen not to be healthy; 0 while it is.
    elsewhere : requests that another router has passed to it and that it has not answered yet.
    """

    id: str
    version: str
    host: str
    port: int
    outstanding: int = 0
    answered: int = 0
    misses: int = 0
    lost: bool = False
    draining: bool = False
    hung_since: float = 0.0
    elsewhere: int = 0

    @property
    def healthy(self) -> bool:
        """Whether it gets requests."""
        return not (self.lost or self.draining) and self.misses < MISSES


@final
class Router:
    """The replicas of a model and what share of requests each version gets.

    Examples
    --------
    >>> router = Router()
    >>> first, second = router.add("a", "1", "h", 1), router.add("b", "2", "h", 2)
    >>> router.weigh({"2": 0.25, "1": 0.75})
    >>> [router.choose((), point).version for point in (0.1, 0.24, 0.26, 0.9)]
    ['2', '2', '1', '1']
    >>> second.lost = True
    >>> router.choose((), 0.1).version
    '1'
    """

    def __init__(self) -> None:
        self.targets: dict[str, Target] = {}
        self.weights: dict[str, float] = {}
        self._turn = 0
        self.front = False  # whether another router passes requests too

    def add(self, identity: str, version: str, host: str, port: int) -> Target:
        """A replica that is ready; one that is known by this name at another address is replaced."""
        known = self.targets.get(identity)
        if known is not None and (known.version, known.host, known.port) == (version, host, port):
            return known
        self.targets[identity] = Target(identity, version, host, port)
        return self.targets[identity]

    def weigh(self, weights: Mapping[str, float]) -> None:
        """Shares of versions, the canary's first so that nobody leaves it when it grows; empty for no shares.

        Raises
        ------
        ValueError
            A share is negative, or they do not add up to 1.
        """
        if weights and (min(weights.values()) < 0 or abs(sum(weights.values()) - 1.0) > 1e-9):
            raise ValueError("shares of versions must add up to 1 and not be negative")
        self.weights = dict(weights)

    def drain(self, identity: str) -> None:
        """No new requests for a replica."""
        if identity in self.targets:
            self.targets[identity].draining = True
            self.targets[identity].elsewhere += self.front  # until it has been told, and has said how many

    def remove(self, identity: str) -> Target | None:
        """Forget a replica."""
        return self.targets.pop(identity, None)

    def ready(self, version: str | None = None) -> int:
        """How many replicas get requests, of a version or of all."""
        return sum(t.healthy and version in (None, t.version) for t in self.targets.values())

    def choose(
        self, tried: Collection[Target], point: float = 0.0, version: str | None = None
    ) -> Target | None:
        """The replica for a request.

        Parameters
        ----------
        tried : those that have failed this request; taken again only where there is no other.
        point : in [0, 1), decides on the version where versions have shares.
        version : the only one that will do, or None.

        Returns
        -------
        None where no replica is there. Where none is healthy, one that answers no checks is better than none:
        checks are missed by a machine that is merely busy.
        """
        reached = [
            t
            for t in self.targets.values()
            if not (t.draining or t.lost) and (version is None or t.version == version)
        ]
        usable = [t for t in reached if t.misses < MISSES and t not in tried]
        if not usable:
            usable = [t for t in reached if t not in tried] or reached
        if not usable:
            return None
        return self._least(self._weighed(usable, point) if self.weights else usable)

    def _weighed(self, targets: list[Target], point: float) -> list[Target]:
        """Those of the version that the point falls to; all where it has none."""
        reached = 0.0
        for version, share in self.weights.items():
            reached += share
            if point < reached:
                return [t for t in targets if t.version == version] or targets
        return targets

    def _least(self, targets: list[Target]) -> Target:
        """The one with the fewest requests; among equals one after the other."""
        if len(targets) == 1:
            return targets[0]
        self._turn += 1
        turn = self._turn % len(targets)
        best = targets[turn]
        for target in targets[turn + 1 :] + targets[:turn]:
            if target.outstanding < best.outstanding:
                best = target
        return best


def point_of(value: bytes) -> float:
    """The point in [0, 1) of a header's value: who has the same one is always sent to the same version.

    Examples
    --------
    >>> point_of(b"alice") == point_of(b"alice") != point_of(b"bob")
    True
    """
    return zlib.crc32(value) / 2.0**32
