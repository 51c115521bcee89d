"""dask dataframes, and series as targets and weights; the lengths of partitions are not known.

Partitions become chunks through the graph of the simplified expression, and not through
``DataFrame.values`` or a ``map_partitions`` that gives arrays: these run dask's whole optimizer,
which fuses small partitions of Parquet files by the number of columns that are read, so that X and
y of the same frame come out cut differently.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, final

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.dataframe.dispatch import make_meta
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import Task, TaskRef
from dask.tokenize import tokenize

from daskml_dist.errors import InvalidData
from daskml_dist.inputs._base import Chosen, Container, Kind, RowMap
from daskml_dist.inputs._blocks import map_rows
from daskml_dist.inputs._chosen import kept_chunks, refuse_other_chunks, task_of
from daskml_dist.inputs._complaints import refuse_shape, refuse_width, string_names
from daskml_dist.inputs._frames import AnyDtype, labelled, matrix_dtype, to_matrix, to_vector, vector_dtype
from daskml_dist.types import AnyArray


def chunked(frame: Any, function: Callable[[Any], AnyArray], meta: AnyArray) -> Any:
    """A dask array of one chunk a partition, of unknown length: ``function`` of each partition."""
    frame = frame.simplify()
    keys = frame.__dask_keys__()
    name = f"chunk-{tokenize(frame, function)}"
    tail = (0,) * (meta.ndim - 1)
    layer: dict[Any, Task] = {
        (name, i, *tail): Task((name, i, *tail), function, TaskRef(key)) for i, key in enumerate(keys)
    }
    # from_collections() would name the layer of the frame by its id(), which another frame may have later
    source = f"partitions-{tokenize(frame)}"
    graph = HighLevelGraph({name: layer, source: frame.__dask_graph__()}, {name: {source}, source: set()})
    chunks = ((np.nan,) * len(keys), *((width,) for width in meta.shape[1:]))
    return da.Array(graph, name, chunks, meta=meta)


def partition_lengths(frame: Any) -> Any:
    """Rows of each partition as a dask array of integers; only the index is read."""
    index = frame if isinstance(frame, dd.Index) else frame.index
    counts = chunked(index, _length, np.empty(0, dtype=np.int64))
    return da.Array(counts.dask, counts.name, ((1,) * counts.numblocks[0],), dtype=np.int64)


def _length(part: Any) -> AnyArray:
    """The number of rows of one partition."""
    return np.array([len(part)], dtype=np.int64)


def _matrix(frame: Any, min_rows: int) -> Any:
    """The columns of a dask dataframe as a dask array (?, p)."""
    refuse_shape((np.nan, len(frame.columns)), min_rows)
    dtype = _matrix_dtype(frame)
    meta = np.empty((0, len(frame.columns)), dtype=dtype)
    return chunked(frame, partial(to_matrix, dtype=dtype), meta)


def _matrix_dtype(frame: Any) -> AnyDtype:
    """The dtype of all columns; objects are refused, for they could only be judged by reading them."""
    return matrix_dtype(frame.dtypes, list(frame.columns), objects=False)


def _refuse_series(X: Any) -> None:
    """Complain about a series where features are expected."""
    if not isinstance(X, dd.DataFrame):
        raise InvalidData(
            f"Expected a 2-dimensional container but got {type(X)} instead. Pass a DataFrame with a "
            "single column (i.e. single feature): X.to_frame()."
        )


@final
class DaskFrame(Container):
    """Lazy rows in partitions, with an index and named columns."""

    kind: ClassVar[Kind] = "dask dataframe"

    def recognises(self, values: object) -> bool:
        return isinstance(values, (dd.DataFrame, dd.Series, dd.Index))

    def features(self, X: Any) -> tuple[int, AnyArray | None]:
        _refuse_series(X)
        return len(X.columns), string_names(X.columns)

    def matrix(self, X: Any, *, estimator: object, min_rows: int) -> Any:
        _refuse_series(X)
        return _matrix(X, min_rows)

    def column(self, values: Any, name: str) -> Any:
        if isinstance(values, dd.DataFrame):
            if len(values.columns) != 1:
                return _matrix(values, 0)
            return self.column(values[values.columns[0]], name)[:, None]
        dtype = vector_dtype(values.dtype)
        return chunked(values, partial(to_vector, dtype=dtype, name=name), np.empty(0, dtype=dtype))

    def needs_index(self, values: Any) -> bool:
        return False

    def take(self, values: Any, chosen: Chosen) -> Any:
        frame = values.simplify()
        blocks = frame.__dask_keys__()
        refuse_other_chunks(len(blocks), chosen.rows)
        kept = kept_chunks(chosen)
        name = f"rows-{tokenize(frame, chosen.fold.name, chosen.wanted)}"
        keys = [(name, position) for position in range(len(kept))]
        tasks: dict[Any, Any] = {
            key: task_of(key, blocks[i], i, chosen) for key, i in zip(keys, kept, strict=True)
        }
        divisions = tuple(frame.divisions[i] for i in kept) + (frame.divisions[kept[-1] + 1],)
        graph = {**frame.__dask_graph__(), **dict(chosen.fold.__dask_graph__()), **tasks}
        return dd.from_graph(graph, make_meta(frame), divisions, keys, "rows")

    def one_chunk_each(self, parts: list[Any]) -> Any:
        return dd.concat([part.clear_divisions().repartition(npartitions=1) for part in parts])

    def apply(self, X: Any, row_map: RowMap) -> Any:
        _refuse_series(X)
        refuse_width(len(X.columns), row_map.n_features)
        function = partial(apply_rows, row_map=row_map, dtype=_matrix_dtype(X))
        meta = labelled(row_map.empty(), make_meta(X).index, row_map)
        return X.map_partitions(function, meta=meta, enforce_metadata=False)


def apply_rows(
    part: pd.DataFrame, *, row_map: RowMap, dtype: AnyDtype, partition_info: dict[str, Any] | None = None
) -> Any:
    """One partition of a dask dataframe, which dask tells its number."""
    chunk = None if partition_info is None else partition_info["number"]
    return labelled(map_rows(to_matrix(part, dtype), row_map, chunk), part.index, row_map)
