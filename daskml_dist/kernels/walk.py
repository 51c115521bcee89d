"""Which rows of a chunk come when: a random order of them, any part of which is cheap to know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

_ROUNDS = 4  # of the Feistel network
_HELD = -1  # in the place of the epoch, for the order that says which rows are held out
_MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)  # of splitmix64


@final
@dataclass(frozen=True)
class Walk:
    """One part of a walk over the rows of each chunk, which meets every row once an epoch.

    The rows of a chunk are in a random order that depends on seed, epoch and chunk alone. Part r of R are
    those from place floor(n r / R + u) on, with u uniform on [0, 1): about n / R of them, and each row is
    among them with probability 1 / R, whatever n is. So R times a sum over a part has the sum over all rows
    as its expectation, also of chunks with fewer rows than parts (systematic sampling; Cochran 1977,
    "Sampling techniques", chapter 8).

    Attributes
    ----------
    seed, epoch : of the order.
    part, parts : r and R; ``part`` may be a range of them, [part, until).
    until : the part that comes next; None for ``part + 1``.
    shuffle : whether the order is random; if not it is that of the table.
    held : the share of the rows of each chunk that is held out, and not met.
    """

    seed: int
    epoch: int = 0
    part: int = 0
    parts: int = 1
    until: int | None = None
    shuffle: bool = True
    held: float = 0.0

    def rows(self, chunk: int, n: int) -> IntArray:
        """The positions of the rows of this part."""
        trained = n - self._held_rows(chunk, n)
        u = _uniform(self.seed, self.epoch, chunk)
        until = self.part + 1 if self.until is None else self.until
        first, last = (min(int(trained * r / self.parts + u), trained) for r in (self.part, until))
        places = np.arange(first, last)
        if not self.shuffle:
            return places
        places = shuffled(places, trained, (self.seed, self.epoch, chunk))
        return shuffled(places, n, (self.seed, _HELD, chunk)) if self.held else places

    def held_out(self, chunk: int, n: int) -> IntArray:
        """The positions of the rows that are held out, the same in all epochs."""
        places = np.arange(n - self._held_rows(chunk, n), n)
        return shuffled(places, n, (self.seed, _HELD, chunk)) if self.shuffle else places

    def _held_rows(self, chunk: int, n: int) -> int:
        return int(n * self.held + _uniform(self.seed, _HELD, chunk)) if self.held else 0


def shuffled(places: IntArray, n: int, key: tuple[int, int, int]) -> IntArray:
    """Where a random permutation of 0 .. n - 1 takes these places, without making all of it.

    A Feistel network is a permutation of the numbers of 2 h bits (Luby and Rackoff 1988); what it takes to n
    or above goes through it again, which leaves a permutation of those below n (Black and Rogaway 2002).
    """
    half = np.uint64(max((max(n - 1, 1).bit_length() + 1) // 2, 1))
    keys = _drawn(*key)[1]
    found = places.astype(np.uint64)
    astray = np.arange(found.size)
    while astray.size:
        found[astray] = _network(found[astray], half, keys)
        astray = astray[found[astray] >= n]
    return found.astype(np.int64)


def _network(numbers: NDArray[np.uint64], half: np.uint64, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The Feistel network on numbers of 2 ``half`` bits."""
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = numbers >> half, numbers & mask
    for key in keys:
        mixed = (right + key) * _MIX[0]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[1]
        left, right = right, left ^ ((mixed ^ (mixed >> np.uint64(31))) & mask)
    return np.asarray(left << half | right)


def _uniform(seed: int, epoch: int, chunk: int) -> float:
    return _drawn(seed, epoch, chunk)[0]


@lru_cache(maxsize=4096)  # each part of an epoch asks for the same ones
def _drawn(seed: int, epoch: int, chunk: int) -> tuple[float, NDArray[np.uint64]]:
    """The offset of the parts, and the keys of the order, of a chunk in an epoch."""
    rng = np.random.Generator(np.random.SFC64([seed, epoch + 1, chunk]))
    return float(rng.random()), rng.integers(2**63, size=_ROUNDS, dtype=np.uint64)
