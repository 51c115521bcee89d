"""Results with the dims, coordinates and chunks of X, from a function of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import xarray as xr

from daskml_dist.errors import InvalidData, NonFiniteData
from daskml_dist.labelled._layout import Layout
from daskml_dist.labelled._matching import columns_of
from daskml_dist.labelled._rows import lacking_rows, matrix
from daskml_dist.types import AnyArray


def is_labelled(X: object) -> bool:
    """Say whether X is an xarray object."""
    return isinstance(X, xr.DataArray | xr.Dataset)


def restored(
    layout: Layout,
    coef: xr.DataArray,
    X: Any,
    function: Callable[[AnyArray], AnyArray],
    *,
    outputs: Sequence[Any] | None,
    dtype: Any,
    target: bool,
) -> xr.DataArray:
    """A function of the features of each sample, on the dims of X without those of the features.

    Parameters
    ----------
    layout, coef : of the fitted model.
    X : DataArray or Dataset with its features, by name; other dims are those of samples, in any order.
    function : maps (m, p) to (m,) or (m, k).
    outputs : the labels of the k results, which lie on the last dim, "class"; or None.
    dtype : of the result where nothing is missing.
    target : whether the result is in the place of y, so that it has its name and attributes.

    Returns
    -------
    DataArray, lazy where X is. Where a feature is missing and the model was fitted with ``missing="drop"``:
    NaN, which makes numbers of integers and bools; "" among strings.

    Raises
    ------
    InvalidData
        Features are absent, or have other labels than those that were learned from.
    NonFiniteData
        A feature is missing, and the model was fitted with ``missing="raise"``.
    """
    columns = features_of(layout, coef, X)
    features = list(layout.feature_dims)
    dtype = with_missing(np.dtype(dtype)) if layout.missing == "drop" else np.dtype(dtype)
    if outputs is not None:
        refuse_taken("class", columns)
    mapped = _PerRow(
        function, len(features), None if outputs is None else len(outputs), dtype, layout.missing
    )
    result = _over_blocks(mapped, columns, features, outputs, dtype)
    return in_place_of_y(result, layout) if target else result


def features_of(layout: Layout, coef: xr.DataArray, X: Any) -> list[xr.DataArray]:
    """The variables of X that a model needs, with the feature dims that it knows, in one chunk each."""
    if layout.variables is not None:
        if not isinstance(X, xr.Dataset):
            raise InvalidData(
                f"The model was fitted to the variables {layout.variables!r} of a Dataset; X is a DataArray."
            )
        absent = [name for name in layout.variables if name not in X.data_vars]
        if absent:
            raise InvalidData(f"X lacks the variables {absent!r}, which the model was fitted to.")
        X = X[list(layout.variables)]
    elif not isinstance(X, xr.DataArray):
        raise InvalidData("The model was fitted to a DataArray; X is a Dataset. Take one of its variables.")
    columns = columns_of(X)
    for column in columns:
        _refuse_other_features(layout, coef, column)
    return [_in_one_chunk(column, layout.feature_dims) for column in columns]


def _in_one_chunk(column: xr.DataArray, dims: Sequence[str]) -> xr.DataArray:
    """A variable of which these dims are not cut."""
    several = [dim for dim in dims if len(column.chunksizes.get(dim, (0,))) > 1]
    return column.chunk(dict.fromkeys(several, -1)) if several else column


def _refuse_other_features(layout: Layout, coef: xr.DataArray, column: xr.DataArray) -> None:
    for dim in layout.feature_dims:
        if dim not in column.dims:
            raise InvalidData(
                f"X has the dims {column.dims}, and the model was fitted to features on {dim!r}."
            )
        if dim in coef.dims:
            known, size = coef.indexes.get(dim), coef.sizes[dim]
        else:
            known = coef.indexes["feature" if "feature" in coef.dims else str(coef.dims[-1])].unique(dim)
            size = len(known)
        found = column.indexes.get(dim)
        if column.sizes[dim] != size:
            raise InvalidData(
                f"X has {column.sizes[dim]} labels on the feature dim {dim!r}, and the model was "
                f"fitted to {size}."
            )
        if known is not None and found is not None and not known.equals(found):
            raise InvalidData(
                f"X has other labels on the feature dim {dim!r} than the model was fitted to, or has them in "
                f"another order: {list(found[:5])!r} and {list(known[:5])!r}. Take those with "
                f"X.sel({dim}=...)."
            )


def refuse_taken(dim: str, columns: Sequence[xr.DataArray]) -> None:
    """Complain about a dim that the result needs for itself."""
    for column in columns:
        if dim in column.dims or dim in column.coords:
            raise InvalidData(f"X has a dim or coord {dim!r}, which the result needs: X.rename({dim}=...).")


def with_missing(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A dtype that has a missing value."""
    return np.dtype(np.float64) if dtype.kind in "biu" else dtype


def missing_value(dtype: np.dtype[Any]) -> Any:
    """The missing value of a dtype: NaN of numbers, an empty string of others."""
    return np.nan if dtype.kind == "f" else ""


def in_place_of_y(result: xr.DataArray, layout: Layout) -> xr.DataArray:
    """A result with the name and the attributes of y."""
    result = result.rename(layout.target)
    result.attrs = dict(layout.attrs)
    return result


@final
@dataclass(frozen=True)
class _PerRow:
    """A function of rows, on blocks whose last axes are the features."""

    function: Callable[[AnyArray], AnyArray]
    inner: int
    outputs: int | None
    dtype: np.dtype[Any]
    missing: str

    def __call__(self, *blocks: AnyArray) -> AnyArray:
        outer = [block.shape[: block.ndim - self.inner] for block in blocks]
        shape = np.broadcast_shapes(*outer)
        wide = [
            block.reshape((1,) * (len(shape) - len(o)) + block.shape)
            for block, o in zip(blocks, outer, strict=True)
        ]
        x = matrix(wide, shape, np.result_type(*blocks))
        bad = lacking_rows(x)
        if bad.any() and self.missing == "raise":
            raise NonFiniteData(
                f"Input X contains NaN.\nX lacks a value in {int(bad.sum())} samples of one block. "
                "Fill them, or "
                "fit with missing='drop', which predicts NaN there."
            )
        tail = () if self.outputs is None else (self.outputs,)
        found = np.full((len(x), *tail), missing_value(self.dtype) if bad.any() else 0, dtype=self.dtype)
        if not bad.all():
            kept = x if not bad.any() else x[~bad]
            if kept.dtype.kind == "f" and not np.isfinite(kept).all():
                raise NonFiniteData("Input X contains infinity. Mask it with .where(...).")
            found[~bad] = self.function(kept)
        return found.reshape(shape + tail)


def _over_blocks(
    mapped: Callable[..., AnyArray],
    columns: Sequence[xr.DataArray],
    features: list[str],
    outputs: Sequence[Any] | None,
    dtype: np.dtype[Any],
) -> xr.DataArray:
    """Each block through a function, lazily where there are blocks."""
    sizes: Mapping[str, int] = {} if outputs is None else {"class": len(outputs)}
    result = xr.apply_ufunc(
        mapped,
        *columns,
        input_core_dims=[features] * len(columns),
        output_core_dims=[list(sizes)],
        dask="parallelized",
        output_dtypes=[dtype],
        dask_gufunc_kwargs={"output_sizes": dict(sizes)} if sizes else {},
        join="exact",
        keep_attrs=False,
    )
    if outputs is not None:
        result = result.assign_coords({"class": np.asarray(outputs)})
    return result  # type: ignore[no-any-return]
