"""xarray DataArrays over NumPy or dask: rows are the first dim, features the second."""

from __future__ import annotations

from typing import Any, ClassVar, final

import dask.array as da
import numpy as np
import xarray as xr

from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.inputs._base import Chosen, Container, Kind, RowMap
from daskml_dist.inputs._blocks import map_rows, map_rows_lazily
from daskml_dist.inputs._chosen import index_of, taken_chunks
from daskml_dist.inputs._complaints import (
    lazy_matrix,
    refuse_foreign_blocks,
    refuse_masked,
    string_names,
)
from daskml_dist.inputs.numpy_array import checked_matrix
from daskml_dist.types import AnyArray


def _refuse_dims(X: Any) -> None:
    """Complain about a DataArray that is no matrix."""
    if X.ndim == 2:
        return
    cure = (
        "X.expand_dims('feature', axis=1) makes one column of it"
        if X.ndim == 1
        else "X.stack(sample=[...]).transpose('sample', ...) joins dims"
    )
    raise InvalidData(
        f"Expected 2D array, got a {X.ndim}D DataArray with dims {X.dims} instead. Rows are the first "
        f"dim and features the second. Reshape your data: {cure}."
    )


def _matrix(X: Any, *, estimator: object = None, min_rows: int = 0) -> Any:
    """The data of a DataArray, NumPy or dask as it was."""
    _refuse_dims(X)
    data = _data(X, "X")
    if isinstance(data, da.Array):
        return lazy_matrix(data, min_rows)
    return checked_matrix(data, estimator=estimator, min_rows=min_rows)


def _data(values: Any, name: str) -> Any:
    """The NumPy or dask array in a DataArray; one that stands for a file and has no chunks is loaded."""
    data = values.data
    if isinstance(data, da.Array):
        refuse_foreign_blocks(data, name)
    elif not isinstance(data, np.ndarray):
        raise TypeError(
            f"{name} is a DataArray over {type(data).__module__}.{type(data).__name__}; NumPy or dask "
            f"is expected inside. Convert it with {name}.as_numpy()."
        )
    refuse_masked(data, name)
    return data


def concatenated(parts: list[Any], dim: Any) -> Any:
    """Arrays or Datasets one after the other along a dim, the chunks of each made one."""
    variables: Any = {"data_vars": "minimal"} if isinstance(parts[0], xr.Dataset) else {}
    joined: Any = xr.concat(
        [part.chunk({dim: -1}) for part in parts],
        dim=dim,
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="override",
        **variables,
    )
    return joined


def refuse_other_labels(X: xr.DataArray, part: xr.DataArray, name: str) -> None:
    """Complain when X and a target, weight or offset lie on different dims, or rows of other labels.

    Raises
    ------
    InvalidData
        Another dim.
    ChunkMismatch
        Both have a coordinate on the rows, of the same length and with other labels.
    """
    dim = X.dims[0]
    if part.ndim and part.dims[0] != dim:
        raise InvalidData(
            f"The rows of X lie on dim {dim!r} and those of {name} on {part.dims[0]!r}. Transpose or "
            f"rename one of them, for instance {name}.rename({{{part.dims[0]!r}: {dim!r}}})."
        )
    ours, theirs = X.indexes.get(dim), part.indexes.get(dim)
    if ours is not None and theirs is not None and len(ours) == len(theirs) and not ours.equals(theirs):
        raise ChunkMismatch(
            f"X and {name} have different labels on dim {dim!r}, so that their rows do not belong "
            f"together. Align them: X, {name} = xarray.align(X, {name}, join='inner'), or drop the labels "
            f"of one: {name}.drop_vars({dim!r})."
        )


@final
class XarrayArray(Container):
    """Rows with a dim and coords, in memory or lazy."""

    kind: ClassVar[Kind] = "xarray"

    def recognises(self, values: object) -> bool:
        return isinstance(values, xr.DataArray)

    def features(self, X: Any) -> tuple[int, AnyArray | None]:
        _refuse_dims(X)
        index = X.indexes.get(X.dims[1])
        return X.shape[1], None if index is None else string_names(index)

    def matrix(self, X: Any, *, estimator: object, min_rows: int) -> Any:
        return _matrix(X, estimator=estimator, min_rows=min_rows)

    def column(self, values: Any, name: str) -> Any:
        return _data(values, name)

    def needs_index(self, values: Any) -> bool:
        dim = values.dims[0]
        return values.chunks is None or any(dim in coord.dims for coord in values.coords.values())

    def take(self, values: Any, chosen: Chosen) -> Any:
        dim = values.dims[0]
        if values.chunks is None:
            return values.isel({dim: index_of(values, chosen)})
        data = taken_chunks(values.data, chosen)
        coords = values.coords
        if chosen.index is not None:
            coords = coords.to_dataset().isel({dim: chosen.index}, missing_dims="ignore").coords
        return xr.DataArray(data, coords=coords, dims=values.dims, name=values.name, attrs=values.attrs)

    def one_chunk_each(self, parts: list[Any]) -> Any:
        return concatenated(parts, parts[0].dims[0])

    def apply(self, X: Any, row_map: RowMap) -> Any:
        matrix = _matrix(X)
        lazy = isinstance(matrix, da.Array)
        data = map_rows_lazily(matrix, row_map) if lazy else map_rows(matrix, row_map)
        sample, feature = X.dims
        coords = X.coords.to_dataset().drop_dims(feature, errors="ignore").coords
        if row_map.outputs is None:
            return xr.DataArray(data, dims=[sample], coords=coords, name=row_map.name)
        dim = row_map.output_dim
        if dim == sample or dim in coords:
            raise InvalidData(f"X has a dim or coord {dim!r}, which the result needs: X.rename({dim}=...).")
        result = xr.DataArray(data, dims=[sample, dim], coords=coords, name=row_map.name)
        return result.assign_coords({dim: np.asarray(row_map.outputs)})
