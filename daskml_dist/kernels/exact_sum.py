"""Sums of float64 arrays whose bits do not depend on the order or grouping of the addends.

Why: a shard may hold any chunks (Dask places the chunks of a persisted array in turn on its
workers), and a retried chunk may be summed anywhere. A fixed tree over chunk ids would then have to
ship a partial for nearly each chunk. A sum that is exactly associative and commutative needs one
partial a shard, whatever the chunks are (docs/decisions/0001).

How: each addend is written in base 2^32 with digits at fixed positions, x = sum_j d_j 2^(32 j), and
digits are added as integers, without carries. Only the three highest positions that occur in an
element are kept; what is dropped depends on the largest addend alone, never on the order. This is
the idea of indexed (binned) summation in integers: Demmel and Nguyen, "Parallel reproducible
summation", IEEE Trans. Computers 64 (2015). The error is below count * 2^-64 of the largest addend.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.types import FloatArray

_BITS = 32
_MASK = np.int64((1 << _BITS) - 1)
_KEPT = 3
_PIECE = 1 << 14
_EMPTY = np.int16(-(1 << 12))  # below the position of every float64


@final
@dataclass(frozen=True, slots=True)
class ExactSum:
    """A sum of float64 arrays of one shape, flattened to size N.

    Attributes
    ----------
    digits : (3, N) int64, the digits at positions top, top - 1 and top - 2.
    top : (N,) int16, position of the highest digit.
    special : (N,) float64 sum of the addends that were not finite, or None.
    shape : the shape of the addends.
    """

    digits: NDArray[np.int64]
    top: NDArray[np.int16]
    special: FloatArray | None
    shape: tuple[int, ...]

    @classmethod
    def of(cls, addends: FloatArray) -> ExactSum:
        """The sum over the first axis of ``addends``."""
        rows = np.asarray(addends, dtype=np.float64)
        shape = rows.shape[1:]
        rows = rows.reshape(rows.shape[0], -1)
        special = None
        finite = np.isfinite(rows)
        if not finite.all():
            with np.errstate(invalid="ignore"):
                special = np.where(finite, 0.0, rows).sum(axis=0)
            rows = np.where(finite, rows, 0.0)
        digits = np.empty((_KEPT, rows.shape[1]), dtype=np.int64)
        top = np.empty(rows.shape[1], dtype=np.int16)
        for part in _pieces(rows.shape[1]):
            own, tops = _digits(rows[:, part])
            top[part] = tops.max(axis=0)
            digits[:, part] = _lowered(own, top[part] - tops).sum(axis=1)
        return cls(digits, top, special, shape)

    def combine(self, other: ExactSum) -> ExactSum:
        """The sum of both; associative and commutative to the bit."""
        special = _add_special(self.special, other.special)
        if np.array_equal(self.top, other.top):
            return ExactSum(self.digits + other.digits, self.top, special, self.shape)
        top, digits = np.maximum(self.top, other.top), np.empty_like(self.digits)
        for part in _pieces(top.size):
            digits[:, part] = sum(
                _lowered(one.digits[:, part], top[part] - one.top[part]) for one in (self, other)
            )
        return ExactSum(digits, top, special, self.shape)

    @classmethod
    def side_by_side(cls, sums: Sequence[ExactSum]) -> ExactSum:
        """The elements of several sums of finite addends, one after the other."""
        assert all(one.all_finite for one in sums)
        digits = np.concatenate([one.digits for one in sums], axis=1)
        top = np.concatenate([one.top for one in sums])
        return cls(digits, top, None, top.shape)

    def at(self, places: NDArray[np.intp]) -> ExactSum:
        """Some of the elements, in the shape of their places in the flattened sum."""
        flat = places.reshape(-1)
        special = None if self.special is None else self.special[flat]
        return ExactSum(self.digits[:, flat], self.top[flat], special, places.shape)

    def runs(self, order: NDArray[np.intp], starts: NDArray[np.intp]) -> ExactSum:
        """Elements added up in groups: group i is of the elements ``order[starts[i] : starts[i + 1]]``."""
        digits, tops = self.digits[:, order], self.top[order]
        top = np.maximum.reduceat(tops, starts)
        raised = np.repeat(top, np.diff(starts, append=order.shape[0]))
        sums = np.add.reduceat(_lowered(digits, raised - tops), starts, axis=1)
        return ExactSum(sums, top, None, top.shape)

    def value(self) -> FloatArray:
        """The sum, rounded to float64, in the shape of the addends."""
        rounded = np.empty(self.top.size)
        for part in _pieces(self.top.size):
            rounded[part] = _rounded(self.digits[:, part], self.top[part])
        if self.special is not None:
            with np.errstate(invalid="ignore"):
                rounded = rounded + self.special
        return np.asarray(rounded.reshape(self.shape))

    @property
    def all_finite(self) -> bool:
        """Whether no addend held NaN or infinity."""
        return self.special is None

    @property
    def nbytes(self) -> int:
        """Bytes of the representation."""
        special = 0 if self.special is None else self.special.nbytes
        return self.digits.nbytes + self.top.nbytes + special


def _pieces(size: int) -> Iterator[slice]:
    """Slices of elements that stay in the cache while much is done with each."""
    return (slice(start, start + _PIECE) for start in range(0, size, _PIECE))


def _rounded(digits: NDArray[np.int64], top: NDArray[np.int16]) -> FloatArray:
    """The numbers with these digits."""
    high, middle, low = digits
    middle = middle + (low >> _BITS)
    low = low & _MASK
    high = high + (middle >> _BITS)
    middle = middle & _MASK
    exponent = _BITS * (top.astype(np.int32) - 2)
    total = np.ldexp(high.astype(np.float64), 2 * _BITS) + np.ldexp(middle.astype(np.float64), _BITS)
    with np.errstate(over="ignore"):
        return np.asarray(np.ldexp(total + low.astype(np.float64), exponent))


def _digits(x: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    """Digits of finite x at the three positions from its highest non-zero one downwards."""
    fraction, exponent = np.frexp(x)
    mantissa = np.abs(np.ldexp(fraction, 53)).astype(np.int64)  # |x| = mantissa 2^(exponent - 53)
    exponent = exponent.astype(np.int64) - 53
    position = exponent >> 5  # floor(exponent / 32)
    shift = exponent & 31
    low = (mantissa & _MASK) << shift  # < 2^63
    rest = ((mantissa >> _BITS) << shift) + (low >> _BITS)
    digits = np.stack([rest >> _BITS, rest & _MASK, low & _MASK])
    top = (position + 2).astype(np.int16)
    short = digits[0] == 0
    if short.any():
        digits[0] = np.where(short, digits[1], digits[0])
        digits[1] = np.where(short, digits[2], digits[1])
        digits[2] = np.where(short, 0, digits[2])
        top -= short
        top[x == 0.0] = _EMPTY
    np.negative(digits, where=x < 0.0, out=digits)
    return digits, top


def _lowered(digits: NDArray[np.int64], places: NDArray[np.int16]) -> NDArray[np.int64]:
    """The digits seen from a top that is higher by ``places``; what falls off the end is dropped."""
    if not places.any():
        return digits
    high, middle, low = digits
    none, one, two = (places == steps for steps in range(_KEPT))
    return np.stack(
        [
            np.where(none, high, 0),
            np.where(none, middle, np.where(one, high, 0)),
            np.where(none, low, np.where(one, middle, np.where(two, high, 0))),
        ]
    )


def _add_special(a: FloatArray | None, b: FloatArray | None) -> FloatArray | None:
    if a is None or b is None:
        return b if a is None else a
    with np.errstate(invalid="ignore"):
        return np.asarray(a + b)
