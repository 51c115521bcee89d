"""Many numbers in few bytes: their distinct leading bits, with the rows and the weight of each.

While there are few distinct numbers, a sketch holds each of them, and is exact. Where there are more
than fit, as many low bits of all numbers are dropped as must be: numbers with the same leading bits
share a bin, of which the least and the greatest number, the rows and the weight are known exactly.

How many bits are dropped depends on the numbers alone: a union needs at least as many bins as each of
its parts at any precision, so no part drops a bit that the whole could have kept. Together with exact
sums of the weights, sketches therefore join to the same bits in any order and grouping.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.kernels.exact_sum import ExactSum
from daskml_dist.types import AnyArray, FloatArray

Keys = NDArray[np.uint64]

MOST = 1 << 19
"""Bins of a sketch unless somebody says otherwise: 28 bytes each, or 54 with weights."""

LAST_KEY = (1 << 64) - 1
"""No number has a greater key."""

_SIGN = np.uint64(1 << 63)


@final
@dataclass(frozen=True, slots=True)
class Sketch:
    """Bins of numbers, by group and, within a group, in ascending order.

    Attributes
    ----------
    shift : how many low bits of the keys were dropped; 0 where each bin is a single number.
    group : (m,) of each bin.
    low, high : (m,) keys of the least and the greatest number in it (see ``keys``).
    rows : (m,) how many numbers it holds.
    weight : (m,) their weight, or None for one each.
    """

    shift: int
    group: NDArray[np.int32]
    low: Keys
    high: Keys
    rows: NDArray[np.int64]
    weight: ExactSum | None

    @property
    def weights(self) -> FloatArray:
        """(m,) the weight of each bin, as float64."""
        return self.rows.astype(np.float64) if self.weight is None else self.weight.value()


def keys(numbers: AnyArray) -> Keys:
    """The bits of float64 numbers as integers in the same order; 0.0 and -0.0 are one."""
    bits = (np.asarray(numbers, dtype=np.float64) + 0.0).view(np.uint64)
    return np.where(bits < _SIGN, bits | _SIGN, ~bits)


def numbers(keys: Keys) -> FloatArray:
    """The float64 numbers that have these keys."""
    return np.where(keys < _SIGN, ~keys, keys ^ _SIGN).view(np.float64)


def sketch(numbers: Keys, group: NDArray[np.int32], weight: FloatArray | None, most: int) -> Sketch:
    """The numbers with these keys, in at most ``most`` bins (or two a group, where these are more)."""
    order = np.lexsort((numbers, group))
    group, low, weights = group[order], numbers[order], None
    starts = _starts(group, low, 0)
    if weight is not None:
        weights = ExactSum.of(np.add.reduceat(weight[order], starts)[None])
    rows, group, low = np.diff(starts, append=len(order)), group[starts], low[starts]
    whole = Sketch(0, group, low, low, rows, weights)
    return whole if len(low) <= most else merged([whole], most)


def merged(parts: Sequence[Sketch], most: int) -> Sketch:
    """All of these as one, in at most ``most`` bins."""
    group, low, high, rows = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("group", "low", "high", "rows")
    )
    order = np.lexsort((low, group))
    group, low = group[order], low[order]
    shift = _shift(group, low, max(part.shift for part in parts), most)
    starts = _starts(group, low, shift)
    weights = [part.weight for part in parts if part.weight is not None]
    return Sketch(
        shift,
        group[starts],
        low[starts],
        np.maximum.reduceat(high[order], starts),
        np.add.reduceat(rows[order], starts),
        ExactSum.side_by_side(weights).runs(order, starts) if weights else None,
    )


def folded(gathered: Mapping[int, Sketch], most: int) -> dict[int, Sketch]:
    """Merge sketches of like size, so that a row is merged a few times only, however many chunks there are.

    What is kept has different orders of magnitude, so it is less than twice ``most`` bins in all.
    """
    kept: dict[int, tuple[int, Sketch]] = {}
    for key, one in sorted(gathered.items()):
        while (like := kept.pop(_magnitude(one), None)) is not None:
            key, one = min(key, like[0]), merged([like[1], one], most)
        kept[_magnitude(one)] = key, one
    return dict(kept.values())


def _magnitude(one: Sketch) -> int:
    return len(one.low).bit_length()


def _shift(group: NDArray[np.int32], low: Keys, shift: int, most: int) -> int:
    """The fewest bits to drop, at least ``shift``, so that at most ``most`` bins are left; all is sorted."""
    if len(low) <= most:
        return shift

    def few_enough(bits: int) -> bool:
        return int(_differ(group, low, bits).sum()) < most

    return bisect_left(range(63), True, lo=shift, key=few_enough)


def _starts(group: NDArray[np.int32], low: Keys, shift: int) -> NDArray[np.intp]:
    """Where each bin starts."""
    return np.concatenate([[0], 1 + np.flatnonzero(_differ(group, low, shift))])


def _differ(group: NDArray[np.int32], low: Keys, shift: int) -> NDArray[np.bool_]:
    """Where one bin ends and the next one begins."""
    low = low >> np.uint64(shift)
    return np.asarray((group[1:] != group[:-1]) | (low[1:] != low[:-1]))
