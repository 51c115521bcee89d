"""Margins of models of cells: each sample meets the coefficients of its own cell or group, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
import xarray as xr

from daskml_dist.errors import InvalidData, NonFiniteData
from daskml_dist.labelled._layout import Layout
from daskml_dist.labelled._restoring import features_of
from daskml_dist.types import AnyArray


def margins(layout: Layout, coef: xr.DataArray, intercept: xr.DataArray, X: Any) -> xr.DataArray:
    """x'w + b on the dims of X without those of the features, and those of the cells.

    Parameters
    ----------
    layout : of the fitted model.
    coef : its coefficients, the features last. intercept : without them.
    X : DataArray or Dataset; it may lack dims of cells, which then are those of the model.

    Returns
    -------
    DataArray, lazy where X is, or where y was at the fit; NaN where there is no model, and where a feature is
    missing if the model was fitted with ``missing="drop"``.

    Raises
    ------
    InvalidData
        Labels of cells or groups for which nothing was fitted.
    """
    dim = str(coef.dims[-1])
    columns = features_of(layout, coef, X)
    plain = coef.drop_vars([name for name, coord in coef.coords.items() if dim in coord.dims])
    bias = intercept
    if layout.group is not None:
        plain, bias = _of_groups(layout, plain, bias, X)
    plain, bias = _of_cells(layout, plain, bias, columns)
    lazy = any(column.chunks is not None for column in columns)
    if lazy or layout.cell_chunks:
        chunks = _chunks(layout, plain, columns)
        plain, bias = plain.chunk({**chunks, dim: -1}), bias.chunk(chunks)
    product = _Product(len(layout.feature_dims), len(columns), layout.missing)
    outer = list(dict.fromkeys(str(d) for array in (*columns, bias) for d in array.dims))
    order = [d for d in outer if d not in layout.feature_dims]
    result = xr.apply_ufunc(
        product,
        *columns,
        plain,
        bias,
        input_core_dims=[list(layout.feature_dims)] * len(columns) + [[dim], []],
        dask="parallelized",
        output_dtypes=[np.float64],
        join="exact",
        keep_attrs=False,
    )
    return result.transpose(*order)  # type: ignore[no-any-return]


def elementwise(
    z: xr.DataArray,
    function: Callable[[AnyArray], AnyArray],
    dtype: Any,
    *,
    outputs: Sequence[Any] | None = None,
) -> xr.DataArray:
    """A function of each margin: one value, or k on a last dim "class"; NaN stays missing."""
    dims = [] if outputs is None else ["class"]
    result = xr.apply_ufunc(
        partial(_quietly, function),
        z,
        output_core_dims=[dims],
        dask="parallelized",
        output_dtypes=[dtype],
        dask_gufunc_kwargs={} if outputs is None else {"output_sizes": {"class": len(outputs)}},
        keep_attrs=False,
    )
    return result if outputs is None else result.assign_coords({"class": np.asarray(outputs)})  # type: ignore[no-any-return]


def _quietly(function: Callable[[AnyArray], AnyArray], z: AnyArray) -> AnyArray:
    """A function of margins of which some are NaN."""
    with np.errstate(invalid="ignore"):
        return function(np.asarray(z))


def _of_groups(
    layout: Layout, coef: xr.DataArray, intercept: xr.DataArray, X: Any
) -> tuple[xr.DataArray, xr.DataArray]:
    """The coefficients of the group of each sample, on the dims of the group labels of X."""
    name = str(layout.group)
    if name not in X.coords:
        raise InvalidData(
            f"X has no coordinate {name!r}, which says of which group each sample is. Give it one: "
            f"X.assign_coords({{{name!r}: labels}})."
        )
    labels = X.coords[name]
    index = intercept.indexes[name]
    where = index.get_indexer(np.ravel(labels.values))
    unknown = np.ravel(labels.values)[where < 0]
    if len(unknown) and layout.missing == "raise":
        raise InvalidData(
            f"X has the group {unknown[0]} on {name!r}, for which no model was fitted: there are those of "
            f"{list(index[:10])!r}. Leave these samples out, or fit with missing='drop', which predicts NaN."
        )
    at = xr.DataArray(where.reshape(labels.shape), dims=labels.dims)
    coef = coef.drop_vars(name, errors="ignore")
    return tuple(
        array.drop_vars(name, errors="ignore").isel({name: at.clip(min=0)}).where(at >= 0)
        for array in (coef, intercept)
    )  # type: ignore[return-value]


def _of_cells(
    layout: Layout, coef: xr.DataArray, intercept: xr.DataArray, columns: list[xr.DataArray]
) -> tuple[xr.DataArray, xr.DataArray]:
    """The coefficients of the cells that X has."""
    for dim in layout.cell_dims:
        index = next((c.indexes[dim] for c in columns if dim in c.indexes), None)
        sizes = {c.sizes[dim] for c in columns if dim in c.dims}
        known = intercept.indexes.get(dim)
        if index is None or known is None:
            if sizes and sizes != {intercept.sizes[dim]}:
                raise InvalidData(
                    f"X has {sizes.pop()} labels on dim {dim!r}, and models were fitted for "
                    f"{intercept.sizes[dim]}."
                )
            continue
        if index.equals(known):
            continue
        where = known.get_indexer(index)
        if (where < 0).any():
            raise InvalidData(
                f"X has the label {index[where < 0][0]} on dim {dim!r}, for which no model was "
                "fitted. Take "
                f"cells that were, with X.sel({dim}=...)."
            )
        coef, intercept = coef.isel({dim: where}), intercept.isel({dim: where})
    return coef, intercept


def _chunks(layout: Layout, coef: xr.DataArray, columns: list[xr.DataArray]) -> dict[str, Any]:
    """How coefficients are cut: as X is along what it has, else as y was at the fit."""
    found: dict[str, Any] = {}
    for column in columns:
        for dim, sizes in column.chunksizes.items():
            if dim in coef.dims[:-1]:
                found.setdefault(str(dim), sizes)
    for dim, sizes in layout.cell_chunks.items():
        if dim in coef.dims and sum(sizes) == coef.sizes[dim]:
            found.setdefault(dim, tuple(sizes))
    return found


@final
@dataclass(frozen=True)
class _Product:
    """Margins of a block: the features are the last axes of each column, and the last of the coefficients."""

    inner: int
    columns: int
    missing: str

    def __call__(self, *blocks: AnyArray) -> AnyArray:
        coef, bias = blocks[self.columns :]
        width = coef.shape[-1] // self.columns
        z: Any = bias
        for number, column in enumerate(blocks[: self.columns]):
            x = column.reshape(*column.shape[: column.ndim - self.inner], width)
            if self.missing == "raise" and x.dtype.kind == "f" and np.isnan(x).any():
                raise NonFiniteData(
                    "Input X contains NaN.\nFill what is missing, or fit with missing='drop', which "
                    "predicts NaN "
                    "there."
                )
            own = coef[..., number * width : (number + 1) * width]
            z = z + (x[..., 0] * own[..., 0] if width == 1 else np.einsum("...f,...f->...", x, own))
        return np.asarray(z, dtype=np.float64)
