"""Labelled arrays as rows and columns, block by block: each block is a bag of samples.

The order of rows is that of the blocks, which no loss looks at. What is missing is left out inside the block.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, final

import dask.array as da
import numpy as np
import pandas as pd
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import Task, TaskRef
from dask.tokenize import tokenize

from daskml_dist.errors import InvalidData
from daskml_dist.labelled._blocks import Block, Cut, cut_alike, spread
from daskml_dist.labelled._matching import Matched
from daskml_dist.labelled._missing import complain, lacking
from daskml_dist.types import AnyArray

COUNTED = 1 << 28
"""Bytes of lazy data beyond which rows are counted before the fit: only then can they be streamed."""


_RUN = 1 << 18  # samples in memory that are made rows at once, where some of them are left out


@final
@dataclass(frozen=True)
class Rows:
    """X (n, p) and what belongs to it (n,), NumPy arrays or dask arrays of the same chunks.

    Attributes
    ----------
    X : (n, p). parts : by the name of the parameter of ``fit``, (n,) or a number.
    counts : a lazy array of the rows of each chunk where they are unknown, else None.
    large : whether they should be counted before the fit, so that what does not fit in memory is streamed.
    """

    X: Any
    parts: Mapping[str, Any] = field(default_factory=dict)
    counts: Any = None
    large: bool = False


@final
@dataclass(frozen=True)
class _Bag:
    """How the blocks of some arrays become rows."""

    columns: int
    names: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]
    drop: bool
    dtype: Any
    labels: tuple[str, ...]

    def __call__(self, block: Block, *arrays: AnyArray) -> tuple[AnyArray, ...]:
        """X (m, p), and each other array (m,)."""
        n = len(block.spans)
        wide = [spread(np.asarray(array), at, n) for array, at in zip(arrays, self.places, strict=True)]
        X = matrix(wide[: self.columns], block.shape, self.dtype)
        parts = [np.broadcast_to(part, block.shape).reshape(-1) for part in wide[self.columns :]]
        bad = lacking_rows(X)
        for part in parts:
            bad = bad | lacking(part)
        if not np.any(bad):
            return X, *(_plain(part) for part in parts)
        if not self.drop:
            complain(block, self.labels, wide, self.places)
        return X[~bad], *(_plain(part[~bad]) for part in parts)


def rows_of(data: Matched) -> Rows:
    """The rows of matched arrays; lazy where any of them is."""
    lazy = any(array.chunks is not None for array in data.arrays)
    places = tuple(tuple(data.outer.index(str(d)) for d in a.dims if d in data.outer) for a in data.arrays)
    names = [str(column.name) if column.name is not None else "X" for column in data.columns]
    bag = _Bag(
        columns=len(data.columns),
        names=tuple(data.parts),
        places=places,
        drop=data.layout.missing == "drop",
        dtype=np.result_type(*(column.dtype for column in data.columns)),
        labels=(*names, *data.parts),
    )
    fixed = {} if data.weight is None else {"sample_weight": data.weight}
    if lazy:
        return _lazy_rows(bag, cut_alike(data.arrays, data.outer), data.n_features, fixed)
    sizes = {str(dim): size for array in data.arrays for dim, size in array.sizes.items()}
    spans = {dim: (0, sizes[dim]) for dim in data.outer}
    labels = {dim: array.indexes[dim] for array in data.arrays for dim in data.outer if dim in array.indexes}
    whole = Block((0,) * len(spans), spans, labels)
    X, *parts = _loaded_rows(bag, whole, [np.asarray(array.data) for array in data.arrays], data.n_features)
    if not len(X):
        raise InvalidData("No sample is left: a value is missing in each of them (missing='drop').")
    return Rows(X, dict(zip(bag.names, parts, strict=True)) | fixed)


def _lazy_rows(bag: _Bag, cut: Cut, p: int, fixed: dict[str, Any]) -> Rows:
    """Dask arrays whose chunks are blocks; one task makes the rows of a block, for all of them."""
    name = f"labelled-rows-{tokenize([a.name for a in cut.arrays], bag, cut.chunks)}"
    blocks = list(cut.blocks())
    layer: dict[Any, Any] = {
        (name, i): Task((name, i), bag, block, *cut.references(block.number))
        for i, block in enumerate(blocks)
    }
    graph = HighLevelGraph.from_collections(name, layer, dependencies=list(cut.arrays))
    full = tuple(math.prod(block.shape) for block in blocks)
    rows = (math.nan,) * len(full) if bag.drop else full
    bags = da.Array(graph, name, (rows,), meta=np.empty(0))
    dtypes = [bag.dtype, *(array.dtype for array in cut.arrays[bag.columns :])]
    X, *parts = (_item(bags, i, rows, p if i == 0 else None, dtype) for i, dtype in enumerate(dtypes))
    size = sum(full) * (p * bag.dtype.itemsize + 8 * len(parts))
    counts = _counted(bags) if bag.drop else None
    return Rows(X, dict(zip(bag.names, parts, strict=True)) | fixed, counts, bag.drop and size > COUNTED)


def with_counts(rows: Rows, counts: AnyArray) -> Rows:
    """The rows, with the lengths of their chunks."""
    lengths = tuple(int(n) for n in counts)

    def told(array: Any) -> Any:
        if not isinstance(array, da.Array):
            return array
        return da.Array(array.dask, array.name, (lengths, *array.chunks[1:]), meta=array._meta)

    return Rows(told(rows.X), {name: told(part) for name, part in rows.parts.items()})


def _item(bags: Any, item: int, rows: tuple[float, ...], width: int | None, dtype: Any) -> Any:
    """One array of all bags."""
    name = f"{bags.name}-{item}"
    inner = () if width is None else (0,)
    layer: dict[Any, Any] = {}
    for i in range(len(rows)):
        key = (name, i, *inner)
        layer[key] = Task(key, itemgetter(item), TaskRef((bags.name, i)))
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[bags])
    chunks: Any = (rows,) if width is None else (rows, (width,))
    return da.Array(graph, name, chunks, meta=np.empty((0,) * len(chunks), dtype=dtype))


def _counted(bags: Any) -> Any:
    """The rows of each bag."""
    name = f"{bags.name}-counts"
    n = bags.numblocks[0]
    layer: dict[Any, Any] = {(name, i): Task((name, i), _count, TaskRef((bags.name, i))) for i in range(n)}
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[bags])
    return da.Array(graph, name, ((1,) * n,), meta=np.empty(0, dtype=np.int64))


def _count(bag: tuple[AnyArray, ...]) -> AnyArray:
    return np.array([len(bag[0])], dtype=np.int64)


def matrix(columns: list[AnyArray], shape: tuple[int, ...], dtype: Any) -> AnyArray:
    """(m, p) features; a view where there is one array which has all dims."""
    n = len(shape)
    widths = [math.prod(column.shape[n:]) for column in columns]
    m = math.prod(shape)
    if len(columns) == 1:
        whole = np.broadcast_to(columns[0], shape + columns[0].shape[n:])
        return np.ascontiguousarray(whole.reshape(m, widths[0]))
    X = np.empty((m, sum(widths)), dtype=dtype)
    start = 0
    for column, width in zip(columns, widths, strict=True):
        X[:, start : start + width] = np.broadcast_to(column, shape + column.shape[n:]).reshape(m, width)
        start += width
    return X


def lacking_rows(X: AnyArray) -> AnyArray:
    """(m,) where a feature is NaN; the sums tell in one sweep where there is none."""
    if X.dtype.kind != "f":
        return np.zeros(len(X), dtype=bool)
    if X.shape[1] <= 16:  # a sum over few columns is slower than a look at each
        return np.asarray(np.any([np.isnan(column) for column in X.T], axis=0))
    with np.errstate(invalid="ignore", over="ignore"):
        sums = X.sum(axis=1)
    suspicious = np.isnan(sums)
    if suspicious.any():  # infinities of both signs add up to NaN, too
        suspicious[suspicious] = np.isnan(X[suspicious]).any(axis=1)
    return np.asarray(suspicious)


def _plain(part: AnyArray) -> AnyArray:
    """An array of its own; numbers among objects that are left become numbers."""
    return (
        pd.Series(part).infer_objects().to_numpy() if part.dtype.kind == "O" else np.ascontiguousarray(part)
    )


def _loaded_rows(bag: _Bag, whole: Block, arrays: list[AnyArray], p: int) -> list[AnyArray]:
    """The rows of arrays in memory; where some are left out, in runs of labels of the first dim.

    So only the rows that are left take memory.
    """
    dim, (_, length) = next(iter(whole.spans.items()))
    step = max(_RUN * length // max(math.prod(whole.shape), 1), 1)
    if not bag.drop or step >= length:
        return list(bag(whole, *arrays))
    X, used = np.empty((math.prod(whole.shape), p), dtype=bag.dtype), 0
    parts: list[list[AnyArray]] = [[] for _ in bag.names]
    for start in range(0, length, step):
        run = slice(start, min(start + step, length))
        block = Block(whole.number, {**whole.spans, dim: (run.start, run.stop)}, whole.labels)
        cut = [array[run] if 0 in at else array for array, at in zip(arrays, bag.places, strict=True)]
        rows, *others = bag(block, *cut)
        X[used : used + len(rows)] = rows
        used += len(rows)
        for found, part in zip(parts, others, strict=True):
            found.append(part)
    return [X[:used], *(np.concatenate(found) for found in parts)]
