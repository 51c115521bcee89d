"""Sweeps of many problems over the same rows: their margins are one matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from scipy.sparse import issparse

from daskml_dist.kernels._base import Kernel, Part
from daskml_dist.kernels.hessian_vector import HessianVector
from daskml_dist.kernels.rows import blocks, extended, squares
from daskml_dist.kernels.sweep import Sweep
from daskml_dist.kernels.weights import weighted
from daskml_dist.types import AnyArray, Chunk, FloatArray

K = TypeVar("K", bound=Kernel[Any])
Asked = tuple[Sweep, Chunk]

_FEW = 3  # problems up to which one after the other is faster
_CACHE_ELEMENTS = 1 << 16  # of a block of margins: what is computed from them stays in the cache


def swept(asked: Sequence[Asked]) -> list[Part]:
    """The parts of these sweeps; those of value, gradient and diagonal at most are made together.

    Parameters
    ----------
    asked : each sweep with the chunk as its problem sees it.
    """
    keys = [
        (*rows_key(sweep, chunk), sweep.diagonal) if replace(sweep, diagonal=False).plain else None
        for sweep, chunk in asked
    ]
    return stacked_by(keys, asked, _stacked, _FEW)


def rows_key(kernel: Sweep | HessianVector, chunk: Chunk) -> tuple[Any, ...]:
    """What must be the same where the margins of problems are one matrix: rows, loss and centre."""
    point = kernel.point
    return id(chunk.X), repr(kernel.loss), point.intercept, point.centre.tobytes()


def stacked_by(
    keys: Sequence[Any],
    asked: Sequence[tuple[K, Chunk]],
    stacked: Callable[[list[tuple[K, Chunk]]], list[Part]],
    few: int,
) -> list[Part]:
    """The parts of all kernels; more than ``few`` with the same key are made together."""
    groups: dict[Any, list[int]] = {}
    for k, key in enumerate(keys):
        groups.setdefault(k if key is None else key, []).append(k)
    parts: dict[int, Part] = {}
    for members in groups.values():
        if len(members) <= few:
            parts |= {k: asked[k][0].chunk(asked[k][1]) for k in members}
        else:
            parts |= zip(members, stacked([asked[k] for k in members]), strict=True)
    return [parts[k] for k in range(len(asked))]


def _stacked(asked: Sequence[Asked]) -> list[Part]:
    first, chunk = asked[0]
    assert chunk.X is not None and chunk.y is not None
    W = np.stack([sweep.point.w[0] for sweep, _ in asked])  # (K, p)
    shift = np.array([sweep.point.raw_intercept[0] for sweep, _ in asked])
    weights, columns = weights_of([chunk for _, chunk in asked])
    targets, rows = different([chunk.y for _, chunk in asked])
    value, slopes, gradient = np.zeros(len(asked)), np.zeros(len(asked)), np.zeros(W.shape)
    # a quadratic loss has the same curvature at all points: that of one problem is that of all
    bent = slice(1 if first.loss.quadratic and (weights is None or len(weights) == 1) else None)
    diagonals = np.zeros_like(first.point.theta)
    with np.errstate(over="ignore", invalid="ignore"):  # a step too far: the solver sees infinity
        for where, x in _blocks(chunk.X, len(asked)):
            z = W @ x.T  # (K, B)
            z += shift[:, None]
            if chunk.offset is not None:
                z += chunk.offset[where]
            y = np.broadcast_to(targets[:, where] if len(targets) == 1 else targets[:, where][rows], z.shape)
            losses, slope = first.loss.value_slope(y, z)
            s = None if weights is None else weights[:, where][columns]
            if first.diagonal:
                diagonals = diagonals + _diagonals(first, x, y[bent], z[bent], None if s is None else s[bent])
            if s is not None:
                losses, slope = weighted(s, losses), weighted(s, slope)
            value += losses.sum(axis=1)
            slopes += slope.sum(axis=1)
            gradient += slope @ x
    if first.point.intercept:
        gradient = np.column_stack([gradient - np.outer(slopes, first.point.centre), slopes])
    totals = np.full(len(asked), float(len(chunk.y))) if weights is None else weights.sum(axis=1)[columns]
    none = np.zeros((1, 0))
    parts = zip(totals, value[:, None], gradient[:, None], strict=True)
    sums = [{"weight_sum": np.asarray(s), "value": v, "gradient": g, "trials": none} for s, v, g in parts]
    if first.diagonal:
        diagonals = np.broadcast_to(diagonals, gradient.shape)
        sums = [{**own, "diagonal": row} for own, row in zip(sums, diagonals[:, None], strict=True)]
    return [Part(own) for own in sums]


def _diagonals(sweep: Sweep, x: AnyArray, y: FloatArray, z: FloatArray, s: FloatArray | None) -> FloatArray:
    """(K, q) the diagonals of Hessians; y, z and the weights s are (K, B)."""
    curvature = sweep.loss.value_slope_curvature(y, z)[2]
    rows = extended(x, sweep.point.centre, sweep.point.intercept)
    return squares(rows, curvature if s is None else weighted(s, curvature))


def weights_of(chunks: Sequence[Chunk]) -> tuple[FloatArray | None, list[int]]:
    """The different weights, (V, n), and which of them each problem has; None where all rows count once."""
    if all(chunk.weight is None for chunk in chunks):
        return None, []
    ones = np.ones(len(chunks[0].y)) if chunks[0].y is not None else None
    return different([ones if chunk.weight is None else chunk.weight for chunk in chunks])


def different(columns: Sequence[FloatArray | None]) -> tuple[FloatArray, list[int]]:
    """The different ones of (n,) columns, (V, n), and which of them each problem has."""
    different = {id(column): column for column in columns if column is not None}
    place = {key: number for number, key in enumerate(different)}
    return np.stack(list(different.values())), [place[id(column)] for column in columns]


def _blocks(X: AnyArray, problems: int) -> Iterator[tuple[slice, AnyArray]]:
    """Row blocks that are short enough for the margins of all problems."""
    if issparse(X):  # a product of sparse rows turns the coefficients round: in few blocks
        yield from blocks(X, margins=problems)
        return
    rows = max(_CACHE_ELEMENTS // problems, 64)
    for where, x in blocks(X):
        for start in range(0, x.shape[0], rows):
            part = slice(start, start + rows)
            yield slice(where.start + start, where.start + min(start + rows, x.shape[0])), x[part]
