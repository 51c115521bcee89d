"""Means and centred sums of products of each cell, block by block of samples.

Sums are about the mean of their own block, and two blocks are joined by what their means differ in (Chan,
Golub and LeVeque 1983, equation 2.1b), so that a mean which is large beside the spread costs no digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist.errors import NonFiniteData
from daskml_dist.types import AnyArray, FloatArray

_SLAB = 1 << 16  # numbers of y in a slab of cells, so that what is made of them stays in the cache


_NAMES = ("used", "weight", "x_mean", "y_mean", "xx", "xy", "raw")


@final
class Incomplete(Exception):
    """A value is missing where none may be; whoever knows the labels says where."""


@final
@dataclass(frozen=True)
class Moments:
    """What least squares must know of C cells and p features. What all cells share has the length 1.

    Attributes
    ----------
    used : (C,) samples. weight : (C,) the sums of their weights.
    x_mean : (p, C). y_mean : (C,); both are 0 where nothing is centred.
    xx : (p, p, C) sums of products about the means. xy : (p, C).
    raw : (p, C) the sums of squares from which the diagonal of xx was made: where that is much smaller, it
        is made of rounding errors.
    """

    used: FloatArray
    weight: FloatArray
    x_mean: FloatArray
    y_mean: FloatArray
    xx: FloatArray
    xy: FloatArray
    raw: FloatArray


def moments_of(
    x: AnyArray, y: AnyArray, weight: AnyArray | None, *, centre: bool, complete: bool = False
) -> Moments:
    """The moments of one block.

    Parameters
    ----------
    x : (p, T), the same for all cells, or (p, T, C).
    y : (T, C); NaN where it is missing.
    weight : (T,) or (T, C), or None for all ones.
    centre : whether there is an intercept.
    complete : whether nothing may be missing.

    Raises
    ------
    Incomplete
        NaN where nothing may be missing.
    NonFiniteData
        Infinity.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return _moments(x, y, weight, centre, complete)


def _moments(x: AnyArray, y: AnyArray, weight: AnyArray | None, centre: bool, complete: bool) -> Moments:
    """Slab by slab; infinity is found in the sums."""
    p, cells = len(x), y.shape[1]
    even = weight is None or weight.ndim == 1
    shared = _shared(x, weight, centre) if x.ndim == 2 and even else None
    parts = []
    for slab in slabs(cells, y.shape[0]):
        cut, target = x if x.ndim == 2 else x[:, :, slab], y[:, slab]
        found = _whole(shared, cut, target, weight, centre) if even else None
        if found is None and even and not complete:
            found = _in_parts(shared, cut, target, weight, centre)
        if found is None:
            w = weight if weight is None or weight.ndim == 1 else weight[:, slab]
            found = _masked(cut, target, w, centre, complete)
        parts.append(found)
    return beside(parts) if parts else _nothing(p)


def _whole(
    shared: _Shared | None, x: AnyArray, y: AnyArray, weight: AnyArray | None, centre: bool
) -> Moments | None:
    """Cells without missing values; None where there is one."""
    if x.ndim == 3:
        return _complete_own(x, y, weight, centre)
    return None if shared is None else _complete(shared, y, centre)


def _in_parts(
    shared: _Shared | None, x: AnyArray, y: AnyArray, weight: AnyArray | None, centre: bool
) -> Moments | None:
    """Cells without missing values, cells without any value, and the others; None where all are others."""
    lacking = np.isnan(y)
    some, none = np.asarray(lacking.any(axis=0)), np.asarray(lacking.all(axis=0))
    if some.all() and not none.any():
        return None
    p, cells = len(x), y.shape[1]
    wide = [np.zeros((*s, cells)) for s in ((), (), (p,), (), (p, p), (p,), (p,))]
    for chosen in (~some, some & ~none):
        if not chosen.any():
            continue
        own = x if x.ndim == 2 else x[:, :, chosen]
        found = None if some[chosen].any() else _whole(shared, own, y[:, chosen], weight, centre)
        if found is None:
            found = _masked(own, y[:, chosen], weight, centre, False)
        for into, name in zip(wide, _NAMES, strict=True):
            into[..., chosen] = getattr(found, name)
    return Moments(*wide)


def join_moments(a: Moments, b: Moments) -> Moments:
    """The moments of the samples of both."""
    weight = a.weight + b.weight
    share = np.divide(b.weight, weight, out=np.zeros_like(weight), where=weight != 0.0)
    dx, dy = b.x_mean - a.x_mean, b.y_mean - a.y_mean
    factor = a.weight * share
    return Moments(
        used=a.used + b.used,
        weight=weight,
        x_mean=a.x_mean + share * dx,
        y_mean=a.y_mean + share * dy,
        xx=a.xx + b.xx + factor * dx[:, None] * dx[None],
        xy=a.xy + b.xy + factor * dx * dy,
        raw=a.raw + b.raw + factor * np.square(dx),
    )


def slabs(cells: int, rows: int) -> Iterator[slice]:
    """Runs of cells that are worked on one after the other."""
    width = max(_SLAB // max(rows, 1), 64)
    return (slice(start, min(start + width, cells)) for start in range(0, cells, width))


@final
@dataclass(frozen=True)
class _Shared:
    """What all cells share where X and the weights are the same for them and complete."""

    weight: FloatArray
    mean: FloatArray
    weighted: FloatArray  # (p, T) centred and weighted
    xx: FloatArray
    rows: int


def _shared(x: AnyArray, weight: AnyArray | None, centre: bool) -> _Shared | None:
    """The half of the moments without y; None where a value is missing."""
    x = np.asarray(x, dtype=np.float64)
    w = np.ones(x.shape[1]) if weight is None else np.asarray(weight, dtype=np.float64)
    total = w.sum()
    sums = x @ w
    if not (np.isfinite(sums).all() and np.isfinite(total)) or total == 0.0:
        return None
    mean = sums / total if centre else np.zeros(len(x))
    centred = x - mean[:, None]
    weighted = centred * w
    return _Shared(w, mean, weighted, weighted @ centred.T, int(np.count_nonzero(w)))


def _complete(shared: _Shared, y: AnyArray, centre: bool) -> Moments | None:
    """A slab without missing values; None where there is one."""
    total = shared.weight.sum()
    mean = (shared.weight @ y) / total
    if not np.isfinite(mean).all():
        return None
    centred = y - mean if centre else np.asarray(y, dtype=np.float64)
    return Moments(
        used=np.full(1, float(shared.rows)),
        weight=np.full(1, total),
        x_mean=shared.mean[:, None],
        y_mean=mean if centre else np.zeros_like(mean),
        xx=shared.xx[:, :, None],
        xy=shared.weighted @ centred,
        raw=np.diag(shared.xx)[:, None],
    )


def _complete_own(x: AnyArray, y: AnyArray, weight: AnyArray | None, centre: bool) -> Moments | None:
    """A slab without missing values whose features (p, T, C) are of their own; None where there is one."""
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    total = w.sum()
    x_mean, y_mean = (w @ x) / total, (w @ y) / total
    if not (np.isfinite(x_mean).all() and np.isfinite(y_mean).all()):
        return None
    x_mean, y_mean = (x_mean, y_mean) if centre else (np.zeros_like(x_mean), np.zeros_like(y_mean))
    both = [column - mean for column, mean in zip(x, x_mean, strict=True)]
    weighted = both if weight is None else [column * w[:, None] for column in both]
    both.append(y - y_mean)
    p, cells = len(x), y.shape[1]
    xx, xy = np.empty((p, p, cells)), np.empty((p, cells))
    for i in range(p):
        xy[i] = np.einsum("tc,tc->c", weighted[i], both[p])
        for j in range(i, p):
            xx[i, j] = xx[j, i] = np.einsum("tc,tc->c", weighted[i], both[j])
    used = np.full(cells, float(np.count_nonzero(w)))
    raw = np.einsum("iic->ic", xx).copy()
    return Moments(used, np.full(cells, total), x_mean, y_mean, xx, xy, raw)


def _masked(x: AnyArray, y: AnyArray, weight: AnyArray | None, centre: bool, complete: bool) -> Moments:
    """A slab of which values may be missing, or whose features or weights differ between cells."""
    w, valid = masked_weights(x, y, weight)
    if complete and not valid.all():
        raise Incomplete
    total = w.sum(axis=0)
    safe = np.where(total != 0.0, total, 1.0)
    filled = y if valid.all() else np.where(valid, y, 0.0)
    y_mean = (w * filled).sum(axis=0) / safe if centre else np.zeros(y.shape[1])
    centred = (filled - y_mean) * w
    x_mean, xx, xy, raw = (_of_shared_x if x.ndim == 2 else _of_own_x)(x, w, valid, centred, safe, centre)
    if not np.isfinite(centred.sum() + xx.sum()):
        raise NonFiniteData("Input y, X or sample_weight contains infinity. Mask it with .where(...).")
    used = np.count_nonzero(w, axis=0).astype(np.float64)
    return Moments(used, total, x_mean, y_mean, xx, xy, raw)


def masked_weights(x: AnyArray, y: AnyArray, weight: AnyArray | None) -> tuple[FloatArray, AnyArray]:
    """(T, C) weights, 0 where something is missing, and (T, C) where nothing is."""
    valid = ~np.isnan(y)
    lacking = np.asarray(np.isnan(x).any(axis=0))
    valid &= ~lacking[:, None] if x.ndim == 2 else ~lacking
    if weight is None:
        return valid.astype(np.float64), valid
    w = np.asarray(weight, dtype=np.float64)
    w = np.broadcast_to(w[:, None] if w.ndim == 1 else w, y.shape)
    valid &= ~np.isnan(w)
    return np.where(valid, w, 0.0), valid


def _of_shared_x(
    x: AnyArray, w: FloatArray, valid: AnyArray, y: FloatArray, safe: FloatArray, centre: bool
) -> tuple[Any, ...]:
    """Means and sums with features (p, T) that all cells share: three products of matrices."""
    x = np.nan_to_num(np.asarray(x, dtype=np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    middle = x.sum(axis=1) / max(x.shape[1], 1) if centre else np.zeros(len(x))
    shifted = x - middle[:, None]
    mean = shifted @ w / safe if centre else np.zeros((len(x), w.shape[1]))
    i, j = np.triu_indices(len(x))
    sums = (shifted[i] * shifted[j]) @ w
    xx = np.empty((len(x), len(x), w.shape[1]))
    xx[i, j] = sums - w.sum(axis=0) * mean[i] * mean[j]
    xx[j, i] = xx[i, j]
    return mean + middle[:, None], xx, shifted @ y, sums[i == j]


def _of_own_x(
    x: AnyArray, w: FloatArray, valid: AnyArray, y: FloatArray, safe: FloatArray, centre: bool
) -> tuple[Any, ...]:
    """Means and sums with features (p, T, C) of their own."""
    filled = np.where(valid, x, 0.0)
    mean = np.einsum("ptc,tc->pc", filled, w) / safe if centre else np.zeros((len(x), w.shape[1]))
    centred = filled - mean[:, None]
    weighted = centred * w
    xx = np.empty((len(x), len(x), w.shape[1]))
    for i in range(len(x)):
        for j in range(i, len(x)):
            xx[i, j] = xx[j, i] = np.einsum("tc,tc->c", weighted[i], centred[j])
    xy = np.einsum("ptc,tc->pc", centred, y)
    return mean, xx, xy, np.einsum("iic->ic", xx).copy()


def beside(parts: list[Moments]) -> Moments:
    """The moments of cells, one group of them beside the other; what all of them share stays shared."""
    if len(parts) == 1:
        return parts[0]
    widths = [part.xy.shape[1] for part in parts]

    def joined(name: str) -> Any:
        found = [getattr(part, name) for part in parts]
        wide = [np.broadcast_to(v, (*v.shape[:-1], n)) for v, n in zip(found, widths, strict=True)]
        return np.concatenate(wide, axis=-1)

    common = parts[0].xx.base
    shared = common is not None and all(part.xx.base is common for part in parts)
    same = ("used", "weight", "x_mean", "xx", "raw") if shared else ()
    return Moments(*(getattr(parts[0], name) if name in same else joined(name) for name in _NAMES))


def _nothing(p: int) -> Moments:
    """The moments of no cells."""
    none = np.zeros(0)
    return Moments(
        none, none, np.zeros((p, 0)), none, np.zeros((p, p, 0)), np.zeros((p, 0)), np.zeros((p, 0))
    )
