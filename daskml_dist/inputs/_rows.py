"""The rows of a container, whatever is in them: how many, what labels them, and some of them."""

from __future__ import annotations

from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import xarray as xr

from daskml_dist.errors import InvalidData
from daskml_dist.inputs._align import known, rows_of
from daskml_dist.inputs._base import Chosen
from daskml_dist.inputs._chosen import in_chunks, rows_in
from daskml_dist.inputs._recognise import container_of
from daskml_dist.inputs.dask_frame import partition_lengths
from daskml_dist.inputs.xarray_dataset import column_of
from daskml_dist.types import AnyArray

_FRAMES = (dd.DataFrame, dd.Series, dd.Index)


def chunk_rows(values: Any) -> tuple[int, ...] | None:
    """The rows of each chunk; one chunk for what is in memory.

    Parameters
    ----------
    values : any supported container, of any dtype and number of dims.

    Returns
    -------
    The lengths, or None where some are unknown until computed.
    """
    if uncounted(values):
        return None
    data = _data(values)
    return tuple(int(n) for n in rows_of(data)) if isinstance(data, da.Array) else (rows_in(data),)


def uncounted(values: Any) -> bool:
    """Say whether an object is lazy with chunks of unknown lengths."""
    if isinstance(values, _FRAMES):
        return True
    data = _data(values)
    return isinstance(data, da.Array) and not known(rows_of(data))


def row_counts(X: Any) -> Any:
    """The rows of each chunk of X, as a lazy dask array of integers.

    Parameters
    ----------
    X : dask array, dataframe or series, or xarray over dask, of any dtype and number of dims.

    Returns
    -------
    dask array (chunks,), one element a chunk. Only the index of a dask dataframe is read, and only the
    first column chunk of an array.

    Raises
    ------
    InvalidData
        X is in memory.

    Notes
    -----
    ``X.map_partitions(len)`` is not the same: dask may fuse partitions when it computes that.
    """
    if isinstance(X, _FRAMES):
        return partition_lengths(X)
    data = _data(X)
    if not isinstance(data, da.Array):
        raise InvalidData("X is in memory and has no chunks to count: its rows are len(X).")
    first = data.blocks[(slice(None), *(0,) * (data.ndim - 1))]
    chunks = ((1,) * data.numblocks[0],)
    meta = np.empty(0, dtype=np.int64)
    dropped = list(range(1, data.ndim))
    return da.map_blocks(_count, first, drop_axis=dropped, chunks=chunks, dtype=meta.dtype, meta=meta)


def column(values: Any, name: str) -> Any:
    """Labels or groups as a NumPy or dask array (n,); a column (n, 1) is raveled.

    Parameters
    ----------
    values : (n,) or (n, 1) of any dtype, in any supported container.
    name : for messages.

    Raises
    ------
    InvalidData
        Not one value a row.
    """
    array = container_of(values, name).column(values, name)
    array = array if isinstance(array, da.Array) else np.asarray(array)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InvalidData(
            f"{name} should be a 1d array, got an array of shape {array.shape} instead. Join its columns to "
            "one value a row."
        )
    return array


def column_in_chunks(values: Any, name: str, rows: tuple[int, ...]) -> Any:
    """Labels or groups as a dask array (n,) of these chunks; see ``column``."""
    return in_chunks(column(values, name), rows)


def matrix_in_chunks(X: Any, rows: tuple[int, ...]) -> Any:
    """Features as a dask array (n, p) with these row chunks and one column chunk; dense, or csr blocks."""
    matrix = container_of(X).matrix(X, estimator=None, min_rows=0)
    return in_chunks(matrix, rows)


def index_needed(values: Any) -> bool:
    """Say whether ``take`` needs the positions of the rows: for what is in memory, and coords that are."""
    return container_of(values).needs_index(values)


def take(values: Any, chosen: Chosen) -> Any:
    """Some rows of a container, in the same kind and in the same order; nothing is computed.

    Lazy containers give lazy results. Chunks of which no row is chosen are left out, and those of which
    all are chosen are not touched: what is persisted is not copied. Index, divisions, names, dims,
    coords and attributes are kept.

    Parameters
    ----------
    values : any supported container, of any dtype and number of dims.
    chosen : which rows; with their index where ``index_needed`` says so.

    Raises
    ------
    ChunkMismatch
        The rows cannot be brought together with those that were chosen: at once where it is known, else
        when a chunk is computed.
    InvalidData
        There are more or fewer rows.
    """
    return container_of(values).take(values, chosen)


def one_chunk_each(parts: list[Any]) -> Any:
    """Parts of one kind of container, one after the other, lazy, each of them one chunk.

    Parameters
    ----------
    parts : as ``take`` gives them; what is in memory becomes a dask array or dataframe, or xarray over
        dask.
    """
    return container_of(parts[0]).one_chunk_each(parts)


def _data(values: Any) -> Any:
    """What is inside an xarray DataArray, or a variable of a Dataset; anything else is itself."""
    values = column_of(values) if isinstance(values, xr.Dataset) else values
    data = values.data if isinstance(values, xr.DataArray) else values
    if isinstance(data, da.Array) and data.ndim == 0:
        raise InvalidData("Singleton array given: it has no rows. Expected at least one dimension.")
    return data


def _count(block: AnyArray) -> AnyArray:
    """The number of rows of one block."""
    return np.array([block.shape[0]], dtype=np.int64)
