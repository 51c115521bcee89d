"""Rows that belong together, cut alike: all in memory, or all lazy in the chunks of X."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
from dask.array.utils import meta_from_array
from dask.task_spec import DataNode
from scipy.sparse import csr_array, issparse

from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.inputs._complaints import is_lazy
from daskml_dist.types import AnyArray

Rows = tuple[float, ...]

MEASURE = (
    "Call X.compute_chunk_sizes() first (X.to_dask_array(lengths=True) for a dask dataframe), or pass "
    "X and {name} in the same kind of container."
)


def rows_of(array: Any) -> Rows:
    """Rows of each chunk; NaN where unknown, one chunk for an array in memory."""
    rows: Rows = array.chunks[0] if is_lazy(array) else (array.shape[0],)
    return rows


def known(rows: Rows) -> bool:
    """Say whether the rows of all chunks are known."""
    return not any(math.isnan(n) for n in rows)


def with_rows(array: Any, rows: Rows, name: str) -> Any:
    """A dask array whose chunks are said to have these rows; as many chunks as it has."""
    if len(rows) != array.numblocks[0]:
        raise ChunkMismatch(
            f"{len(rows)} lengths were given for the {array.numblocks[0]} chunks of {name}. Give one for "
            "each chunk."
        )
    return da.Array(array.dask, array.name, (rows, *array.chunks[1:]), meta=meta_from_array(array))


def in_blocks(array: Any, rows: Rows) -> Any:
    """An array in memory, dense or sparse, as a dask array whose chunks have these rows."""
    if not issparse(array):
        return da.from_array(array, chunks=(rows, *((width,) for width in array.shape[1:])), name=False)
    name = f"sparse-rows-{uuid4().hex}"
    ends = np.cumsum([0, *rows]).astype(int).tolist()
    blocks = {
        (name, i, 0): DataNode((name, i, 0), array[start:end])
        for i, (start, end) in enumerate(pairwise(ends))
    }
    meta = csr_array((0, array.shape[1]), dtype=array.dtype)
    return da.Array(blocks, name, (rows, (array.shape[1],)), meta=meta)


def measured(X: Any, lengths: tuple[int, ...] | None) -> Any:
    """X with the lengths that the caller measured."""
    if lengths is None:
        return X
    rows = rows_of(X)
    if not known(rows):
        return with_rows(X, tuple(int(n) for n in lengths), "X")
    if tuple(lengths) != rows:
        raise ChunkMismatch(f"lengths are {tuple(lengths)}, but the chunks of X have {rows} rows.")
    return X


def aligned(X: Any, parts: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """X and the parts, all in memory or all lazy with the row chunks of X.

    Parameters
    ----------
    X : (n, p) NumPy or dask array.
    parts : the target, weight and offset by name: arrays, a number to repeat, or None.

    Raises
    ------
    InvalidData
        The numbers of rows are known and differ.
    ChunkMismatch
        Rows must be cut that have not been counted; the message says how to count them.
    """
    lazy = [name for name, part in parts.items() if is_lazy(part)]
    if lazy and not is_lazy(X):
        X = in_blocks(X, _rows_for(X, parts, lazy))
    return X, {name: _alike(X, part, name) for name, part in parts.items()}


def _rows_for(X: AnyArray, parts: Mapping[str, Any], lazy: list[str]) -> Rows:
    """How to cut X in memory: as the first lazy part of known lengths is cut."""
    for name in lazy:
        rows = rows_of(parts[name])
        if known(rows):
            _same_length(X.shape[0], sum(rows), name)
            return rows
    if all(parts[name].numblocks[0] == 1 for name in lazy):
        return (X.shape[0],)
    name = lazy[0]
    raise ChunkMismatch(
        f"X is in memory and the chunks of {name} have unknown lengths, so that X cannot be cut like "
        f"{name}. Call {name}.compute_chunk_sizes() first ({name}.to_dask_array(lengths=True) for a dask "
        f"dataframe)."
    )


def _alike(X: Any, part: Any, name: str) -> Any:
    """One part, cut like X."""
    if part is None:
        return None
    if isinstance(part, float):
        return _repeated(X, part)
    rows = rows_of(X)
    if known(rows) and known(rows_of(part)):
        _same_length(sum(rows), sum(rows_of(part)), name)
    if not is_lazy(X):
        return part
    if not is_lazy(part):
        _refuse_uncounted(rows, "is in memory", name)
        return in_blocks(part, rows)
    return _cut(part, rows, name)


def _cut(part: Any, rows: Rows, name: str) -> Any:
    """A lazy part, cut into chunks of these rows."""
    ours = rows_of(part)
    if known(ours):
        _refuse_uncounted(rows, "has chunks of known lengths", name)
        return part if ours == rows else part.rechunk({0: rows}, method="tasks")
    if len(ours) != len(rows):
        raise ChunkMismatch(
            f"X has {len(rows)} chunks and {name} has {len(ours)} of unknown lengths, so that their rows "
            f"cannot be brought together. Cut them alike, or call compute_chunk_sizes() on both first "
            "(to_dask_array(lengths=True) for a dask dataframe)."
        )
    return with_rows(part, rows, name)


def _refuse_uncounted(rows: Rows, state: str, name: str) -> None:
    """Complain when the chunks of X would have to be known to cut a part like X."""
    if not known(rows):
        raise ChunkMismatch(
            f"The chunks of X have unknown lengths and {name} {state}, so that {name} cannot be cut like "
            f"X. {MEASURE.format(name=name)}"
        )


def _same_length(n_rows: float, other: float, name: str) -> None:
    """Complain about a part that is longer or shorter than X."""
    if n_rows != other:
        raise InvalidData(
            f"Found input variables with inconsistent numbers of samples: [{int(n_rows)}, {int(other)}] "
            f"(X, {name})."
        )


def _repeated(X: Any, value: float) -> Any:
    """A number, once for each row of X."""
    if not is_lazy(X):
        return np.full(X.shape[0], value)
    rows = rows_of(X)
    if known(rows):
        return da.full((sum(rows),), value, chunks=(rows,))
    meta = np.empty(0)
    return da.map_blocks(_constant, X, value, drop_axis=1, dtype=meta.dtype, meta=meta)


def _constant(block: AnyArray, value: float) -> AnyArray:
    """A number, once for each row of a block."""
    return np.full(block.shape[0], value)
